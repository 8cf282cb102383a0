from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pandas as pd
import pytest

from tradekit._core.bar import Bar
from tradekit._core.candidate import Candidate
from tradekit._core.clock import FixedClock
from tradekit._core.errors import ContractError, RateLimitError, SourceError, UsageError
from tradekit._core.request import BarsRequest, Capabilities, Fetched
from tradekit._core.source import BarsProvider, DataSource

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)
REQUEST = BarsRequest("SPY", "1Day")
ROW = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}


class Flat(DataSource):
    """One flat day for every symbol."""

    clock = FixedClock(NOW)

    async def _fetch(self, request):
        await asyncio.sleep(0)
        return pd.DataFrame([ROW], index=pd.DatetimeIndex(["2024-03-08"]))


class Failing(Flat):
    def __init__(self, error):
        self._error = error

    async def _fetch(self, request):
        raise self._error

    async def _discover(self, category, limit):
        raise self._error

    async def _quotes(self, symbols):
        raise self._error

    async def _stream(self, symbols, timeframe):
        raise self._error
        yield


class Able(Flat):
    """Answers what it was made with, and notes what it was asked."""

    def __init__(self, answer=None):
        self._answer, self.asked, self.hung_up = answer, [], False

    async def _discover(self, category, limit):
        self.asked.append((category, limit))
        return self._answer

    async def _quotes(self, symbols):
        self.asked.append(symbols)
        return self._answer

    async def _stream(self, symbols, timeframe):
        self.asked.append((symbols, timeframe))
        try:
            for bar in self._answer:
                yield bar
        finally:
            self.hung_up = True


async def all_of(stream):
    return [item async for item in stream]


def ways_to_ask(source):
    """Each door of a source, as a function that knocks at it."""
    return {
        "fetch": lambda: asyncio.run(source.fetch(REQUEST))["SPY"],
        "discover": lambda: asyncio.run(source.discover("trending")),
        "quotes": lambda: asyncio.run(source.quotes("SPY")),
        "stream": lambda: asyncio.run(all_of(source.stream("SPY", "1Min"))),
    }


DOORS = sorted(ways_to_ask(Flat()))


def minute(number, symbol="SPY", timeframe="1Min"):
    at = datetime(2024, 3, 8, 15, tzinfo=UTC) + timedelta(minutes=number)
    return Bar(symbol, timeframe, at, 1.0, 1.0, 1.0, 1.0, 1.0, at + timedelta(minutes=1))


def candidate(symbol, rank=1):
    return Candidate(symbol, "trending", rank, 1.0, "up", "screen", NOW)


@pytest.mark.parametrize("door", DOORS)
def test_what_a_vendor_raises_is_a_retryable_source_error_with_its_cause(door):
    source = Failing(OSError("no route to host"))
    with pytest.raises(SourceError) as caught:
        ways_to_ask(source)[door]()
    assert str(caught.value) == "Failing could not answer: got OSError: no route to host"
    assert type(caught.value.__cause__) is OSError
    assert caught.value.retryable
    assert caught.value.source == "Failing"


@pytest.mark.parametrize("door", DOORS)
def test_a_source_error_stays_as_it_is(door):
    error = RateLimitError("slow down", retry_after=3.0)
    error.__cause__ = OSError("429")
    with pytest.raises(RateLimitError) as caught:
        ways_to_ask(Failing(error))[door]()
    assert caught.value is error
    assert str(caught.value.__cause__) == "429"


@pytest.mark.parametrize("door", DOORS)
def test_a_broken_contract_is_not_the_worlds_fault(door):
    with pytest.raises(ContractError, match="wrong"):
        ways_to_ask(Failing(ContractError("wrong")))[door]()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interruptions_pass_through(door, error):
    with pytest.raises(error):
        ways_to_ask(Failing(error()))[door]()


