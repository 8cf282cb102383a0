"""Checks of detectors: causal, stateless, and honest about what they do not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from unittest import SkipTest

import numpy as np

from .._core.bars import Bars
from .._core.clock import from_ns
from .._core.columns import Bool, Float
from .._core.detector import Detections, SignalDetector
from .._core.errors import ContractError
from .._core.signal import Signal
from ._check import Check, as_checks
from ._cuts import late_starts
from ._futures import mirrored, poisoned
from ._quiet import listening, side_by_side
from ._series import altered, difference, odd_bars, rebuilt, shaken
from ._trial import Trial, written

_EARLY = 6
_COLUMNS = ("score", "target", "stop", "ready")
# Sums of products round differently in arrays of another length; a peek is larger than that.
_ROUNDING = 1e-9
# A thousandth of the range of scores: averages that never quite forget agree to four digits.
_SCORE_TOLERANCE = 0.1
_SHAKES = 8
_LEVELS, _LEVEL_TOLERANCE = ("price", "price_target", "stop_loss"), 1e-3
# Up 2 % is the mirror of down 1.96 %: near a threshold, one fires and the other does not.
_MIRROR_TOLERANCE, _MIRROR_AGREEMENT = 0.1, 0.7


def check_detector(
    detector: SignalDetector,
    *,
    bars: Bars | tuple[Bars, ...] | None = None,
    seed: int = 0,
    known_failures: Mapping[str, str] | None = None,
) -> tuple[Check, ...]:
    """Give the checks that every detector should pass, by name.

    Four of them look for the future, and none is enough alone: ``prefix``, ``poisoned_future``,
    ``early_cut`` and ``window_parity``.

    Parameters
    ----------
    detector : SignalDetector
        The one to try; copies of it are used.
    bars : Bars or tuple of Bars, optional
        What to try it on; else markets made from the seed, long enough for its look-back. Give
        your own when it never fires on those, or when it needs joined columns.
    seed : int
        For those markets and for where to cut.
    known_failures : mapping of str to str, optional
        Checks that are known to fail, each with the reason; one that passes is an error.

    Returns
    -------
    tuple of Check
        For ``@pytest.mark.parametrize("check", check_detector(...))``.

    Raises
    ------
    UsageError
        When bars are given and one has none, or a known failure names no check.

    Notes
    -----
    - ``fires``: it says something somewhere, else no other check could fail.
    - ``prefix``: what it says does not change when later bars come. Cuts lie where a peek would
      wait: after its own signals, at gaps, half days, turns of sessions, weeks and months.
    - ``poisoned_future``: nor when later bars turn out otherwise, cut at large moves and volumes.
    - ``early_cut``: nor within its warm-up.
    - ``window_parity``: a window that starts later agrees where it is ready; left out where
      ``anchor = "history"``.
    - ``live_is_last_of_history``: `detect` says now what `signals` says of the last bar.
    - ``same_every_time``: whatever it looked at before, and in two threads at once.
    - ``leaves_bars_alone`` and ``looks_at_bars_only``: no writing into bars; no clock, no file,
      no network.
    - ``odd_bars``: few, flat, untraded, tiny or huge ones are answered too.
    - ``unknown_volume``: it is not ready where it would need the volume.
    - ``mirror``: the opposite on prices turned upside down; left out where ``mirror`` is None,
      skipped where only one side ever fires.

    Where a peek would have to be 1e-9 of a score, or a millionth of a price decides, rounding
    is excused.

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


