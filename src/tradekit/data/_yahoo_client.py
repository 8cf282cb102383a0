"""yfinance as a way in: cookie, crumb and consent, within a time, and nothing that outlives it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from math import ceil
from time import monotonic
from types import FunctionType
from typing import Any
from urllib.parse import quote

from .._core.errors import SourceError
from ._budget import Meter

_CHART = "https://query2.finance.yahoo.com/v8/finance/chart/"
_EVENTS = "div,splits,capitalGains"
_CRUMB = re.compile(r"[^\s<{]+")  # else it is a page, or says "Too Many Requests"
_PRIVATE = ("_session", "_cookie", "_load_cookie_curlCffi", "_save_cookie_curlCffi")
_OLD_COOKIE = (401, 403)
_BUSY = "Too Many Requests"


class RefusedError(Exception):
    """What Yahoo answers instead of data."""

    def __init__(self, status: int, said: str, headers: Mapping[str, str]) -> None:
        super().__init__(int(status))
        self.status, self.said, self.headers = int(status), said, headers


class YahooClient:
    """What asks Yahoo: a cookie, a crumb and a session of its own, apart from yfinance's others.

    yfinance has one client for the whole process, whose session is the last that anybody gave it,
    and which keeps cookies in a file and answers, bad ones too, in memory. This is another one,
    which shares nothing with it and keeps no answers and no files.

    Parameters
    ----------
    session : curl_cffi or requests Session, optional
        What to ask through; it is left as it is.
    timeout, patience : float
        Seconds for one request, and for all that a question takes.
    meter : Meter
        Counts requests.
    alive : callable
        Is told of everything that has come.
    """

    def __init__(
        self,
        session: Any,
        timeout: float,
        patience: float,
        meter: Meter,
        alive: Callable[[], None],
    ) -> None:
        self._session, self._timeout, self._patience = session, timeout, patience
        self._meter, self._alive = meter, alive
        self._making = threading.Lock()
        self._made: tuple[Any, _Line] | None = None

    def chart(self, ticker: str, interval: str, start: datetime, end: datetime) -> dict[str, Any]:
        """Ask for the bars of one ticker.

        Parameters
        ----------
        ticker : str
            As Yahoo writes it.
        interval : str
            Length of the bars, as Yahoo writes it.
        start, end : datetime
            Aware.

        Returns
        -------
        dict
            ``meta``, ``timestamp`` and ``indicators``, as they came.

        Raises
        ------
        RefusedError
            When the answer is a refusal.
        ValueError, LookupError, TypeError, AttributeError
            When it is no answer.
        """
        params = {
            "period1": int(start.timestamp()),
            "period2": ceil(end.timestamp()),
            "interval": interval,
            "includePrePost": "false",
            "events": _EVENTS,
        }
        data = self._data()
        answer = data.get(f"{_CHART}{quote(ticker, safe='=')}", params=params)
        told = json.loads(answer.text)["chart"]
        if told.get("error"):
            raise _refusal(answer)
        return dict(told["result"][0])

    def screen(self, name: str, count: int) -> list[dict[str, Any]]:
        """Ask for a predefined screen.

        Parameters
        ----------
        name : str
            As Yahoo calls it.
        count : int
            At most so many rows.

        Returns
        -------
        list of dict
            Quotes, best first, as they came.

        Raises
        ------
        RefusedError
            When the answer is a refusal.
        ValueError, LookupError, TypeError, AttributeError
            When it is no answer.
        """
        import yfinance

        data = self._data()
        # yf.screen asks by the client of the whole process; this one sees ours in its place.
        ask, ours = yfinance.screen, {"YfData": lambda **_: data}
        screen = FunctionType(
            ask.__code__, ask.__globals__ | ours, ask.__name__, ask.__defaults__, ask.__closure__
        )
        return list(screen(name, count=count)["quotes"])

    def _data(self) -> Any:
        """Give the client, which has from now on as long as a question may take."""
        with self._making:  # threads that ask at once share one cookie
            data, line = self._made = self._made or self._make()
        self._alive()  # the first import takes its time
        line.begin(self._patience)
        return data

    def _make(self) -> tuple[Any, _Line]:
        from yfinance.data import YfData

        data = type.__call__(YfData, session=self._session)  # past the one of the whole process
        if not all(hasattr(data, name) for name in _PRIVATE):
            raise _changed()
        line = data._session = _Line(data._session, self._timeout, self._meter, self._alive)

        def remember() -> None:
            data._cookie = True if line.cookies else None

        # What yfinance would write to a file of the whole machine stays in the session.
        data._save_cookie_curlCffi = remember
        data._load_cookie_curlCffi = lambda: False
        return data, line


class _Line:
    """A session that keeps the time, and raises what needs no second question.

    yfinance would wait half a minute for each of up to fourteen requests. It asks again, with
    another cookie, after any refusal; only an old cookie is worth that, and only once.
    """

    def __init__(
        self, session: Any, timeout: float, meter: Meter, alive: Callable[[], None]
    ) -> None:
        self.session, self._timeout = session, timeout
        self._meter, self._alive = meter, alive
        self._call = threading.local()  # a thread asks one question at a time

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    @property
    def proxies(self) -> Any:
        return self.session.proxies

    @proxies.setter
    def proxies(self, proxies: Any) -> None:  # yfinance sets what its configuration names
        self.session.proxies = proxies

    def begin(self, patience: float) -> None:
        self._call.ends = monotonic() + patience
        self._call.limit, self._call.again = None, False

    def get(self, url: str, **options: Any) -> Any:
        return self._request("GET", url, options)

    def post(self, url: str, **options: Any) -> Any:
        return self._request("POST", url, options)

    def _request(self, method: str, url: str, options: dict[str, Any]) -> Any:
        left = self._call.ends - monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        asks = "/finance/" in url
        # Cookie, crumb and consent may fail: they do not use up the time for what is asked.
        longest = self._timeout if asks else self._timeout / 4
        self._meter.count()
        answer = self.session.request(method, url, **options | {"timeout": min(longest, left)})
        self._alive()
        if asks:
            self._check(answer)
        elif url.endswith("/getcrumb"):
            self._check_crumb(answer)
        return answer

    def _check_crumb(self, answer: Any) -> None:
        """Keep what is no crumb from being taken for one; bars may be had without."""
        if _is_busy(answer):
            self._call.limit = _refusal(answer)
        if answer.status_code >= 400 or not _CRUMB.fullmatch(answer.text):
            raise ConnectionError("no crumb")

    def _check(self, answer: Any) -> None:
        old = answer.status_code in _OLD_COOKIE
        if old and self._call.limit:  # for want of a crumb
            raise self._call.limit
        if old and not self._call.again:
            self._call.again = True
        elif answer.status_code >= 400 or _is_busy(answer):
            raise _refusal(answer)


def _is_busy(answer: Any) -> bool:
    """Tell whether we asked too often, which comes with status 200 as well."""
    return answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or _BUSY in answer.text[:80]


def _refusal(answer: Any) -> RefusedError:
    status, said = answer.status_code, answer.text
    if _is_busy(answer):
        return RefusedError(HTTPStatus.TOO_MANY_REQUESTS, said, answer.headers)
    try:
        (told,) = json.loads(said).values()  # {"chart": {"result": null, "error": {...}}}
        code, said = told["error"]["code"], told["error"]["description"]
    except (AttributeError, LookupError, TypeError, ValueError):
        return RefusedError(status, said, answer.headers)
    if status < 400:
        phrases = {known.phrase: known for known in HTTPStatus}
        status = phrases.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
    return RefusedError(status, str(said), answer.headers)


def _changed() -> SourceError:
    return SourceError(
        "yfinance has changed within: sources could mix their cookies",
        retryable=False,
        expected=f"a YfData with {', '.join(_PRIVATE)}",
        hint="pip install 'yfinance==1.7.0'",
        source="yahoo",
    )
