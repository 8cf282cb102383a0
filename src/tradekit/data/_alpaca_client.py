"""The clients of alpaca-py, which wait no longer than they are told to, and ask once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from functools import cached_property
from time import monotonic
from typing import Any

from .._core.errors import SourceError
from ._budget import Meter

_MOST_PAGES = 1_000  # ten million rows
_PIECE = 65_536


class RefusedError(Exception):
    """What Alpaca answers instead of data."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.status_code)
        self.status, self.said = response.status_code, response.text
        self.headers = response.headers


class Clients:
    """Clients for stocks, coins and screens, each made when it is needed.

    As they come they wait for ever, ask three times more after a 429, and follow pages that lead
    in a circle: all of that is taken from them here.

    Parameters
    ----------
    key, secret : str
        Of the account.
    url_override : str, optional
        Another address than Alpaca's.
    timeout : float
        Seconds for a connection and for each page.
    meter : Meter
        Counts requests, and hears what is left of the budget.
    alive : callable
        Is told before each page is asked for and when it has come; raises where nobody wants it.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        url_override: str | None,
        timeout: float,
        meter: Meter,
        alive: Callable[[], None],
    ) -> None:
        self._facts = {"api_key": key, "secret_key": secret, "url_override": url_override}
        self._timeout, self._meter, self._alive = timeout, meter, alive
        self._turn = threading.local()

    @cached_property
    def stocks(self) -> Any:
        """Bars and quotes of stocks."""
        return self._bounded(vendor().StockHistoricalDataClient)

    @cached_property
    def coins(self) -> Any:
        """Bars and quotes of coins."""
        return self._bounded(vendor().CryptoHistoricalDataClient)

    @cached_property
    def screener(self) -> Any:
        """Who is traded most, and who moves most."""
        return self._bounded(vendor().ScreenerClient)

    def ask(self, question: Callable[[], Any]) -> Any:
        """Ask one question, of however many pages.

        Parameters
        ----------
        question : callable
            Calls one of the clients.

        Returns
        -------
        object
            What that gives.

        Raises
        ------
        RefusedError
            When the answer is a refusal. It is not chained: the client's own may tell the keys.
        """
        from alpaca.common.exceptions import APIError

        self._turn.pages = set()
        try:
            return question()
        except APIError as error:
            response = error.response
        raise RefusedError(response)

    def _bounded(self, make: Callable[..., Any]) -> Any:
        client = make(raw_data=True, **self._facts)
        if not hasattr(client, "_session") or not hasattr(client, "_retry"):
            raise changed("a client with _session and _retry")
        send = client._session.request

        def request(*args: Any, **kwargs: Any) -> Any:
            self._turn_page((kwargs.get("params") or {}).get("page_token"))
            self._alive()
            self._meter.count()
            ends = monotonic() + self._timeout
            response = send(*args, timeout=self._timeout, stream=True, **kwargs)
            _read(response, ends)
            self._meter.heard(response.headers)
            self._alive()
            return response

        client._session.request = request
        client._retry = 0  # who asks decides whether and when to ask again
        self._alive()  # importing takes its time too
        return client

    def _turn_page(self, token: str | None) -> None:
        """Refuse to go in circles, or on for ever."""
        seen = self._turn.pages
        if token in seen:
            raise ValueError("the same page came twice, and would for ever")
        if len(seen) > _MOST_PAGES:
            raise ValueError(f"more than {_MOST_PAGES} pages")
        if token is not None:
            seen.add(token)


def _read(response: Any, ends: float) -> None:
    """Read a page to its end, or give it up: the client's own timeout begins anew at each byte."""
    if not hasattr(response.raw, "read1"):
        raise changed("urllib3 2.2 or later under requests")
    parts = []
    while part := response.raw.read1(_PIECE, decode_content=True):
        parts.append(part)
        if monotonic() > ends:
            response.close()
            raise TimeoutError("the page drips")
    response._content = b"".join(parts)


def vendor() -> Any:
    """Import alpaca-py's market data."""
    # Its streams come along, and say this; a user cannot mend that.
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    import alpaca.data

    return alpaca.data


def changed(expected: str) -> SourceError:
    """Say that alpaca-py is not what it was, so that nobody can answer for it.

    Parameters
    ----------
    expected : str
        What is missing.

    Returns
    -------
    SourceError
        With the version that is known.
    """
    return SourceError(
        "alpaca-py has changed within: its calls could hang for ever",
        retryable=False,
        expected=expected,
        hint="pip install 'alpaca-py==0.44.0'",
        source="alpaca",
    )
