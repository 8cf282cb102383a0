"""A whole market from one number: thousands of symbols, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt

from .._core.bars import Bars
from .._core.candidate import Candidate
from .._core.clock import Clock, SystemClock, to_ns
from .._core.errors import NoDataError, SourceError
from .._core.request import BarsRequest, Capabilities
from .._core.resample import resample
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from . import _market as market
from ._regimes import NAMES, Labels, checked_seed
from ._tape import History, bars_per_session, history, life, minute_table, nyse, weekday_rows

Dates = npt.NDArray[np.datetime64]

_INTRADAY = "1Min 2Min 5Min 10Min 15Min 30Min 1Hour 2Hour 4Hour"
TIMEFRAMES = tuple(map(Timeframe, (*_INTRADAY.split(), "1Day", "1Week")))
CATEGORIES = ("listed", "newcomers", "fund", *market.SECTORS)


@attrs.frozen
class CorporateAction:
    """A split or a cash dividend of one symbol.

    Parameters
    ----------
    session : date
        The first session without it: a split's new price, a dividend's reduced one.
    kind : {"split", "dividend"}
        Which.
    value : float
        New shares per old share, or dollars per share of that session.

    Examples
    --------
    >>> CorporateAction(date(2024, 6, 10), "split", 10.0).value
    10.0
    """

    session: date
    kind: Literal["split", "dividend"]
    value: float


class SimulatedSource(DataSource):
    """A market of more than 5,000 symbols that is drawn from a seed.

    The same seed gives the same bars, whatever was asked before, in whatever order, wherever. The
    market, its sectors and styles, and each company's own noise move prices on real NYSE sessions
    from 1990-01-02 on; regimes, news, splits, dividends and listings are known exactly. Minutes
    add up to their day. Prices are adjusted as known at the request's end: later splits and
    dividends do not reach back before they happen.

    Parameters
    ----------
    seed : int
        0 or more; each gives another market.
    clock : Clock, optional
        Who says what time it is; bars of the future are not told. The machine's clock by default.

    Notes
    -----
    See the page "The simulated market" for the model and for its figures beside those of real
    markets. The parameters never change, so that no evaluation can be improved by changing them.

    Examples
    --------
    >>> from tradekit import BarsRequest, FixedClock
    >>> from datetime import UTC
    >>> source = SimulatedSource(clock=FixedClock(datetime(2024, 3, 8, 22, tzinfo=UTC)))
    >>> fetched = asyncio.run(source.fetch(BarsRequest(("SPY", "TAAA"), "5Min", limit=100)))
    >>> len(fetched["SPY"]), fetched["SPY"].source, fetched["SPY"].adjustment
    (100, 'simulated', 'all')
    """

    name = "simulated"
    batch = True
    capabilities = Capabilities(timeframes=TIMEFRAMES, feed="simulated")

    def __init__(self, seed: int = 0, *, clock: Clock | None = None) -> None:
        self.seed = checked_seed(seed)
        self.clock = clock or SystemClock()

    def __repr__(self) -> str:
        return f"SimulatedSource(seed={self.seed})"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that was ever listed by now: funds, familiar names, then the rest by age."""
        listed = market.universe(self.seed).starts.searchsorted(self._row(), side="right")
        return tuple(name for name, _ in market.names()[:listed])

    def regimes(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[Dates, Labels]:
        """Tell the true regime of the market on each session.

        Parameters
        ----------
        start, end : datetime, optional
            Aware; sessions that open at or after ``start`` and are over by ``end``. From
            1990-01-02 to the clock's now by default.

        Returns
        -------
        sessions : ndarray of datetime64[D], shape (n,)
            Dates.
        labels : ndarray of str, shape (n,)
            ``bull``, ``bear``, ``sideways`` or ``volatile``.

        Examples
        --------
        >>> from datetime import UTC
        >>> week = datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 9, tzinfo=UTC)
        >>> sessions, labels = SimulatedSource().regimes(*week)
        >>> str(sessions[0]), len(labels)
        ('2024-03-04', 5)
        """
        first = 0 if start is None else int(nyse().opens.searchsorted(to_ns(start)))
        first = max(first, int(weekday_rows().searchsorted(0)))
        last = int(nyse().closes.searchsorted(self._ns(end), side="right"))
        states = market.factors(self.seed).states[weekday_rows()[first:last]]
        return nyse().sessions[first:last], NAMES[states]

    def lifetime(self, symbol: str) -> tuple[date, date | None]:
        """Tell between which sessions a symbol trades.

        Parameters
        ----------
        symbol : str
            Any of the market's, also one that is yet to be listed.

        Returns
        -------
        first : date
            Its first session.
        last : date or None
            Its last session; None when it outlives the calendar.

        Raises
        ------
        NoDataError
            When nobody ever bears that name.

        Examples
        --------
        >>> SimulatedSource().lifetime("SPY")
        (datetime.date(1990, 1, 2), None)
        """
        first, last = life(self._company(symbol))
        ends = nyse().sessions[last - 1].item() if last < len(nyse().sessions) else None
        return nyse().sessions[first].item(), ends

    def actions(self, symbol: str, end: datetime | None = None) -> tuple[CorporateAction, ...]:
        """Tell the splits and dividends of a symbol.

        Parameters
        ----------
        symbol : str
            Whose.
        end : datetime, optional
            Aware; those in force by then, by default by the clock's now.

        Returns
        -------
        tuple of CorporateAction
            Oldest first.

        Raises
        ------
        NoDataError
            When the symbol is unknown or not yet listed.

        Examples
        --------
        >>> from datetime import UTC
        >>> actions = SimulatedSource().actions("SPY", datetime(1990, 12, 31, tzinfo=UTC))
        >>> [action.kind for action in actions]
        ['dividend', 'dividend', 'dividend', 'dividend']
        """
        past, known = self._past(symbol, self._ns(end))
        sessions = nyse().sessions[past.first : past.first + known].tolist()
        splits, dividends = past.splits[:known].tolist(), past.dividends[:known].tolist()
        found = []
        for session, ratio, cash in zip(sessions, splits, dividends, strict=True):
            if ratio != 1:
                found.append(CorporateAction(session, "split", ratio))
            if cash:
                found.append(CorporateAction(session, "dividend", cash))
        return tuple(found)

    def news(self, symbol: str, end: datetime | None = None) -> Dates:
        """Tell the sessions that opened on news about a company.

        Parameters
        ----------
        symbol : str
            Whose.
        end : datetime, optional
            Aware; what is known by then, by default by the clock's now.

        Returns
        -------
        ndarray of datetime64[D], shape (n,)
            Sessions, oldest first; none for funds.

        Raises
        ------
        NoDataError
            When the symbol is unknown or not yet listed.

        Examples
        --------
        >>> SimulatedSource().news("SPY")
        array([], dtype='datetime64[D]')
        """
        past, known = self._past(symbol, self._ns(end))
        return nyse().sessions[past.news[past.news < past.first + known]]

    async def _fetch(self, request: BarsRequest) -> dict[str, Bars | SourceError]:
        if request.timeframe.seconds % 60:
            raise NoDataError(
                "the simulated market has no such bars",
                expected="whole minutes, days or weeks",
                got=f"{request.timeframe} bars",
                hint="BarsRequest(symbols, '1Min')",
                source=self.name,
            )
        due = min(self._ns(request.end), self._ns(None))
        answers: dict[str, Bars | SourceError] = {}
        for symbol in request.symbols:
            try:
                answers[symbol] = self._bars(request, symbol, due)
            except NoDataError as error:
                answers[symbol] = error
            await asyncio.sleep(0)  # thousands of symbols must not hold up everybody else
        return answers

    def _bars(self, request: BarsRequest, symbol: str, due: int) -> Bars:
        """Bars of all sessions that the request touches; the door cuts what it did not ask for."""
        who = self._company(symbol)
        (born, gone), span = life(who), _span(request, due)
        first, last = max(born, span.start), min(gone, span.stop)
        if first >= last:
            raise self._absent(symbol, span)
        first = max(first, last - _enough(request, last))
        bars = self._print(request, who, slice(first, last), due)
        return bars if request.timeframe == bars.timeframe else resample(bars, request.timeframe)

    def _print(self, request: BarsRequest, who: market.Company, span: slice, due: int) -> Bars:
        """Minutes or days of some sessions, adjusted as known when they are due."""
        past, known = self._past(who.symbol, due)
        days = slice(span.start - past.first, span.stop - past.first)
        price, shares = (factor[days] for factor in past.adjustment(known, request.adjustment))
        if request.timeframe.is_intraday:
            time, table, sizes = minute_table(self.seed, who, span)
            price, shares = np.repeat(price, sizes), np.repeat(shares, sizes)
        else:
            time, table = nyse().midnights[span], past.table[:, days]
        open_, high, low, close = table[:4] * price
        return Bars(
            who.symbol,
            "1Min" if request.timeframe.is_intraday else "1Day",
            time,
            open_,
            high,
            low,
            close,
            table[4] * shares,
            source=self.name,
            feed="simulated",
            adjustment=request.adjustment,
        )

    async def _discover(self, category: str, limit: int) -> Sequence[Candidate]:
        if category not in CATEGORIES:
            raise NoDataError(
                "the simulated market keeps no such list",
                expected=", ".join(CATEGORIES),
                got=repr(category),
                hint="discover('listed'), and rank by their bars",
            )
        world, row = market.universe(self.seed), self._row()
        chosen = (world.starts <= row) & (row < world.stops)
        if category in market.SECTORS or category == "fund":
            chosen &= np.array([sector == category for _, sector in market.names()])
        score = world.starts.astype(float) if category == "newcomers" else world.size
        rows = np.flatnonzero(chosen)
        best = rows[np.argsort(-score[rows], kind="stable")][:limit].tolist()
        return [
            self._candidate(market.names()[i], category, rank, float(score[i]))
            for rank, i in enumerate(best, 1)
        ]

    def _candidate(
        self, named: tuple[str, str], category: str, rank: int, score: float
    ) -> Candidate:
        symbol, sector = named
        reason = f"{sector}, listed since {self.lifetime(symbol)[0]}"
        return Candidate(symbol, category, rank, score, reason, self.name, self.clock.now())

    def _company(self, symbol: str) -> market.Company:
        try:
            return market.company(self.seed, symbol)
        except KeyError:
            raise NoDataError(
                f"{symbol} is unknown to the simulated market",
                expected="one of its symbols",
                got=symbol,
                hint="source.symbols, or await source.discover('listed')",
                source=self.name,
                symbol=symbol,
                fault="unknown_symbol",
            ) from None

    def _past(self, symbol: str, due: int) -> tuple[History, int]:
        """A symbol's days, and how many of its sessions had opened by then."""
        who, opened = self._company(symbol), int(nyse().opens.searchsorted(due, side="right"))
        born, gone = life(who)
        if opened <= born:
            raise self._absent(symbol, slice(0, opened))
        return history(self.seed, who, opened - 1), min(opened, gone) - born

    def _absent(self, symbol: str, span: slice) -> NoDataError:
        """Say why a symbol has no bars in some sessions."""
        first, last = self.lifetime(symbol)
        born, _ = life(self._company(symbol))
        if span.start >= span.stop:
            why = "no session"
        elif born >= span.stop:
            why = f"sessions before its listing on {first}"
        else:
            why = f"sessions after its delisting: the last was {last}"
        return NoDataError(
            f"{symbol} did not trade in that window",
            expected=f"a session from {first} to {last or 'the end of the calendar'}",
            got=why,
            hint="source.lifetime(symbol) tells when it is listed",
            source=self.name,
            symbol=symbol,
        )

    def _ns(self, moment: datetime | None) -> int:
        return to_ns(self.clock.now() if moment is None else moment)

    def _row(self) -> int:
        """Weekday row of the clock's day."""
        return int(market.rows_of(np.array([self.clock.now().date()], dtype="M8[D]"))[0])


def _span(request: BarsRequest, due: int) -> slice:
    """Calendar rows of the sessions that a request touches."""
    calendar, start = nyse(), 0 if request.start is None else to_ns(request.start)
    if request.timeframe.is_intraday:
        first = calendar.closes.searchsorted(start, side="right")
        return slice(int(first), int(calendar.opens.searchsorted(due)))
    first = calendar.midnights.searchsorted(start) - 5 * (request.timeframe == "1Week")
    return slice(max(int(first), 0), int(calendar.closes.searchsorted(due, side="right")))


def _enough(request: BarsRequest, last: int) -> int:
    """Sessions up to a calendar row that hold as many bars as the request wants."""
    if request.limit is None:
        return last
    if not request.timeframe.is_intraday:
        return request.limit * (6 if request.timeframe == "1Week" else 1) + 5
    # The newest session may have only begun: it counts for nothing.
    bars = bars_per_session(request.timeframe, slice(max(last - 1 - request.limit, 0), last - 1))
    return int(np.cumsum(bars[::-1]).searchsorted(request.limit)) + 2
