"""What one symbol's stream owes: which bar comes next, what has come, and what never will."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.calendar import ONE_DAY, Calendar
from .._core.clock import NS, from_ns, to_ns
from .._core.days import weekdays
from .._core.tellings import SKEW
from .._core.timeframe import Timeframe
from ._soundness import strays

MINUTE = Timeframe("1Min")
_SKEW = SKEW // timedelta(microseconds=1) * 1_000
_PAUSE = 20 * NS  # before what did not come is asked for again; then twice as long, and so on
_FIRST_RETRY, _LONGEST_RETRY = 2 * NS, 30 * NS  # after a failure

_log = logging.getLogger("tradekit.data")


def running(calendar: Calendar, timeframe: Timeframe, moment: int) -> tuple[int, int]:
    """Find the first bar that closes after a moment.

    Parameters
    ----------
    calendar : Calendar
        Of the exchange.
    timeframe : Timeframe
        Length of the bar.
    moment : int
        Nanoseconds since 1970 UTC.

    Returns
    -------
    label, close : int
        When it opens and when it closes, in nanoseconds since 1970 UTC.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from tradekit._core.calendar import calendar_for
    >>> friday_evening = datetime(2024, 3, 8, 22, tzinfo=UTC)
    >>> label, close = running(calendar_for(), Timeframe("4Hour"), to_ns(friday_evening))
    >>> f"{from_ns(label):%a %H:%M} {from_ns(close):%H:%M}"
    'Mon 13:30 17:30'
    """
    row = int(calendar.closes.searchsorted(moment, side="right"))
    if timeframe.is_intraday:
        opened, over = int(calendar.opens[row]), int(calendar.closes[row])
        label = opened + max(0, moment - opened) // timeframe.ns * timeframe.ns
        return label, min(label + timeframe.ns, over)
    if timeframe == "1Day":
        return int(calendar.midnights[row]), int(calendar.closes[row])
    day = calendar.sessions[row : row + 1]
    monday = calendar.labels(day - weekdays(day) * ONE_DAY)
    return int(monday[0]), int(calendar.close_time(monday, timeframe)[0])


class Ledger:
    """The account of one symbol.

    Parameters
    ----------
    symbol : str
        Whose bars.
    timeframe : Timeframe
        Their length.
    calendar : Calendar
        Whose regular hours say which bars there should be.
    begin : int
        Bars that close after this moment are owed; nanoseconds since 1970 UTC, as all moments here.
    settle : int
        How long after its close a bar is asked for, in nanoseconds.

    Attributes
    ----------
    next, due : int
        The label of the bar that is owed next, and when it closes.
    look_at : int
        When it should be asked for, if it has not come by then.
    failures : int
        How often in a row it could not be asked for.
    close : float or None
        The last one that is known: who tells a price that is far from it is not believed at once.
    """

    def __init__(
        self, symbol: str, timeframe: Timeframe, calendar: Calendar, begin: int, settle: int
    ) -> None:
        self.symbol = symbol
        self._timeframe, self._calendar, self._settle = timeframe, calendar, settle
        self._minutes: dict[int, dict[int, Bar]] = {}  # of bars that still lack some, by label
        self._waiting: dict[int, Bar] = {}
        self._pause, self.failures = _PAUSE, 0
        self._known = 0  # up to this label, what has not come never will
        self.close: float | None = None
        self._strays: dict[int, Bar] = {}  # in the last answer
        self._expect(begin)

    def hear(self, minute: Bar, now: int) -> None:
        """Take a minute that was sent; once all of a longer bar's are there, they make it up.

        Minutes outside regular hours, off their grid or still running are left out, and those far
        from the last close, or before any is known. What is sent again before it is given counts.
        """
        moment = to_ns(minute.time)
        label, close = running(self._calendar, self._timeframe, moment)
        there, over = running(self._calendar, MINUTE, moment)
        is_owed = label >= self.next and label > self._known
        if there != moment or over > now + _SKEW or not is_owed or not self._is_likely(minute):
            return
        self.close = minute.close
        minutes = self._minutes.setdefault(label, {})
        minutes[moment] = minute
        one_source = len({each.source for each in minutes.values()}) == 1
        if len(minutes) * MINUTE.ns == close - label and one_source:
            self._waiting[label] = _together(minutes, self._timeframe, close)

    def _is_likely(self, minute: Bar) -> bool:
        if self.close is None:
            return False
        if far := strays(minute, self.close):
            told = self.symbol, minute.low, minute.high, self.close
            _log.info("stream: a minute of %s from %g to %g after %g is left out", *told)
        return not far

    def learn(self, bars: Bars) -> None:
        """Take an answer to the question for all bars from `next` on.

        It is right about every bar up to its last one, also about those that it lacks; an answer
        may end early, so it says nothing of what comes after. Of bars far from those before them
        it is believed when it is given twice.
        """
        told = {to_ns(bar.time): bar for bar in bars[int(bars.time.searchsorted(self.next)) :]}
        before, self._strays = self._strays, self._far(told)
        if told and self._strays.items() <= before.items():
            self._known, self.close = max(self._known, *told), told[max(told)].close
            later = {label: bar for label, bar in self._waiting.items() if label > self._known}
            self._waiting = told | later

    def _far(self, told: dict[int, Bar]) -> dict[int, Bar]:
        """Find the bars of an answer that lie far from the one before."""
        closes = [self.close, *(bar.close for bar in told.values())]
        pairs = zip(told.items(), closes, strict=False)
        return {label: bar for (label, bar), close in pairs if close and strays(bar, close)}

    def give(self, now: int) -> Iterator[Bar]:
        """Give the bars whose turn has come."""
        while self.due <= now and (self.next in self._waiting or self.next <= self._known):
            bar = self._waiting.pop(self.next, None)
            self._expect(self.due)
            if bar is not None:
                yield bar

    def looked(self, now: int, until: int) -> None:
        """Note an answer that did not bring the bar that is owed."""
        _, close = running(self._calendar, self._timeframe, until)
        self.failures = 0
        self.look_at = min(close + self._settle, now + self._pause)
        self._pause *= 2

    def failed(self, now: int, wait: int) -> None:
        """Note that nobody could look, and asks for time."""
        self.failures += 1
        self.look_at = now + max(wait, min(_FIRST_RETRY << self.failures - 1, _LONGEST_RETRY))

    def give_up(self, failures: int, held: int) -> tuple[int, int] | None:
        """Give up a hole into which nobody could look so often, and behind which so many wait.

        The first label that is given up and the first that waits behind it come back; None where
        there is no such hole.
        """
        if self.failures < failures or len(self._waiting) < held:
            return None
        hole = self.next, min(self._waiting)
        self._known = hole[1] - 1
        return hole

    def _expect(self, moment: int) -> None:
        self.next, self.due = running(self._calendar, self._timeframe, moment)
        self.look_at = self.due + self._settle
        self._pause, self.failures = _PAUSE, 0
        # What came for bars that are past, or for none that there are, is of no use any more.
        for kept in (self._minutes, self._waiting):
            for label in [label for label in kept if label < self.next]:
                del kept[label]


def _together(minutes: dict[int, Bar], timeframe: Timeframe, close: int) -> Bar:
    """One bar of all its minutes."""
    bars = [minutes[moment] for moment in sorted(minutes)]
    return Bar(
        bars[0].symbol,
        timeframe,
        bars[0].time,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        from_ns(close),
        source=bars[0].source,
        trusted_for_entries=all(bar.trusted_for_entries for bar in bars),
    )
