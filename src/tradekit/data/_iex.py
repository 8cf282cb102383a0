"""Bars within the day from IEX, as Tiingo serves them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import Clock, to_ns
from .._core.errors import CredentialsError, NoDataError
from .._core.faults import COLUMNS, PRICES
from .._core.request import BarsRequest, Capabilities
from ._iex_client import Call, IEXClient
from ._remote import INTRADAY, TIMEOUT, Answer, Query, Remote, dashed, sides
from ._secret import Secret
from ._single_flight import SingleFlight
from ._tiingo_factors import FactorMemory, Factors, newest_session, unadjusted

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_KEY = "TIINGO_API_KEY"
_ROWS = 2000  # that one answer holds for sure
_REMEMBERED = 1000  # symbols
_SIDES = (("bid", "bidPrice", "bidSize"), ("ask", "askPrice", "askSize"))
# A used budget comes as a sentence with status 200: "Error: You have run over your hourly request
# allocation", "You have run over your 500 symbol look up for this month".
_USED_UP = re.compile(
    r"run over your|request allocation|rate limit|too many requests", re.IGNORECASE
)


class IEXSource(Remote):
    """Ask Tiingo for bars of the IEX exchange, which need a (free) token and no broker.

    Parameters
    ----------
    token : str, optional
        As the account's page shows it; else ``TIINGO_API_KEY`` in the environment.
    url_override : str, optional
        Another address than Tiingo's: a proxy, or a test's server.
    timeout : timedelta
        How long to wait for a connection, and for each piece of an answer.
    clock : Clock, optional
        Who says what time it is; the machine's clock by default.

    Raises
    ------
    CredentialsError
        When there is no token.
    UsageError
        When the timeout is no duration.

    Notes
    -----
    IEX Cloud, which many bots asked, closed in August 2024. What is served here are bars of the
    exchange itself through Tiingo's ``/iex``: a few percent of the volume of all exchanges, no bar
    for a minute without a trade, and none of days or weeks. Without a signed agreement with IEX,
    Tiingo gives prices that it derives from those of IEX, and tells no quotes.

    Alpaca's own ``feed="iex"`` shows the same exchange, but it is no second source: it has the
    keys, the host and the budget of `AlpacaSource`, and so it fails together with it.

    Tiingo gives prices of the day as they were traded. They are adjusted here by the splits and
    dividends of its end-of-day rows, by the formula of the other sources, as of the newest row: one
    more request for each symbol and day, none for ``raw`` or within the newest session. A row comes
    in the evening (17:30 in New York). Until then, a dividend of that day is not yet taken out of
    the days before it; and where the day opened so far from the close before that a split could be
    the reason, they cannot be adjusted, which is an error.

    A free plan allows 50 requests an hour and 1,000 a day, as third parties tell. The answer that
    a budget is used does not say when it is whole again.

    Examples
    --------
    >>> IEXSource("token").capabilities.feed
    'iex'
    """

    name = "iex"
    _since = date(2017, 1, 3)
    _natives = ("1Min", "2Min", "3Min", "5Min", "10Min", "15Min", "30Min")

    def __init__(
        self,
        token: str | None = None,
        *,
        url_override: str | None = None,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        token = Secret.of(token)  # nobody who looks at this frame sees it
        self._token = token or Secret(os.environ.get(_KEY, ""))
        if not self._token:
            raise CredentialsError(
                "iex needs a token of Tiingo",
                expected=_KEY,
                got="neither argument nor environment variable",
                hint="IEXSource(token), with that of a free account at https://www.tiingo.com",
                source=self.name,
            )
        super().__init__(self._token, timeout=timeout, clock=clock)
        self.capabilities = Capabilities(
            timeframes=INTRADAY,
            feed="iex",
            calls_per_hour=50,
            calls_per_day=1000,
            symbols_per_call=1,
        )
        self._client = IEXClient(
            url_override or "https://api.tiingo.com",
            self._token,
            self._timeout,
            self.meter,
            self._crew.sign_of_life,
        )
        self._memory = FactorMemory(_REMEMBERED)
        self._flights: SingleFlight[tuple[str, date], Factors] = SingleFlight()

    def _spare(self, request: BarsRequest, due: datetime) -> int:
        return 0  # whole days come: as a rule the first one has bars enough beside those asked for

    async def _ask(self, query: Query) -> dict[str, Answer]:
        return await self._each(query, lambda symbol: self._history(symbol, query))

    async def _quotes(self, symbols: tuple[str, ...]) -> Mapping[str, Mapping[str, float]]:
        return await self._online(lambda call: self._tops(call, symbols))

    async def _online(self, talk: Callable[[Call], T]) -> T:
        """Talk in a thread of the crew for as long as somebody waits."""
        with Call(self._client) as call:
            return await self._beside(lambda: talk(call))

    async def _history(self, symbol: str, query: Query) -> Answer:
        bars = await self._online(lambda call: self._traded(call, symbol, query))
        if bars is None or query.adjustment == "raw":
            return bars
        return await self._adjusted(bars, query)

    def _traded(self, call: Call, symbol: str, query: Query) -> Bars | None:
        """Ask for bars as they were traded."""
        rows = []
        for first, last in _pieces(query):
            params = {
                "startDate": first,
                "endDate": last,
                "resampleFreq": f"{query.timeframe.seconds // 60}min",
                "columns": ",".join(COLUMNS),  # else there is no volume
            }
            rows += self._rows(call, f"/iex/{dashed(symbol)}/prices", params, symbol)
        return self._bars(symbol, rows, query) if rows else None

    def _bars(self, symbol: str, rows: Sequence[Mapping[str, Any]], query: Query) -> Bars:
        times = np.array([_utc(row["date"]) for row in rows], dtype="M8[ns]")
        columns = [[row[name] for row in rows] for name in PRICES]
        columns.append([row.get("volume", np.nan) for row in rows])
        facts: dict[str, Any] = {"source": self.name, "feed": "iex", "adjustment": "raw"}
        bars = Bars(symbol, query.timeframe, times, *columns, **facts)
        if (bars.session < 0).all():
            # Bars of days, or of another market: what lies beside regular hours is left out later.
            raise self._bad(f"{rows[0]}", symbol, expected="bars within the exchange's hours")
        return bars

    async def _adjusted(self, bars: Bars, query: Query) -> Bars:
        now = to_ns(self.clock.now())
        first = calendar_for().dates(bars.time[:1])[0]
        if first >= newest_session(now):  # nothing has happened since
            return bars._replace(adjustment=query.adjustment)
        factors = await self._factors_of(bars.symbol, first.item(), now)
        return factors.applied(bars, query.adjustment, now)

    async def _factors_of(self, symbol: str, first: date, now: int) -> Factors:
        """Remember, or ask, once for all who want them now."""
        # From the year's beginning: longer windows of other lengths of bars are served with it.
        since = first.replace(month=1, day=1)
        if (known := self._memory.get(symbol, since, now)) is not None:
            return known

        async def look(_: object) -> dict[tuple[str, date], Factors]:
            factors = self._memory.get(symbol, since, now)  # another may have asked meanwhile
            if factors is None:
                last = str(newest_session(now))
                factors = await self._online(lambda call: self._days(call, symbol, since, last))
                self._memory.put(symbol, since, now, factors)
            return {asked: factors}

        asked = symbol, since
        return (await self._flights.share([asked], look))[asked]

    def _days(self, call: Call, symbol: str, first: date, last: str) -> Factors:
        path = f"/tiingo/daily/{dashed(symbol)}/prices"
        params = {"startDate": f"{first}", "endDate": last}
        try:
            return Factors.of(self._rows(call, path, params, symbol))
        except NoDataError as error:  # though it has bars of that symbol
            failure = unadjusted(symbol, "end-of-day rows", str(error.got))
        raise failure

    def _tops(self, call: Call, symbols: tuple[str, ...]) -> dict[str, dict[str, float]]:
        by_ticker = {dashed(symbol.upper()): symbol for symbol in symbols}
        rows = self._rows(call, "/iex/", {"tickers": ",".join(by_ticker)}, None)
        quotes = {by_ticker[dashed(row["ticker"].upper())]: sides(row, _SIDES) for row in rows}
        told = {symbol: quote for symbol, quote in quotes.items() if quote}
        if told:
            return told
        raise NoDataError(
            f"iex tells no bid and no ask of {', '.join(symbols)}",
            hint="ask while the exchange is open; to plans without its quotes Tiingo tells none",
            source=self.name,
        )

    def _rows(
        self, call: Call, path: str, params: Mapping[str, str], symbol: str | None
    ) -> list[dict[str, Any]]:
        import httpx

        try:
            return self._read(call.get(path, params), symbol)
        except httpx.TransportError as error:
            failure = self._unreachable(error)
        raise failure

    def _read(self, answer: httpx.Response, symbol: str | None) -> list[dict[str, Any]]:
        rows = None if answer.is_error else _listed(answer)
        if rows is not None:
            return rows
        said = self._plain(answer.text)
        if answer.is_error:
            raise self._refusal(answer.status_code, said, answer.headers, symbol)
        if _USED_UP.search(said):
            raise self._limited(said, answer.headers)
        raise self._bad(said, symbol, expected="a list of rows")


def _pieces(query: Query) -> Iterator[tuple[str, str]]:
    """Cut a window into first and last dates, whole sessions whose rows fit into one answer."""
    calendar = calendar_for()
    first, last = calendar.dates(np.array([to_ns(query.start), to_ns(query.end)]))
    dates = calendar.sessions[
        calendar.sessions.searchsorted(first) : calendar.sessions.searchsorted(last, "right")
    ]
    step = max(1, _ROWS * query.timeframe.seconds // (390 * 60))
    cuts = [*range(0, len(dates), step), len(dates)]
    for begin, end in pairwise(cuts):
        yield str(dates[begin]), str(dates[end - 1])


def _listed(answer: httpx.Response) -> list[dict[str, Any]] | None:
    """Read a list of objects, or tell that it is none."""
    try:
        rows = answer.json()
    except ValueError:
        return None
    is_list = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    return rows if is_list else None


def _utc(told: str) -> str:
    """Take a moment of UTC, as it ends in ``Z`` or ``+00:00``."""
    text = told.removesuffix("Z").removesuffix("+00:00")
    if text == told:
        raise ValueError(f"times in UTC end in Z, unlike {told!r}")
    return text
