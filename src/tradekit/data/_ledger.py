"""What one symbol's stream owes: which bar comes next, what has come, and what never will."""

from __future__ import annotations

from collections.abc import Iterator

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.calendar import ONE_DAY, Calendar
from .._core.clock import NS, from_ns, to_ns
from .._core.days import weekdays
from .._core.timeframe import Timeframe

MINUTE = Timeframe("1Min")
_SKEW = 5 * NS  # how far the machine's clock may lag behind the vendor's
_PAUSE = 20 * NS  # before what did not come is asked for again; then twice as long, and so on
_FIRST_RETRY, _LONGEST_RETRY = 2 * NS, 30 * NS  # after a failure


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
        self._expect(begin)

    def hear(self, minute: Bar, now: int) -> None:
        """Take a minute that was sent; once all of a longer bar's are there, they make it up.

        Minutes outside regular hours, off their grid or still running are left out.
        """
        moment = to_ns(minute.time)
        label, close = running(self._calendar, self._timeframe, moment)
        there, over = running(self._calendar, MINUTE, moment)
        if there != moment or over > now + _SKEW or label < self.next or label in self._waiting:
            return
        minutes = self._minutes.setdefault(label, {})
        minutes.setdefault(moment, minute)
        if len(minutes) * MINUTE.ns == close - label:
            del self._minutes[label]
            self._waiting[label] = _together(minutes, self._timeframe, close)

    def learn(self, bars: Bars) -> None:
        """Take an answer to the question for all bars from `next` on.

        It is right about every bar up to its last one, also about those that it lacks; an answer
        may end early, so it says nothing of what comes after.
        """
        told = {to_ns(bar.time): bar for bar in bars[int(bars.time.searchsorted(self.next)) :]}
        if told:
            self._known = max(self._known, *told)
            later = {label: bar for label, bar in self._waiting.items() if label > self._known}
            self._waiting = told | later

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
    )
