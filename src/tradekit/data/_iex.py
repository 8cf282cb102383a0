"""Bars within the day from IEX, as Tiingo serves them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.calendar import calendar_for
from .._core.clock import Clock, to_ns
from .._core.errors import CredentialsError, SourceError
from .._core.request import Capabilities
from .._core.timeframe import Timeframe
from ._remote import INTRADAY, TIMEOUT, Answer, Query, Remote, dashed

if TYPE_CHECKING:
    import httpx
    import pandas as pd

_KEY = "TIINGO_API_KEY"
_COLUMNS = ("open", "high", "low", "close", "volume")
_ROWS = 2000  # that one answer holds for sure


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
    IEX has a few percent of the volume of all exchanges, and no bar for a minute without a trade.
    Prices are as they were traded (``raw``), whatever is asked for, and the bars say so. There are
    no bars of days or weeks. Without a signed agreement with IEX, Tiingo gives prices that it
    derives from those of IEX.

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
        self._token = token or os.environ.get(_KEY, "")
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
            timeframes=INTRADAY, feed="iex", adjustments=("raw",), calls_per_minute=50
        )
        self._url = url_override or "https://api.tiingo.com"

    async def _ask(self, query: Query) -> dict[str, Answer]:
        # In a loop beside the caller's, whose end would wait for a name that does not resolve.
        return await self._beside(lambda: asyncio.run(self._answers(query)))

    async def _answers(self, query: Query) -> dict[str, Answer]:
        import httpx

        headers = {"Authorization": f"Token {self._token}"}
        # A client for each call: one that is kept belongs to the event loop that it was made in.
        async with httpx.AsyncClient(
            base_url=self._url, headers=headers, timeout=self._timeout
        ) as client:
            return await self._each(query.symbols, lambda s: self._history(client, s, query))

    async def _history(self, client: httpx.AsyncClient, symbol: str, query: Query) -> Answer:
        rows = []
        for first, last in _pieces(query):
            rows += await self._rows(client, symbol, query.timeframe, first, last)
        return _frame(rows) if rows else None

    async def _rows(
        self, client: httpx.AsyncClient, symbol: str, timeframe: Timeframe, first: str, last: str
    ) -> list[dict[str, Any]]:
        import httpx

        params = {
            "startDate": first,
            "endDate": last,
            "resampleFreq": f"{timeframe.seconds // 60}min",
            "columns": ",".join(_COLUMNS),  # else there is no volume
        }
        try:
            async with asyncio.timeout(self._patience):
                answer = await client.get(f"/iex/{dashed(symbol)}/prices", params=params)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        self._crew.sign_of_life()
        return self._read(answer, symbol)

    def _read(self, answer: httpx.Response, symbol: str) -> list[dict[str, Any]]:
        if answer.is_error:
            raise self._refusal(answer.status_code, answer.text, answer.headers, symbol)
        said = answer.text.strip()
        if said[:1] not in ("[", "{", "<", "") and said != "null":
            # A used budget comes as a sentence with status 200.
            raise self._limited(said, answer.headers)
        rows = answer.json()
        if not isinstance(rows, list):
            raise SourceError(
                "iex sent no bars", expected="a list", got=self._plain(said), source=self.name
            )
        return rows


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


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows).reindex(columns=["date", *_COLUMNS])
    frame.attrs.update(feed="iex", adjustment="raw")
    return frame
