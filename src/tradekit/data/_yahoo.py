"""Bars from Yahoo Finance, which need no key."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import warnings
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from .._core.clock import Clock
from .._core.errors import NoDataError, SourceError
from .._core.request import Capabilities
from .._core.timeframe import Timeframe
from ._remote import DAILY, INTRADAY, TIMEOUT, Answer, Query, Remote, dashed

if TYPE_CHECKING:
    import pandas as pd

_INTERVALS = {
    "1Min": "1m",
    "2Min": "2m",
    "5Min": "5m",
    "15Min": "15m",
    "1Hour": "1h",
    "1Day": "1d",
}
# What Yahoo still has, less a day for the zones: a request from further back is refused whole.
_DEPTH = {"1Min": 7, "1Hour": 729}
_INTRADAY_DEPTH = 59
_PRICES = ["Open", "High", "Low", "Close"]


class YahooSource(Remote):
    """Ask Yahoo Finance, through yfinance; no key is needed.

    Parameters
    ----------
    timeout : timedelta
        How long to wait for each answer; everything that yfinance asks for one symbol may take
        half as long again.
    clock : Clock, optional
        Who says what time it is; the machine's clock by default.
    session : curl_cffi or requests Session, optional
        What to ask through: a proxy, another fingerprint, a test's server. Its ``request`` is
        wrapped, to bound its waiting.

    Raises
    ------
    SourceError
        When yfinance is not installed.
    UsageError
        When the timeout is no duration.

    Notes
    -----
    Yahoo keeps minutes for a week, other bars of less than an hour for two months, and hours for
    two years. It has no prices as traded. Within the day it adjusts for splits alone: where ``all``
    is asked for, the dividends of the days in the answer are taken out here, ``1 - dividend /
    close before`` off every earlier price. Rows without a price are left out and counted in
    ``dropped``.

    yfinance is set, for the whole process, to raise what it otherwise only logs, and to keep its
    time zones and cookies in a folder of tradekit's, or in a temporary one where that cannot be
    written. What it remembers of answers is cleared after each call: it remembers bad ones too.

    Examples
    --------
    >>> YahooSource().capabilities.adjustments
    ('split', 'all')
    """

    name = "yahoo"
    _vendor = "yfinance"
    _since = date(1970, 1, 5)
    _natives = tuple(_INTERVALS)

    def __init__(
        self,
        *,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
        session: Any = None,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        self.capabilities = Capabilities(
            timeframes=(*INTRADAY, *DAILY), feed="yahoo", adjustments=("split", "all")
        )
        self._given = session

    def _first_day(self, timeframe: Timeframe) -> date:
        if not timeframe.is_intraday:
            return self._since
        days = _DEPTH.get(timeframe, _INTRADAY_DEPTH)
        return (self.clock.now() - timedelta(days=days)).date()

    async def _ask(self, query: Query) -> dict[str, Answer]:
        def history(symbol: str) -> Awaitable[Answer]:
            return self._beside(lambda: self._history(symbol, query))

        return await self._each(query.symbols, history)

    def _history(self, symbol: str, query: Query) -> Answer:
        yfinance = _prepared()
        session = self._session
        self._crew.sign_of_life()  # the first import takes its time
        _CALL.timeout, _CALL.ends, _CALL.chart = self._timeout, monotonic() + self._patience, None
        adjusted = query.adjustment == "all"
        try:
            frame = yfinance.Ticker(dashed(symbol), session=session).history(
                interval=_INTERVALS[query.timeframe],
                start=query.start,
                end=query.end,
                auto_adjust=adjusted,
                actions=True,
            )
        except Exception as error:
            raise self._meant(error, symbol) from error
        finally:
            yfinance.data.YfData.cache_get.cache_clear()
        if adjusted and query.timeframe.is_intraday:
            frame = _without_dividends(frame)
        return _frame(frame, "all" if adjusted else "split")

    def _meant(self, error: Exception, symbol: str) -> SourceError:
        """Tell what happened; yfinance calls most things a delisting."""
        from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

        if isinstance(error, _Refused):
            return self._refusal(error.status, str(error), error.headers, symbol)
        if isinstance(error, YFRateLimitError):
            return self._limited(str(error), {})
        chart = _CALL.chart
        if chart is not None and chart.status_code in (401, 403):
            return self._refusal(chart.status_code, chart.text, {}, symbol)
        if isinstance(error, YFTickerMissingError) and _is_empty(chart):
            said = self._plain(str(error))
            return NoDataError(f"yahoo has no bars of {symbol}", got=said, source=self.name)
        return self._failure(error, symbol)

    @cached_property
    def _session(self) -> Any:
        from curl_cffi import requests

        session: Any = self._given or requests.Session(impersonate="chrome")
        if not hasattr(session.request, "bounded"):
            session.request = _bounded(session.request)
        return session


class _Refused(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, status: int, said: str, headers: Mapping[str, str]) -> None:
        super().__init__(said)
        self.status, self.headers = status, headers


# yfinance has one session for the whole process, the last that it was given: what is known of the
# call in hand belongs to its thread.
_CALL = threading.local()


def _bounded(send: Callable[..., Any]) -> Callable[..., Any]:
    """Bound what a session waits, in all that is asked for one symbol; yfinance waits 30 s."""

    def request(method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        ends = getattr(_CALL, "ends", None)
        if ends is None:  # another's call, who uses yfinance beside us
            return send(method, url, *args, **kwargs)
        left = ends - monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        answer = send(method, url, *args, **{**kwargs, "timeout": min(_CALL.timeout, left)})
        if "/chart/" in url:
            _CALL.chart = answer
            _check(answer)
        return answer

    vars(request)["bounded"] = True
    return request


def _check(answer: Any) -> None:
    """Raise what needs no second question: yfinance would ask up to fourteen times."""
    status = answer.status_code
    if status >= 400 and status not in (401, 403):  # an old cookie: yfinance gets another one
        chart = _chart(answer)
        told = chart["error"]["description"] if chart.get("error") else answer.text
        raise _Refused(status, told, answer.headers)


def _is_empty(answer: Any) -> bool:
    """Tell an answer without bars from one that is no answer."""
    chart = _chart(answer)
    return bool(chart.get("error") or (chart.get("result") or [{}])[0].get("meta"))


def _chart(answer: Any) -> dict[str, Any]:
    try:
        chart: dict[str, Any] = json.loads(answer.text)["chart"]
        return dict(chart)
    except (AttributeError, LookupError, TypeError, ValueError):
        return {}


@cache
def _yfinance() -> Any:
    import platformdirs
    import yfinance

    folder = platformdirs.user_cache_path("tradekit") / "yahoo"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    yfinance.set_tz_cache_location(str(folder if writable else Path(tempfile.mkdtemp())))
    return yfinance


def _prepared() -> Any:
    # It calls pandas in ways that pandas will retire; a user cannot mend that.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")
    warnings.filterwarnings("ignore", category=FutureWarning, module="yfinance")
    yfinance = _yfinance()
    yfinance.config.debug.hide_exceptions = False
    return yfinance


def _without_dividends(frame: pd.DataFrame) -> pd.DataFrame:
    """Take dividends out of the prices before them, which Yahoo does for days alone."""
    paid = frame.get("Dividends", 0.0) / frame["Close"].ffill().shift()
    left = (1.0 - paid).fillna(1.0)[::-1].cumprod()[::-1]
    later = left.shift(-1, fill_value=1.0)
    return frame.assign(**{name: frame[name] * later for name in _PRICES})


def _frame(frame: pd.DataFrame, adjustment: str) -> Answer:
    told = frame[[*_PRICES, "Volume"]].dropna(subset=_PRICES)
    told.attrs.update(adjustment=adjustment, feed="yahoo", dropped=len(frame) - len(told))
    return told if len(told) else None