class _Trial(Trial):
    """What is asked of it."""

    def fires(self) -> None:
        if not any(market.said.fired.any() for market in self.markets):
            self.no(
                "never fires",
                expected="something to say on at least one market",
                got="silence, so that no other check could fail",
                hint="check_detector(..., bars=your_bars) with bars on which it fires",
            )

    def prefix(self) -> None:
        for market, bars, detector in self.tried("prefix"):
            self._cut_off(bars, detector, market.cuts.short)

    def early_cut(self) -> None:
        for market, bars, detector in self.tried("early"):
            last = min(market.needs + 2, len(bars) - 1)
            early = np.unique(np.linspace(1, last, _EARLY).astype(int))
            self._cut_off(bars, detector, [int(cut) for cut in early])

    def _cut_off(self, bars: Bars, detector: SignalDetector, cuts: list[int]) -> None:
        # Shortest first: whoever remembers bars must not know later ones yet.
        shorter = [detector.scan(bars[:cut]) for cut in cuts]
        whole = detector.scan(bars)
        for cut, said in zip(cuts, shorter, strict=True):
            self._same_past(bars, whole, said, cut, "are not there yet")

    def poisoned_future(self) -> None:
        for market, bars, detector in self.tried("poison"):
            whole = detector.scan(bars)
            for cut in market.cuts.poison:
                for other in poisoned(bars, cut):
                    self._same_past(bars, whole, detector.scan(other), cut, "turn out otherwise")

    def _same_past(
        self, bars: Bars, whole: Detections, other: Detections, cut: int, what: str
    ) -> None:
        for name in _COLUMNS:
            before, after = getattr(whole, name)[:cut], getattr(other, name)[:cut]
            if before.tobytes() != after.tobytes() and (differ := _differ(before, after)).any():
                row = int(np.argmax(differ))
                where = _place(bars, row)
                self.no(
                    "looks ahead",
                    expected=f"the same {name} in {where} when rows from {cut} on {what}",
                    got=f"{before[row]:.6g} on all bars, and {after[row]:.6g} then",
                    hint="row i may rest on rows up to i only: look for shift(-1), a whole-series "
                    "mean or maximum, bfill, an unconfirmed pivot, longer bars that join at their "
                    "open, or an early return for short bars",
                )

    def window_parity(self) -> None:
        rng = np.random.default_rng(self.seed)
        for market, bars, detector in self.tried("windows"):
            whole = detector.scan(bars)
            for start in late_starts(bars, whole.fired, market.needs, rng):
                self._same_window(bars, detector, whole, start)

    def _same_window(
        self, bars: Bars, detector: SignalDetector, whole: Detections, start: int
    ) -> None:
        late, differ = detector.scan(bars[start:]), np.zeros(len(bars), dtype=bool)
        ready = late.ready & whole.ready[start:]
        differ[start:] = ready & _apart(late.score, whole.score[start:])
        if differ.any():
            differ &= ~_undecided(bars, detector, whole)
        if differ.any():
            row = int(np.argmax(differ))
            self.no(
                "depends on where its bars start",
                expected=f"score {whole.score[row]:.6g} in {_place(bars, row)}, as with all bars",
                got=f"{late.score[row - start]:.6g} in a window that starts at row {start}, and is "
                "ready by its own words",
                hint="a longer lookback, or anchor = 'session' or 'history' if it must start there",
            )

    def live_is_last_of_history(self) -> None:
        for market, bars, detector in self.tried("live"):
            history = {signal.time: signal for signal in detector.signals(bars)}
            for cut in market.cuts.short:
                now = detector.detect(bars[:cut])
                then = history.get(bars[cut - 1].close_time)
                if not _agree(now[0] if now else None, then):
                    self.no(
                        "says something else live than in history",
                        expected=f"{_told(then)} in {_place(bars, cut - 1)}, as in history",
                        got=_told(now[0] if now else None),
                        hint="_scan and _detect must agree, and remember nothing",
                    )

    def same_every_time(self) -> None:
        for _, bars, detector in self.tried("again"):
            other = next(poisoned(bars, 1))
            unseen = rebuilt(other, f"{bars.symbol}-unseen" if self.given is None else bars.symbol)
            alone = self.fresh()
            expected = [alone.scan(unseen), detector.scan(bars)]
            levels = alone.levels(unseen)
            # Other bars under the same name and times, then the first ones again, then at once.
            answers = [detector.scan(rebuilt(other)), detector.scan(rebuilt(bars))]
            self._equal(expected, answers, "the next time")
            pairs = list(zip(levels, detector.levels(other), strict=True))
            if not all(np.array_equal(one, two, equal_nan=True) for one, two in pairs):
                self._not_the_same("other levels after a look at other bars")
            calls = [partial(detector.scan, rebuilt(each)) for each in (other, bars)]
            at_once = side_by_side(calls, type(detector).__module__)
            self._equal(expected, at_once, "in two threads at once")

    def _equal(self, expected: list[Detections], answers: list[Detections], when: str) -> None:
        for one, two in zip(expected, answers, strict=True):
            if not all(
                np.array_equal(getattr(one, name), getattr(two, name), equal_nan=name != "ready")
                for name in _COLUMNS
            ):
                self._not_the_same(f"another one {when}")

    def _not_the_same(self, got: str) -> None:
        self.no(
            "does not say the same every time",
            expected="the same answer for the same bars",
            got=got,
            hint="keep nothing between calls: no cache of your own, nothing on self; no clock, no "
            "random numbers but from a seed in the bars",
        )

    def leaves_bars_alone(self) -> None:
        for market, bars, detector in self.tried("left"):
            detector.scan(bars)
            if bars != rebuilt(market.bars, bars.symbol):
                self.no(
                    "changes the bars it looks at",
                    expected="the same bars after a scan",
                    got=difference(rebuilt(market.bars, bars.symbol), bars),
                    hint="work on copies: bars.close.copy()",
                )

    def looks_at_bars_only(self) -> None:
        for _, bars, detector in self.tried("heard"):
            detector.scan(bars)  # what is imported or loaded once is no peeking
            with listening() as heard:
                detector.scan(rebuilt(bars))
                detector.detect(rebuilt(bars))
            if heard:
                self.no(
                    "looks at more than its bars",
                    expected="no clock, file, network or process",
                    got=", ".join(sorted(set(heard))[:3]),
                    hint="join what you need with bars.with_extra(...), with the time it was known",
                )

    def odd_bars(self) -> None:
        detector = self.fresh()
        for what, bars in odd_bars("5Min") if self.intraday else odd_bars("1Day", "5Min"):
            try:
                with np.errstate(all="ignore"):  # NaN is an honest answer to 0 / 0
                    detector.scan(bars)
                    detector.detect(bars)
            except ContractError as error:
                self.no(
                    f"fails on {what}",
                    expected="an answer: 0 for nothing, NaN where it is not ready",
                    got=f"{error.problem}, {error.got}",
                    hint="guard divisions and empty slices, and clip to -100 and 100",
                )

    def unknown_volume(self) -> None:
        for market, bars, detector in self.tried("volume"):
            with np.errstate(invalid="ignore"):
                unknown = detector.scan(altered(bars, volume=np.full(len(bars), np.nan)))
            wrong = ~np.isnan(unknown.score) & (unknown.score != market.said.score)
            if wrong.any():
                row = int(np.argmax(wrong))
                self.no(
                    "takes unknown volume for a number",
                    expected=f"NaN in {_place(bars, row)}, not ready without volume",
                    got=f"{unknown.score[row]:.6g}, and {market.said.score[row]:.6g} with it",
                    hint="np.where(np.isnan(bars.volume), np.nan, score)",
                )

    def mirror(self) -> None:
        kinds = [str(self.detector.mirror)]
        if not any("mirror" in vars(owner) for owner in (self.detector, *written(self.detector))):
            kinds.append("geometric")  # it says nothing of its own: either will do
        share = max(map(self._mirrored_share, kinds))
        if share < _MIRROR_AGREEMENT:
            self.no(
                "treats falling and rising prices differently",
                expected="the opposite score on prices turned upside down",
                got=f"that at {share:.1%} of the bars where it fires",
                hint="mirror = 'geometric' for percentages, or mirror = None and a mirror_reason",
            )

    def _mirrored_share(self, kind: str) -> float:
        sides, agree = set(), []
        for market, bars, detector in self.tried(kind):
            one, two = market.said, detector.scan(mirrored(bars, kind))
            sides |= set(np.unique(np.append(one.direction, two.direction)))
            both = (one.fired | two.fired) & ~np.isnan(one.score) & ~np.isnan(two.score)
            size = np.maximum(np.abs(one.score), np.abs(two.score))[both]
            agree.append(np.abs(one.score + two.score)[both] <= _MIRROR_TOLERANCE * size)
        if not {-1, 1} <= sides:
            raise SkipTest(f"{self.who} has one side: mirror = None, with a mirror_reason, says so")
        return float(np.concatenate(agree).mean())