@pytest.mark.parametrize("door", ["fetch", "discover", "quotes"])
def test_a_cancelled_task_is_cancelled(door):
    class Slow(Flat):
        async def _fetch(self, request):
            await asyncio.Event().wait()

        async def _discover(self, category, limit):
            await asyncio.Event().wait()

        async def _quotes(self, symbols):
            await asyncio.Event().wait()

    async def main():
        source = Slow()
        calls = {
            "fetch": source.fetch(BarsRequest(("SPY", "QQQ"), "1Day")),
            "discover": source.discover("trending"),
            "quotes": source.quotes("SPY"),
        }
        task = asyncio.ensure_future(calls.pop(door))
        for other in calls.values():
            other.close()
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("door", "what"),
    [("discover", "discover symbols"), ("quotes", "quote prices"), ("stream", "stream bars")],
)
def test_what_a_source_cannot_do_it_says_once_and_for_all(door, what):
    with pytest.raises(SourceError, match=f"Flat cannot {what}") as caught:
        ways_to_ask(Flat())[door]()
    assert not caught.value.retryable
    assert caught.value.__cause__ is None


def test_a_failure_of_one_symbol_leaves_the_others_alone():
    class Choosy(Flat):
        async def _fetch(self, request):
            if request.symbols == ("QQQ",):
                raise OSError("gone")
            return await super()._fetch(request)

    got = asyncio.run(Choosy().fetch(BarsRequest(("SPY", "QQQ", "IWM"), "1Day")))
    assert list(got.bars) == ["SPY", "IWM"]
    assert list(got.failures) == ["QQQ"]


def test_a_failure_of_one_call_for_all_fails_them_all():
    source = Failing(OSError("gone"))
    source.batch = True
    got = asyncio.run(source.fetch(BarsRequest(("SPY", "QQQ"), "1Day")))
    assert got.bars == {}
    assert list(got.failures) == ["SPY", "QQQ"]


def test_symbols_are_asked_for_at_once():
    inside, most = 0, 0

    class Counting(Flat):
        async def _fetch(self, request):
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            return await super()._fetch(request)

    asyncio.run(Counting().fetch(BarsRequest(tuple("ABCDE"), "1Day")))
    assert most == 5


def test_a_call_for_many_asks_for_no_more_than_it_serves():
    class Narrow(Flat):
        batch, capabilities = True, Capabilities(symbols_per_call=10)
        asked: ClassVar = []

        async def _fetch(self, request):
            self.asked.append(len(request.symbols))
            return dict.fromkeys(request.symbols, await super()._fetch(request))

    names = tuple(f"S{number}" for number in range(35))
    got = asyncio.run(Narrow().fetch(BarsRequest(names, "1Day")))
    assert Narrow.asked == [10, 10, 10, 5]
    assert tuple(got.bars) == names


@pytest.mark.parametrize("request_", ["SPY", None, ("SPY", "1Day"), {"symbols": "SPY"}])
def test_a_source_is_asked_by_request(request_):
    with pytest.raises(UsageError, match="no request: expected a BarsRequest, got"):
        asyncio.run(Flat().fetch(request_))


@pytest.mark.parametrize("hook", ["_fetch", "_discover", "_quotes"])
def test_a_hook_that_forgets_its_async_is_told_so(hook):
    forgetful = type("Forgetful", (Flat,), {hook: lambda self, *args: ()})
    door = ways_to_ask(forgetful())[hook[1:]]
    message = f"Forgetful: {hook} cannot be awaited: expected async def {hook}, got a tuple"
    with pytest.raises(ContractError, match=message):
        door()


def test_one_source_serves_several_loops_and_threads():
    source = Flat()

    def ask(_):
        return asyncio.run(source.fetch(REQUEST))["SPY"].close.tolist()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(20))) == [[1.0]] * 20
    assert asyncio.run(source.fetch(REQUEST))["SPY"].source == "Flat"


def test_a_source_without_its_hook_cannot_be_made():
    class Idle(DataSource):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Idle()


@pytest.mark.parametrize("door", DOORS)
def test_no_door_can_be_replaced(door):
    with pytest.raises(ContractError, match=f"Own overrides DataSource.{door}: .* write _{door} "):
        type("Own", (Flat,), {door: lambda self: None})


def test_the_guides_names_of_sources_are_plain_words():
    assert (DataSource.ALPACA, DataSource.IEX, DataSource.YAHOO) == ("alpaca", "iex", "yahoo")


def test_discovered_symbols_come_best_first_and_no_more_than_asked_for():
    source = Able([candidate("A"), candidate("B", 2), candidate("C", 3)])
    found = asyncio.run(source.discover("trending", 2))
    assert [each.symbol for each in found] == ["A", "B"]
    assert source.asked == [("trending", 2)]


