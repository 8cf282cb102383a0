"""Is a detector causal, stateless, honest about what it does not know?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from unittest import SkipTest

import numpy as np

from .._core.bars import Bars
from .._core.detector import Detections, SignalDetector
from .._core.faults import COLUMNS
from ._check import Check, as_checks, fail
from ._quiet import listening
from ._series import altered, flat_bars, kit_bars, mirrored, poisoned

_CUTS, _EARLY, _WINDOWS = 10, 12, 6
_SCORE_TOLERANCE = 1e-3
# Rounding may tip a comparison of two equal numbers either way; it does not do so often.
_MIRROR_AGREEMENT = 0.99
_LEAST_LENGTH = 600


def check_detector(
    detector: SignalDetector,
    *,
    bars: Bars | tuple[Bars, ...] | None = None,
    seed: int = 0,
    known_failures: Mapping[str, str] | None = None,
) -> tuple[Check, ...]:
    """Give the checks that every detector should pass, by name.

    Four of them look for the future: ``prefix`` (later bars change nothing), ``poisoned_future``
    (nor do impossible ones), ``early_cut`` (nor do they within the warm-up) and
    ``window_parity`` (a window that starts later says the same where it is ready). None of the
    four is enough alone.

    Parameters
    ----------
    detector : SignalDetector
        The one to try.
    bars : Bars or tuple of Bars, optional
        What to try it on; else markets made from the seed, long enough for its look-back. Give
        your own when it never fires on those.
    seed : int
        For those markets and for where to cut.
    known_failures : mapping of str to str, optional
        Checks that are known to fail, each with the reason; one that passes is an error.

    Returns
    -------
    tuple of Check
        For ``@pytest.mark.parametrize("check", check_detector(...))``.

    Examples
    --------
    >>> import tradekit
    >>> class UpBar(tradekit.SignalDetector):
    ...     '''The bar closed above its open (bullish) or below it (bearish).'''
    ...
    ...     def _scan(self, bars):
    ...         return 50.0 * np.sign(bars.close - bars.open)
    >>> for check in check_detector(UpBar()):
    ...     check()
    """
    trial = _Trial(detector, bars, seed)
    questions: dict[str, Callable[[], None]] = {
        "fires": trial.fires,
        "prefix": trial.prefix,
        "poisoned_future": trial.poisoned_future,
        "early_cut": trial.early_cut,
        "window_parity": trial.window_parity,
        "live_is_last_of_history": trial.live_is_last_of_history,
        "same_every_time": trial.same_every_time,
        "leaves_bars_alone": trial.leaves_bars_alone,
        "looks_at_bars_only": trial.looks_at_bars_only,
        "odd_bars": trial.odd_bars,
        "unknown_volume": trial.unknown_volume,
        "mirror": trial.mirror,
    }
    if detector.anchor == "history":
        del questions["window_parity"]  # it says of itself that its first bar must stay
    if detector.mirror is None:
        del questions["mirror"]
    return as_checks(questions, known_failures)


class _Trial:
    """One detector, the markets it is tried on, and where they are cut."""

    def __init__(
        self, detector: SignalDetector, bars: Bars | tuple[Bars, ...] | None, seed: int
    ) -> None:
        self.detector, self.given, self.seed = detector, bars, seed
        self.who = type(detector).__name__

    def markets(self) -> tuple[Bars, ...]:
        if self.given is not None:
            return (self.given,) if isinstance(self.given, Bars) else self.given
        short = kit_bars(self.seed, _LEAST_LENGTH)
        needs = max(self.needs(_rebuilt(bars)) for bars in short)
        return short if 3 * needs <= _LEAST_LENGTH else kit_bars(self.seed, 3 * needs)

    def needs(self, bars: Bars) -> int:
        ready = np.flatnonzero(self.detector.scan(bars).ready)
        if len(ready):
            return int(ready[0]) + 1
        watched, _ = bars._watched()
        self.detector._scan(watched)
        return self.detector._needs(watched)

    def scanned(self) -> Iterator[tuple[Bars, Detections, np.random.Generator]]:
        for bars in self.markets():
            yield bars, self.detector.scan(bars), np.random.default_rng(self.seed)

    def fires(self) -> None:
        if not any(said.fired.any() for _, said, _ in self.scanned()):
            fail(
                self.who,
                "never fires",
                expected="something to say on at least one market",
                got="silence, so that no other check could fail",
                hint="check_detector(..., bars=your_bars) with bars on which it fires",
            )

    def prefix(self) -> None:
        for bars, said, rng in self.scanned():
            for cut in _cuts(rng, said, _CUTS):
                self._same_past(said, self.detector.scan(bars[:cut]), cut, "cut off")

    def early_cut(self) -> None:
        for bars, said, _ in self.scanned():
            last = min(self.needs(bars) + 2, len(bars) - 1)
            for cut in np.unique(np.linspace(1, last, _EARLY).astype(int)):
                self._same_past(said, self.detector.scan(bars[:cut]), cut, "cut off")

    def poisoned_future(self) -> None:
        for bars, said, rng in self.scanned():
            for cut in _cuts(rng, said, _CUTS):
                for other in poisoned(bars, cut):
                    self._same_past(said, self.detector.scan(other), cut, "changed")

    def _same_past(self, said: Detections, other: Detections, cut: int, what: str) -> None:
        for name in ("score", "target", "stop", "ready"):
            before, after = getattr(said, name)[:cut], getattr(other, name)[:cut]
            differ = ~np.isclose(before, after, rtol=0, atol=0, equal_nan=True)
            if differ.any():
                row = int(np.argmax(differ))
                fail(
                    self.who,
                    "looks ahead",
                    expected=f"the same {name} in row {row} when rows from {cut} on are {what}",
                    got=f"{before[row]} with them and {after[row]} without",
                    hint="row i may rest on rows up to i only: look for shift(-1), a whole-series "
                    "mean or maximum, bfill, or an unconfirmed pivot",
                )

    def window_parity(self) -> None:
        for bars, said, rng in self.scanned():
            latest = max(len(bars) - self.needs(bars), 2)
            for start in rng.integers(1, latest, _WINDOWS):
                self._same_window(said, self.detector.scan(bars[int(start) :]), int(start))

    def _same_window(self, said: Detections, late: Detections, start: int) -> None:
        both = late.ready & said.ready[start:]
        early = np.where(both, said.score[start:], 0.0)
        score = np.where(both, late.score, 0.0)
        tolerance = _SCORE_TOLERANCE * np.maximum(1.0, np.abs(early))
        differ = (np.sign(early) != np.sign(score)) | (np.abs(early - score) > tolerance)
        if differ.any():
            row = int(np.argmax(differ))
            fail(
                self.who,
                "depends on where its bars start",
                expected=f"score {early[row]} in row {start + row}, as with full history",
                got=f"{score[row]} in a window that starts at row {start}, where it says it is "
                "ready",
                hint="a longer lookback, or anchor = 'session' or 'history' if it must start there",
            )

    def live_is_last_of_history(self) -> None:
        for bars, said, rng in self.scanned():
            history = {signal.time: signal for signal in self.detector.signals(bars)}
            for cut in _cuts(rng, said, _CUTS):
                window = bars[:cut]
                now = self.detector.detect(window)
                then = history.get(window[-1].close_time)
                if now != ((then,) if then else ()):
                    fail(
                        self.who,
                        "says something else live than in history",
                        expected=f"{then}",
                        got=f"{now[0] if now else 'nothing'}",
                        hint="_scan and _detect must agree; a detector remembers nothing",
                    )

    def same_every_time(self) -> None:
        markets = self.markets()
        fresh = [copy.deepcopy(self.detector).scan(_rebuilt(bars)) for bars in markets]
        again = [self.detector.scan(_rebuilt(bars)) for bars in reversed(markets)][::-1]
        with ThreadPoolExecutor(4) as pool:
            threaded = list(pool.map(self.detector.scan, map(_rebuilt, markets)))
        for runs in zip(fresh, again, threaded, strict=True):
            if any(not _equal(runs[0], run) for run in runs[1:]):
                fail(
                    self.who,
                    "does not say the same every time",
                    expected="the same answer for the same bars",
                    got="another one the next time",
                    hint="keep nothing between calls; no clock and no random numbers",
                )

    def leaves_bars_alone(self) -> None:
        for bars in self.markets():
            before = _rebuilt(bars)
            self.detector.scan(bars)
            if bars != before:
                fail(
                    self.who,
                    "changes the bars it looks at",
                    expected="the same bars after a scan",
                    got="others",
                    hint="work on copies: bars.close.copy()",
                )

    def looks_at_bars_only(self) -> None:
        bars = self.markets()[0]
        self.detector.scan(bars)  # what is imported or loaded once is no peeking
        with listening() as heard:
            self.detector.scan(_rebuilt(bars))
        if heard:
            fail(
                self.who,
                "looks at more than bars",
                expected="no file, network or process",
                got=", ".join(sorted(set(heard))[:3]),
                hint="join what you need with bars.with_extra(...), with the time it was known",
            )

    def odd_bars(self) -> None:
        for bars in (flat_bars(300), flat_bars(400, "5Min"), flat_bars(1), flat_bars(0)):
            self.detector.scan(bars)
            self.detector.detect(bars)

    def unknown_volume(self) -> None:
        for bars, said, _ in self.scanned():
            unknown = self.detector.scan(altered(bars, volume=np.full(len(bars), np.nan)))
            wrong = ~np.isnan(unknown.score) & (unknown.score != said.score)
            if wrong.any():
                row = int(np.argmax(wrong))
                fail(
                    self.who,
                    "takes unknown volume for a number",
                    expected=f"NaN in row {row}, not ready without volume",
                    got=f"{unknown.score[row]}",
                    hint="np.where(np.isnan(bars.volume), np.nan, score)",
                )

    def mirror(self) -> None:
        sides, agree = set(), []
        for bars, said, _ in self.scanned():
            turned = self.detector.scan(mirrored(bars, str(self.detector.mirror)))
            sides |= set(np.unique(np.append(said.direction, turned.direction)))
            known = ~np.isnan(said.score) & ~np.isnan(turned.score)
            agree.append(np.abs(said.score + turned.score)[known] < 1e-3)
        if not {-1, 1} <= sides:
            raise SkipTest(f"{self.who} has one side: mirror = None, with a mirror_reason, says so")
        share = float(np.concatenate(agree).mean())
        if share < _MIRROR_AGREEMENT:
            fail(
                self.who,
                "treats falling and rising prices differently",
                expected="the opposite score on prices turned upside down",
                got=f"it in {share:.1%} of the rows",
                hint="mirror = 'geometric' for percentages, or mirror = None and a mirror_reason",
            )


def _cuts(rng: np.random.Generator, said: Detections, count: int) -> list[int]:
    """Cut anywhere, and right after a row that fired: there a peek shows."""
    length = len(said)
    fired = np.flatnonzero(said.fired[:-1]) + 1
    chosen = rng.choice(fired, min(count, len(fired)), replace=False) if len(fired) else fired
    return [int(cut) for cut in np.append(rng.integers(1, max(length, 2), count), chosen)]


def _rebuilt(bars: Bars) -> Bars:
    return altered(bars, **{name: getattr(bars, name).copy() for name in COLUMNS})


def _equal(one: Detections, other: Detections) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name != "ready")
        for name in ("score", "target", "stop", "ready")
    )