def _place(bars: Bars, row: int) -> str:
    when = f"{from_ns(bars.time[row]):%Y-%m-%d %H:%M} UTC"
    return f"row {row} of {bars.symbol} ({bars.timeframe}, {when})"


def _told(signal: Signal | None) -> str:
    if signal is None:
        return "nothing"
    levels = f"target {signal.price_target:.6g}, stop {signal.stop_loss:.6g}"
    said = f"{signal.direction.value} {signal.confidence:.6g}, {levels}"
    return f"{said}, still warming up" if signal.warmup else said


def _differ(before: Float | Bool, after: Float | Bool) -> Bool:
    one, two = before.astype(float), after.astype(float)
    known = ~(np.isnan(one) & np.isnan(two))
    with np.errstate(invalid="ignore"):
        near = np.abs(one - two) <= _ROUNDING * np.maximum(1.0, np.abs(one))
        return np.asarray(known & ~(near & (np.sign(one) == np.sign(two))))


def _apart(one: Float, two: Float) -> Bool:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(one - two) > _SCORE_TOLERANCE)


def _undecided(bars: Bars, detector: SignalDetector, whole: Detections) -> Bool:
    """Find rows where it says something else when prices move by a millionth."""
    # There, two numbers are as good as equal, and rounding alone may order them otherwise.
    rng, undecided = np.random.default_rng(0), np.zeros(len(bars), dtype=bool)
    for _ in range(_SHAKES):
        undecided |= _apart(whole.score, detector.scan(shaken(bars, rng)).score)
    return undecided


def _agree(now: Signal | None, then: Signal | None) -> bool:
    if abs(_score(now) - _score(then)) > _SCORE_TOLERANCE:
        return False
    if now is None or then is None or now.direction != then.direction:
        return True  # next to nothing either way
    levels = [(getattr(now, name), getattr(then, name)) for name in _LEVELS]
    near = all(np.isclose(one, two, rtol=_LEVEL_TOLERANCE) for one, two in levels)
    return near and (now.id, now.warmup) == (then.id, then.warmup)


def _score(signal: Signal | None) -> float:
    if signal is None:
        return 0.0
    return signal.confidence if signal.direction == "bullish" else -signal.confidence
