"""Markets to run on: the simulated one, or folders of real bars, told bar by bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import attrs
import numpy as np

from tradekit import (
    Bars,
    BarsRequest,
    Clock,
    DataSource,
    FixedClock,
    SourceError,
    Timeframe,
    UsageError,
    calendar_for,
)
from tradekit.data import FileSource, MemorySource, SimulatedSource
from tradekit.journal import Mode

# The simulated run ends on a Friday: fixed, so that every run shows the same.
LAST_DAY = date(2024, 6, 28)
SESSIONS = 5
COMPANIES = 24
# What is known when a run begins: enough days for the regime, enough minutes for the detectors.
HISTORY, MINUTES = timedelta(days=700), timedelta(days=30)
INDICES = ("SPY", "QQQ", "IWM")
_ENDINGS = (".csv", ".csv.gz", ".parquet")
_SHORTEST = Timeframe("5Min")


@attrs.frozen(eq=False)
class Market:
    """What a run looks at, and the moments at which it looks."""

    title: str
    mode: Mode
    timeframe: Timeframe
    bars: tuple[Bars, ...]
    steps: tuple[datetime, ...]
    left_out: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Whose bars there are, in the order in which they came."""
        return tuple(dict.fromkeys(bars.symbol for bars in self.bars))

    @property
    def traded(self) -> tuple[Bars, ...]:
        """The bars that are traded on; the others are days, for the regime and the watchlist."""
        return tuple(bars for bars in self.bars if bars.timeframe == self.timeframe)

    @property
    def indices(self) -> tuple[str, ...]:
        """Whose daily bars tell the regime: the index funds, else what is traded most."""
        return tuple(symbol for symbol in INDICES if symbol in self.symbols) or self._most_traded()

    @property
    def run(self) -> str:
        """A name for the run: the same bars and days have the same."""
        name = "".join(c if c.isalnum() else " " for c in self.title.lower()).split()
        days = (f"{step:%Y%m%d}" for step in (self.steps[0], self.steps[-1]))
        return "-".join((self.mode.value, *name, str(self.timeframe), *days))

    def source(self, clock: Clock) -> DataSource:
        """All the bars, of which the clock decides how many are known."""
        return MemorySource(self.bars, clock=clock)

    def _most_traded(self) -> tuple[str, ...]:
        """By the money that changed hands before the first step: later bars would look ahead."""
        money = {}
        for bars in self.bars:
            known = bars.until(self.steps[0])
            traded = float(np.nansum(known.close * known.volume))
            money[bars.symbol] = max(traded, money.get(bars.symbol, 0.0))
        return tuple(sorted(money, key=lambda symbol: (-money[symbol], symbol))[:3])


def simulated(
    seed: int, symbols: Sequence[str], start: date | None, end: date | None, timeframe: str | None
) -> Market:
    """Draw a market from a seed."""
    last = end or LAST_DAY
    first = start or _sessions_before(last)
    source = SimulatedSource(seed, clock=FixedClock(_midnight(last + timedelta(days=1))))
    length = Timeframe(timeframe or "15Min")
    names = tuple(symbols) or source.symbols[:COMPANIES] or INDICES
    return _market(f"seed {seed}", Mode.SIMULATED, source, names, length, first, last)


def folders(
    folder: Path,
    symbols: Sequence[str],
    start: date | None,
    end: date | None,
    timeframe: str | None,
) -> Iterator[Market]:
    """Give each collection of bar files below a folder, as a market of its own.

    Two collections may hold the same symbol, and no series is ever put together from two.
    """
    for name, layouts in _collections(folder).items():
        source = FileSource(folder, layout=layouts)
        names = tuple(s for s in source.symbols if not symbols or s in symbols)
        if names:
            length = Timeframe(timeframe) if timeframe else _shortest(source, names)
            title = name or folder.resolve().name
            yield _market(title, Mode.REPLAY, source, names, length, start, end)


def _market(
    title: str,
    mode: Mode,
    source: DataSource,
    symbols: Sequence[str],
    timeframe: Timeframe,
    start: date | None,
    end: date | None,
) -> Market:
    bars: list[Bars] = []
    left_out: list[str] = []
    for length in dict.fromkeys((timeframe, Timeframe("1Day"))):
        depth = HISTORY if length == "1Day" else MINUTES
        since = _midnight(start) - depth if start else None
        fetched = source.blocking.fetch(BarsRequest(symbols, length, start=since))
        bars += fetched.bars.values()
        left_out += [f"{s} {length}: {error}" for s, error in fetched.failures.items()]
    steps = _steps([each for each in bars if each.timeframe == timeframe], start, end)
    return Market(title, mode, timeframe, tuple(bars), steps, tuple(left_out))


def _steps(bars: Sequence[Bars], start: date | None, end: date | None) -> tuple[datetime, ...]:
    """The moments at which a bar of any symbol closes, within regular hours and the dates."""
    closes = [each.close_time[each.session >= 0] for each in bars]
    moments = np.unique(np.concatenate([np.empty(0, np.int64), *closes]))
    found = (m.replace(tzinfo=UTC) for m in moments.astype("M8[ns]").astype("M8[us]").tolist())
    return tuple(
        m
        for m in found
        if (start is None or m >= _midnight(start))
        and (end is None or m < _midnight(end + timedelta(days=1)))
    )


def _collections(folder: Path) -> dict[str, tuple[str, ...]]:
    """Layouts of the files below a folder, by the name of their collection.

    Folders named after a timeframe (``1d/lean``, ``1h/lean``) hold parts of one collection.
    """
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        if path.name.lower().endswith(_ENDINGS):
            first, *rest = path.relative_to(folder).parent.parts or ("",)
            timed = _is_timeframe(first)
            name = "/".join(rest if timed else (first, *rest)).strip("/")
            layout = "/".join(filter(None, ("{timeframe}" if timed else "", name, "{symbol}")))
            found.setdefault(name, set()).add(layout)
    if not found:
        FileSource(folder)  # tells what is wrong with it
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def _is_timeframe(text: str) -> bool:
    try:
        return bool(Timeframe(text))
    except UsageError:
        return False


def _shortest(source: FileSource, symbols: Sequence[str]) -> Timeframe:
    """The shortest bars that any file holds, but not shorter than five minutes."""
    held = []
    for symbol in symbols:
        try:
            held += source.timeframes(symbol)
        except SourceError:
            continue  # the fetch will tell why
    return max(min(held, default=Timeframe("1Day")), _SHORTEST)


def _sessions_before(last: date) -> date:
    """The first of the last sessions up to a day."""
    sessions = calendar_for("XNYS").sessions
    row = int(sessions.searchsorted(np.datetime64(last), side="right"))
    day: date = sessions[max(row - SESSIONS, 0)].item()
    return day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
