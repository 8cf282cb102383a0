"""What is asked of the data manager: which symbols there are, and their daily bars."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from .._core.bars import Bars
from .._core.clock import from_ns, to_ns
from .._core.errors import ContractError, SourceError, UsageError
from .._core.request import Fetched
from ._panel import complete

# Where a market keeps a list of all its symbols, the largest first.
LISTED, MOST_LISTED = "listed", 200
_AT_ONCE = 16  # calls, where the provider has no way to ask for many

# What a day's trading in the US is made of: index, sector and bond funds, then large companies.
_FUNDS = "SPY QQQ IWM DIA XLK XLF XLE XLV XLI XLY XLP XLU SMH GLD SLV TLT HYG EEM EFA"
_TECHNOLOGY = "AAPL MSFT NVDA AMZN GOOGL META TSLA AVGO AMD NFLX ORCL CRM ADBE INTC QCOM CSCO UBER"
_OTHERS = "JPM BAC GS V MA XOM CVX UNH JNJ LLY PFE MRK WMT COST HD MCD KO PEP PG DIS NKE BA CAT GE"
CORE = (*_FUNDS.split(), *_TECHNOLOGY.split(), *_OTHERS.split())


@attrs.frozen(eq=False)
class Answer:
    """What came back at a refresh.

    Parameters
    ----------
    asked : tuple of str
        Symbols.
    bars : dict of str to Bars
        Complete daily bars of those that answered.
    failures : dict of str to SourceError
        Why the others did not.
    feeds : dict of str to dict
        What each proposal of symbols came to.
    """

    asked: tuple[str, ...] = ()
    bars: dict[str, Bars] = attrs.field(factory=dict)
    failures: dict[str, SourceError] = attrs.field(factory=dict)
    feeds: dict[str, dict[str, Any]] = attrs.field(factory=dict)

    @property
    def asof(self) -> datetime | None:
        """When the newest bar closed; None without bars."""
        closes = [int(bars.close_time[-1]) for bars in self.bars.values()]
        return from_ns(max(closes)) if closes else None

    @property
    def retryable(self) -> bool:
        """Whether asking again may help."""
        return any(error.retryable for error in self.failures.values())

    @property
    def problem(self) -> str:
        """The failure that is said most often; empty without any."""
        said = Counter(map(str, self.failures.values()))
        if not said:
            return ""
        often = max(said.values())
        words = min(text for text, times in said.items() if times == often)
        return f"{len(self.failures)} of {len(self.asked)} symbols failed, {often} so: {words}"

    def statistics(self) -> dict[str, Any]:
        """Say it in plain JSON values.

        Returns
        -------
        dict
            ``universe``: ``asked``, ``answered``, ``failed`` and ``problem``; and ``feeds``.
        """
        universe = {
            "asked": len(self.asked),
            "answered": len(self.bars),
            "failed": len(self.failures),
            "problem": self.problem,
        }
        return {"universe": universe, "feeds": self.feeds}


async def propose(
    provider: Any, wanted: Mapping[str, int], timeout: timedelta
) -> tuple[tuple[str, ...], dict[str, dict[str, Any]]]:
    """Ask which symbols the provider proposes; one that cannot say is no failure of ours.

    Parameters
    ----------
    provider : BarsProvider
        With ``discover`` or without.
    wanted : mapping of str to int
        At most so many symbols, by category.
    timeout : timedelta
        For all of it.

    Returns
    -------
    symbols : tuple of str
        Each once.
    feeds : dict of str to dict
        By category: ``status``, ``proposed`` and, where it failed, ``reason``.
    """
    if not callable(getattr(provider, "discover", None)):
        return (), {}
    found: dict[str, None] = {}
    feeds: dict[str, dict[str, Any]] = {}
    asked = (_proposal(provider, category, limit, timeout) for category, limit in wanted.items())
    for category, answer in zip(wanted, await asyncio.gather(*asked), strict=True):
        if isinstance(answer, SourceError):
            feeds[category] = {"status": "failed", "proposed": 0, "reason": answer.problem}
        else:
            feeds[category] = {"status": "ok", "proposed": len(answer)}
            found |= dict.fromkeys(answer)
    return tuple(found), feeds


async def _proposal(
    provider: Any, category: str, limit: int, timeout: timedelta
) -> list[str] | SourceError:
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            return [candidate.symbol for candidate in await provider.discover(category, limit)]
    except Exception as error:
        return _failure(error, timeout)


async def daily_bars(
    provider: Any, symbols: tuple[str, ...], lookback: int, now: datetime, timeout: timedelta
) -> tuple[dict[str, Bars], dict[str, SourceError]]:
    """Ask for the newest complete daily bars of many symbols.

    Parameters
    ----------
    provider : BarsProvider
        With ``fetch_many``, or with ``get_market_data`` alone.
    symbols : tuple of str
        Whose.
    lookback : int
        At most so many bars of each.
    now : datetime
        Aware; bars that were not complete by then are left out.
    timeout : timedelta
        For all of it.

    Returns
    -------
    bars : dict of str to Bars
        Never empty ones.
    failures : dict of str to SourceError
        Every other symbol.
    """
    if not symbols:
        return {}, {}
    many = callable(getattr(provider, "fetch_many", None))
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            if many:
                answer = await provider.fetch_many(symbols, "1Day", lookback, end=now)
            else:
                answer = await _one_by_one(provider, symbols, lookback)
        if not isinstance(answer, Fetched):
            raise SourceError("fetch_many answered otherwise", expected="Fetched", got=repr(answer))
    except (UsageError, ContractError):
        raise  # the call or the class is wrong, not the world
    except Exception as error:
        return {}, dict.fromkeys(symbols, _failure(error, timeout))
    return _sorted_out(answer, symbols, to_ns(now))


def _sorted_out(
    answer: Fetched, symbols: tuple[str, ...], moment: int
) -> tuple[dict[str, Bars], dict[str, SourceError]]:
    bars, failures = {}, {}
    for symbol in symbols:
        if symbol in answer.bars and len(known := complete(answer.bars[symbol], moment)):
            bars[symbol] = known
        else:
            silence = SourceError("no complete daily bar came back", symbol=symbol)
            failures[symbol] = answer.failures.get(symbol, silence)
    return bars, failures


async def _one_by_one(provider: Any, symbols: tuple[str, ...], lookback: int) -> Fetched:
    fetched, turns = Fetched(), asyncio.Semaphore(_AT_ONCE)

    async def one(symbol: str) -> None:
        async with turns:
            try:
                frame = await provider.get_market_data(symbol, "1Day", lookback)
                if frame is not None:
                    fetched.bars[symbol] = Bars.from_frame(frame, symbol, "1Day")
            except Exception as error:
                fetched.failures[symbol] = _failure(error)

    await asyncio.gather(*map(one, symbols))
    return fetched


def _failure(error: Exception, timeout: timedelta | None = None) -> SourceError:
    if isinstance(error, SourceError):
        return error
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError) and timeout is not None:
        words = f"nothing within {timeout.total_seconds():g} s"
    return SourceError(f"the provider could not answer, {words}")
