from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    Bars,
    BarsProvider,
    Capabilities,
    CredentialsError,
    DataSource,
    FixedClock,
    NoDataError,
    RateLimitError,
    ReplayClock,
    SourceError,
    SystemClock,
    UsageError,
    calendar_for,
)
from tradekit.data import MemorySource, MultiSourceDataManager, SimulatedSource

NYSE = calendar_for("XNYS")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOW = at("2024-03-08T15:06")
CLOCK = FixedClock(NOW)


def bars(symbol="SPY", count=100, newest="2024-03-08T15:00", price=1.0, **known):
    """So many 5-minute bars of regular hours; 14:30 to 21:00 UTC in winter."""
    days = np.arange(np.datetime64("2024-02-20"), np.datetime64("2024-03-09"))
    days = days[np.is_busday(days)]
    grid = np.arange(np.timedelta64(870, "m"), np.timedelta64(1260, "m"), np.timedelta64(5, "m"))
    times = (days[:, None].astype("M8[ns]") + grid).ravel()
    times = times[times <= np.datetime64(newest)][-count:]
    one = np.full(len(times), price)
    return Bars(symbol, "5Min", times, one, one, one, one, one, **known)


class Scripted(DataSource):
    """Answers what it is told to, in turn, the last thing for ever; counts its calls."""

    def __init__(self, name, *script, clock=CLOCK, batch=False, **facts):
        self.name, self.clock, self.batch = name, clock, batch
        self.capabilities = Capabilities(**facts)
        self.script, self.asked = list(script), []

    async def _fetch(self, request):
        self.asked.append(request)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return await answer(request) if callable(answer) else answer


async def hang(request):
    await asyncio.Event().wait()


def get(manager, symbol="SPY", timeframe="5Min", limit=100):
    return manager.blocking.get_market_data(symbol, timeframe, limit)


def test_it_is_what_the_rooms_ask_for_bars():
    assert isinstance(MultiSourceDataManager(sources=["memory"]), BarsProvider)


def test_the_first_sound_answer_comes_as_a_frame_that_says_where_it_is_from():
    manager = MultiSourceDataManager(sources=[Scripted("a", bars(feed="sip"))])
    frame = get(manager)
    assert frame.equals(bars().to_frame())
    assert {k: frame.attrs[k] for k in ("symbol", "timeframe", "source", "feed")} == {
        "symbol": "SPY",
        "timeframe": "5Min",
        "source": "a",
        "feed": "sip",
    }
    assert manager.last_failure is None