@pytest.mark.parametrize("limit", [0, -1, True, 1.5])
def test_discovery_is_asked_for_some_symbols(limit):
    with pytest.raises(UsageError, match="a limit counts symbols"):
        asyncio.run(Able([]).discover("trending", limit))


@pytest.mark.parametrize("category", [None, 5, "", ["trending"]])
def test_what_is_looked_for_is_a_word(category):
    source = Able([])
    with pytest.raises(UsageError, match="a category is a word"):
        asyncio.run(source.discover(category))
    assert source.asked == []


@pytest.mark.parametrize("answer", [None, ["SPY"], "SPY", 3])
def test_only_candidates_are_discovered(answer):
    with pytest.raises(ContractError, match="Able: _discover answered otherwise: expected a list"):
        asyncio.run(Able(answer).discover("trending"))


def test_quotes_are_given_by_symbol():
    source = Able({"SPY": {"bid": 1.0, "ask": 1.1}})
    assert asyncio.run(source.quotes("SPY")) == {"SPY": {"bid": 1.0, "ask": 1.1}}
    assert source.asked == [("SPY",)]


@pytest.mark.parametrize("answer", [None, 1.0, [("SPY", 1.0)]])
def test_quotes_that_name_no_symbol_are_refused(answer):
    with pytest.raises(ContractError, match="Able: _quotes answered otherwise"):
        asyncio.run(Able(answer).quotes("SPY"))


def test_a_stream_gives_each_bar_once_and_in_order_symbol_by_symbol():
    said = [
        minute(0),
        minute(1),
        minute(1),
        minute(0, "QQQ"),
        minute(0),
        minute(2),
        minute(1, "QQQ"),
    ]
    source = Able(said)
    got = asyncio.run(all_of(source.stream(["SPY", "QQQ"], "1m")))
    assert got == [said[0], said[1], said[3], said[5], said[6]]
    assert source.asked == [(("SPY", "QQQ"), "1Min")]


def test_a_stream_gives_no_bar_that_is_not_over_and_each_names_its_source():
    source = Able([minute(0), minute(9), minute(1)])
    source.clock = FixedClock(minute(1).close_time)
    got = asyncio.run(all_of(source.stream("SPY", "1Min")))
    assert got == [minute(0), minute(1)]
    assert {bar.source for bar in got} == {"Able"}


@pytest.mark.parametrize("stray", [minute(1, "QQQ"), minute(1, timeframe="5Min"), "bar", None])
def test_a_stream_of_something_else_is_refused(stray):
    with pytest.raises(
        ContractError, match="Able: _stream gave something else: expected 1Min bars"
    ):
        asyncio.run(all_of(Able([minute(0), stray]).stream("SPY", "1Min")))


@pytest.mark.parametrize(("symbols", "timeframe"), [((), "1Min"), ("SPY", "nonsense")])
def test_a_stream_of_nothing_is_the_callers_to_mend(symbols, timeframe):
    with pytest.raises(UsageError):
        asyncio.run(all_of(Able([]).stream(symbols, timeframe)))
    with pytest.raises(UsageError):
        asyncio.run(Able({}).quotes(()))


def test_a_stream_that_nobody_follows_any_more_is_hung_up():
    source = Able([minute(0), minute(1)])

    async def first():
        stream = source.stream("SPY", "1Min")
        async for _ in stream:
            break
        await stream.aclose()
        return source.hung_up

    assert asyncio.run(first())


def test_a_stream_may_be_any_asynchronous_iterator():
    class Ticker:
        def __init__(self):
            self.left = [minute(0), minute(1)]

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    class Wired(Flat):
        def _stream(self, symbols, timeframe):
            return Ticker()

    assert asyncio.run(all_of(Wired().stream("SPY", "1Min"))) == [minute(0), minute(1)]


def test_whoever_can_answer_the_rooms_is_a_provider():
    class Double:
        async def get_market_data(self, symbol, timeframe, limit):
            return None

        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            return Fetched()

    assert isinstance(Double(), BarsProvider)
    assert not isinstance(Flat(), BarsProvider)


def test_a_source_answers_plain_scripts_too():
    assert Flat().blocking.fetch(REQUEST)["SPY"].close.tolist() == [1.0]
    assert list(Able([minute(0)]).blocking.stream("SPY", "1Min")) == [minute(0)]