WRONG = {
    "an error": OSError("no route to host"),
    "an empty answer": None,
    "no such symbol": NoDataError("no such symbol"),
    "another symbol": bars("QQQ"),
    "another timeframe": bars()._replace(timeframe="1Min"),
    "an old answer": bars(newest="2024-03-07T15:00"),
    "a short answer": bars(count=60),
    "another adjustment": bars(adjustment="raw"),
    "refused keys": CredentialsError("wrong key"),
    "a rate limit": RateLimitError("slow down", retry_after=30),
    "no answer at all": "oops",
    "silence": hang,
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_sends_the_question_to_the_next_source(what):
    first, second = Scripted("a", WRONG[what]), Scripted("b", bars())
    manager = MultiSourceDataManager(sources=[first, second], timeout=timedelta(seconds=0.2))
    frame = get(manager)
    assert frame.attrs["source"] == "b"
    assert len(frame) == 100
    assert len(first.asked) == 1


@pytest.mark.parametrize("what", [what for what in WRONG if what != "a short answer"])
def test_when_no_answer_is_sound_there_is_none_and_the_reason_is_kept(what, caplog):
    manager = MultiSourceDataManager(
        sources=[Scripted("a", WRONG[what])], timeout=timedelta(seconds=0.05)
    )
    with caplog.at_level(logging.WARNING, logger="tradekit.data"):
        assert get(manager) is None
    assert list(manager.last_failure.causes) == ["a"]
    assert str(manager.last_failure) in caplog.messages
    with pytest.raises(NoDataError, match=r"no source has bars of SPY \(5Min\): got a: "):
        manager.blocking.fetch("SPY", "5Min", 100)


@pytest.mark.parametrize(
    ("what", "score"), [("an error", 0), ("an old answer", 0), ("no such symbol", 100)]
)
def test_an_unknown_symbol_is_no_fault_and_other_failures_are(what, score):
    manager = MultiSourceDataManager(sources=[Scripted("a", WRONG[what])])
    assert manager.get_health_score() == 100
    get(manager)
    assert manager.get_health_score() == score


def test_the_first_source_is_tried_first_again_after_a_failover():
    events = []
    first, second = Scripted("a", OSError("gone"), bars()), Scripted("b", bars())
    manager = MultiSourceDataManager(sources=[first, second], on_change=events.append)
    manager.cache_duration = timedelta(microseconds=0)
    assert [get(manager).attrs["source"] for _ in range(3)] == ["b", "a", "a"]
    assert [(event.source, event.status) for event in events] == [
        ("b", "answering"),
        ("a", "answering"),
    ]
    assert events[
        0
    ].reason == "instead of a: a could not answer: got OSError: no route to host" or (
        "gone" in events[0].reason
    )


def test_after_five_errors_a_source_is_left_alone_and_comes_back():
    clock, events = ReplayClock(NOW), []
    first = Scripted("a", *[OSError("gone")] * 5, bars(), clock=clock)
    manager = MultiSourceDataManager(
        sources=[first, Scripted("b", bars(), clock=clock)], on_change=events.append
    )
    manager.cache_duration = timedelta(0)
    for _ in range(9):
        get(manager)
    assert len(first.asked) == 5
    clock.move_to(NOW + timedelta(minutes=1))
    assert get(manager).attrs["source"] == "a"
    assert [(event.source, event.status, event.time) for event in events] == [
        ("b", "answering", NOW),
        ("a", "disabled", NOW),
        ("a", "restored", clock.at),
        ("a", "answering", clock.at),
    ]


def test_the_number_of_errors_can_be_changed_at_any_time():
    first = Scripted("a", OSError("gone"))
    manager = MultiSourceDataManager(sources=[first, Scripted("b", bars())])
    assert manager.max_errors_before_disable == 5
    manager.max_errors_before_disable, manager.cache_duration = 2, timedelta(0)
    for _ in range(9):
        get(manager)
    assert len(first.asked) == 2
    manager.reset_data_source("a")
    get(manager)
    assert len(first.asked) == 3


def test_all_down_is_told_within_the_deadline():
    manager = MultiSourceDataManager(
        sources=[Scripted(name, hang) for name in "abc"], timeout=timedelta(seconds=0.15)
    )

    async def main():
        begun = asyncio.get_running_loop().time()
        with pytest.raises(NoDataError) as caught:
            await manager.fetch("SPY", "5Min", 100)
        return asyncio.get_running_loop().time() - begun, caught.value

    seconds, error = asyncio.run(main())
    assert seconds < 1
    assert list(error.causes) == ["a", "b", "c"]
    assert error.retryable


def test_a_call_that_is_cancelled_is_cancelled():
    manager = MultiSourceDataManager(sources=[Scripted("a", hang), Scripted("b", bars())])

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(manager.fetch("SPY", "5Min", 100), 0.02)

    asyncio.run(main())
    assert manager.get_health_score() == 100


# Closes of 5-minute bars in UTC: Friday's last ones, Monday's first (an hour earlier, by summer
# time); the last ones of a half day and the first after the holiday.
CLOSES = ["2024-03-08T20:55", "2024-03-08T21:00", "2024-03-11T13:35", "2024-03-11T13:40"]
CLOSES += ["2024-07-03T16:50", "2024-07-03T16:55", "2024-07-03T17:00"]
CLOSES += ["2024-07-05T13:35", "2024-07-05T13:40", "2024-07-05T13:45"]


def test_each_bar_costs_one_call_from_its_close_to_the_next_over_ten_closes():
    clock = ReplayClock(at("2024-03-08T20:50"))
    source = SimulatedSource(clock=clock)
    calls = []

    class Counting(DataSource):
        name, capabilities = "counting", source.capabilities

        async def _fetch(self, request):
            calls.append(clock.at)
            return await source._fetch(request)

    counting = Counting()
    counting.clock = clock
    manager = MultiSourceDataManager(sources=[counting], cache_duration=timedelta(days=9))
    for close in map(at, CLOSES):
        clock.move_to(close - timedelta(seconds=1))
        before = manager.blocking.fetch("SPY", "5Min", 20)
        assert before[-1].close_time < close
        clock.move_to(close)
        for _ in range(3):
            assert manager.blocking.fetch("SPY", "5Min", 20)[-1].close_time == close
    # One at each close; the first look, and the one at the end of the four months' pause, are
    # before a close, and find nothing that is still the newest.
    first_looks = [at("2024-03-08T20:54:59"), at("2024-07-03T16:49:59")]
    assert calls == sorted([*first_looks, *map(at, CLOSES)])


def test_an_answer_is_kept_for_five_minutes_at_most():
    clock = ReplayClock(at("2024-03-08T21:30"))
    source = Scripted("a", bars(newest="2024-03-08T20:55"), clock=clock)
    manager = MultiSourceDataManager(sources=[source])
    assert manager.cache_duration == timedelta(minutes=5)
    for seconds, calls in [(0, 1), (299, 1), (300, 2)]:
        clock.move_to(at("2024-03-08T21:30") + timedelta(seconds=seconds))
        get(manager)
        assert len(source.asked) == calls


def test_many_bars_serve_a_question_for_fewer():
    source = Scripted("a", bars())
    manager = MultiSourceDataManager(sources=[source])
    hundred = get(manager)
    assert get(manager, limit=30).equals(hundred.iloc[-30:])
    assert manager.blocking.fetch("SPY", "5m", 30).time[0] == bars().time[-30]
    assert manager.blocking.fetch_many(["SPY"], "5Min", 30)["SPY"].symbol == "SPY"
    assert len(source.asked) == 1


def test_bars_are_shared_and_frames_are_not():
    manager = MultiSourceDataManager(sources=[Scripted("a", bars())])
    first, again = (manager.blocking.fetch("SPY", "5Min", 100) for _ in range(2))
    assert first is again
    frame = get(manager)
    frame["close"] = 0.0
    assert get(manager)["close"].iloc[-1] == 1.0


def test_failures_are_not_kept():
    refused = SourceError("not today", retryable=False)
    source = Scripted("a", refused, None, bars())
    manager = MultiSourceDataManager(sources=[source])
    assert [get(manager) is None for _ in range(3)] == [True, True, False]


def test_many_symbols_are_one_call_and_the_rest_goes_on_to_the_next_source():
    first = MemorySource([bars("SPY"), bars("QQQ")], clock=CLOCK)
    second = Scripted("b", {"IWM": bars("IWM")}, batch=True)
    manager = MultiSourceDataManager(sources=[first, second])
    fetched = manager.blocking.fetch_many(["QQQ", "IWM", "SPY", "NONE"], "5Min", 100)
    assert [(s, b.source) for s, b in fetched.bars.items()] == [
        ("QQQ", "memory"),
        ("IWM", "b"),
        ("SPY", "memory"),
    ]
    assert [request.symbols for request in second.asked] == [("IWM", "NONE")]
    assert list(fetched.failures["NONE"].causes) == ["memory", "b"]


def test_history_is_asked_for_by_its_end_and_does_not_replace_the_newest():
    source = Scripted("a", bars())
    manager = MultiSourceDataManager(sources=[source])
    end = at("2024-03-08T14:40")
    assert len(manager.blocking.fetch("SPY", "5Min", 5)) == 5
    past = manager.blocking.fetch_many(["SPY"], "5Min", 5, end)["SPY"]
    assert (len(past), past[-1].close_time) == (5, end)
    assert manager.blocking.fetch("SPY", "5Min", 5)[-1].close_time == at("2024-03-08T15:05")
    assert len(source.asked) == 2


def test_an_end_that_is_now_is_the_newest():
    source = Scripted("a", bars())
    manager = MultiSourceDataManager(sources=[source])
    for end in (NOW, None, NOW + timedelta(days=1)):
        manager.blocking.fetch_many(["SPY"], "5Min", 100, end)
    assert len(source.asked) == 1


def test_it_takes_the_clock_of_the_first_source_that_is_handed_in():
    assert MultiSourceDataManager(sources=["memory", Scripted("a", None)]).clock is CLOCK
    assert MultiSourceDataManager(sources=["memory"]).clock == SystemClock()


def test_every_source_is_asked_for_the_same_adjustment():
    first, second = Scripted("a", bars(), adjustments=("raw",)), Scripted("b", bars())
    manager = MultiSourceDataManager(sources=[first, second], adjustment="split")
    assert get(manager).attrs["source"] == "b"
    assert (first.asked, second.asked[0].adjustment) == ([], "split")
    assert manager.get_health_score() == 100


def test_the_guides_reset_runs_whether_yahoo_is_there_or_not():
    MultiSourceDataManager().reset_data_source(DataSource.YAHOO)
    MultiSourceDataManager(sources=["memory"]).reset_data_source(DataSource.YAHOO)
    with pytest.raises(UsageError, match="no such source: expected 'memory', got 'nobody'"):
        MultiSourceDataManager(sources=["memory"]).reset_data_source("nobody")


def test_keys_are_shown_nowhere(caplog):
    with caplog.at_level(logging.DEBUG):
        manager = MultiSourceDataManager("PUBLIC-9", "SECRET-9")
        told = [repr(manager), str(manager.health()), str(vars(manager)), caplog.text]
    assert repr(manager) == "MultiSourceDataManager(alpaca, iex, yahoo)"
    assert not [text for text in told if "-9" in text]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sources": ["nobody"]}, "no such source"),
        ({"sources": []}, "no such source"),
        ({"sources": 3}, "no such source"),
        ({"sources": SimulatedSource}, "no such source"),
        ({"timeout": 8}, "timeout is a duration"),
        ({"cache_duration": timedelta(-1)}, "cache_duration is a duration"),
        ({"max_errors_before_disable": 0}, "errors are counted"),
    ],
)
def test_what_cannot_be_is_refused_at_birth(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        MultiSourceDataManager(**arguments)


@pytest.mark.parametrize(
    "question",
    [
        ("SPY", "5Min", 0),
        ("SPY", "1M", 5),
        (["SPY"], "5Min", 5),
        ("SPY", "5Min", None),
        ("", "1h", 1),
    ],
)
def test_a_wrong_question_is_the_callers_mistake(question):
    manager = MultiSourceDataManager(sources=[Scripted("a", bars())])
    with pytest.raises(UsageError):
        manager.blocking.get_market_data(*question)


def test_it_works_over_several_loops_and_threads():
    manager = MultiSourceDataManager(sources=["simulated"], clock=CLOCK)
    for _ in range(2):
        assert len(asyncio.run(manager.fetch("SPY", "5Min", 10))) == 10
    lengths = []

    def look(symbol):
        lengths.append(len(asyncio.run(manager.fetch(symbol, "5Min", 10))))

    threads = [threading.Thread(target=look, args=(s,)) for s in ("SPY", "QQQ", "IWM", "SPY")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [10] * 4
    assert manager.get_health_score() == 100
