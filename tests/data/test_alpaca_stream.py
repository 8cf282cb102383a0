"""Alpaca's own client listens to a stream that fails, on this machine."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from datetime import timedelta

import numpy as np
import pytest

from tradekit import CredentialsError, ReplayClock, SourceError
from tradekit._core.clock import from_ns, to_ns
from tradekit.data import MemorySource, _alpaca, _alpaca_stream, _stream
from tradekit.data._alpaca_client import vendor
from tradekit.data._alpaca_stream import Line
from tradekit.testing import FakeProviders

from .desk import MINUTE, OPEN, labels, minutes, since_monday

pytest.importorskip("alpaca")
UP, DOWN = "the stream is up", "the stream is down"
LEFT_OUT = ("missing_fields", "swapped_high_low", "price_x100", "wrong_symbol")
TRUTH = {"SPY": minutes("SPY", 0), "QQQ": minutes("QQQ", 1), "IBM": minutes("IBM", 2)}


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(_stream, "_POLL", 0.002)
    monkeypatch.setattr(_alpaca_stream, "_POLL", 0.002)
    monkeypatch.setattr(Line, "pause", 0.01)
    monkeypatch.setattr(Line, "longest", 0.05)
    monkeypatch.setattr(Line, "patience", 0.5)
    # What is known of keys lasts as long as the process.
    monkeypatch.setattr(_alpaca, "_PLANS", {})
    monkeypatch.setattr(_alpaca_stream, "_ROOM", {})


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog


class Stage:
    """A fake Alpaca, its clock, and who listens."""

    def __init__(self, fake, clock, truth, log):
        self.fake, self.clock, self.truth, self.log = fake, clock, truth, log
        self.bars = []

    async def listen(self, bars):
        async for bar in bars:
            self.bars.append(bar)

    def heard(self, symbol="SPY"):
        """The numbers of the minutes that have come."""
        found = [to_ns(bar.time) for bar in self.bars if bar.symbol == symbol]
        return labels().searchsorted(found).tolist()

    def asked(self, provider):
        """How often the provider was asked so far."""
        return sum(request.provider == provider for request in self.fake.requests)

    def connections(self):
        """The paths of the stream that were called so far."""
        asked = (r.path for r in self.fake.requests if r.provider == "stream")
        return [path for path in asked if path.startswith("/v2/")]

    def said(self, text):
        """How often the log says something."""
        own = [r.getMessage() for r in self.log.records if r.name == "tradekit.data"]
        return sum(text in message for message in own)

    def pass_on(self, minutes=0, seconds=0):
        self.clock.move_to(OPEN + timedelta(minutes=minutes, seconds=seconds))

    def true(self):
        """What should have come, of each symbol."""
        now = self.clock.now()
        return {symbol: list(bars.until(now)) for symbol, bars in self.truth.items()}

    def given(self):
        return {s: [bar for bar in self.bars if bar.symbol == s] for s in self.truth}


async def for_a_while():
    """Three times as long as a line is patient with the mute."""
    await asyncio.sleep(0.3)


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
def stage(log):
    """Runs a scene: ``stage(scene, timeframe=..., **of the providers)``."""

    def run(scene, truth=TRUTH, timeframe="1Min", feed="sip", begin=OPEN, seconds=3.0, **options):
        clock = ReplayClock(begin)
        source = MemorySource([since_monday(bars) for bars in truth.values()], clock=clock)

        async def play(fake):
            alpaca = fake.alpaca(feed=feed, timeout=timedelta(seconds=seconds))
            here = Stage(fake, clock, truth, log)
            task = asyncio.ensure_future(here.listen(alpaca.stream(list(truth), timeframe)))
            here.task = task
            try:
                await scene(here)
            finally:
                task.cancel()
                await asyncio.wait([task])
            await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
            return here

        with FakeProviders(source, **options) as fake:
            return asyncio.run(play(fake))

    return run


def test_minutes_come_by_the_stream_before_anybody_would_ask(stage):
    async def scene(here):
        await until(lambda: here.said(UP))
        asked = here.asked("alpaca")
        for number in (1, 2, 3):
            here.pass_on(number)
            await until(lambda: here.given() == here.true())
        assert here.asked("alpaca") == asked

    stage(scene)


def test_longer_bars_are_made_of_its_minutes(stage):
    async def scene(here):
        await until(lambda: here.said(UP))
        here.pass_on(10)
        await until(lambda: len(here.bars) == 6)
        (first, second), spy = here.given()["SPY"], TRUTH["SPY"]
        assert (first.open, first.close) == (spy.open[0], spy.close[4])
        assert (second.high, second.low) == (spy.high[5:10].max(), spy.low[5:10].min())
        assert second.volume == spy.volume[5:10].sum()

    stage(scene, timeframe="5Min")


def test_a_dropped_socket_is_noticed_and_what_was_missed_is_asked_for(stage):
    async def scene(here):
        await until(lambda: here.said(UP))
        here.fake.break_next("stream", "drop")
        here.pass_on(3)
        await until(lambda: here.said(UP) == 2)
        here.pass_on(3, 5)
        await until(lambda: here.given() == here.true())
        asked = here.asked("alpaca")
        here.pass_on(4)
        await until(lambda: here.given() == here.true())
        assert here.asked("alpaca") == asked

    assert stage(scene).said(f"{DOWN}, bars are polled meanwhile") == 1


def test_a_mute_socket_is_noticed(stage, monkeypatch):
    monkeypatch.setattr(Line, "mute", 0.2)

    async def scene(here):
        await until(lambda: here.said(UP))
        here.fake.break_next("stream", "hang")
        here.pass_on(1, 5)
        await until(lambda: here.given() == here.true())  # polled
        await until(lambda: here.said(UP) == 2)
        asked = here.asked("alpaca")
        here.pass_on(2)
        await until(lambda: here.heard() == [0, 1])
        assert here.asked("alpaca") == asked

    assert stage(scene).said("mute for 0.2 s") == 1


@pytest.mark.parametrize("room", [1, 2])
def test_a_full_subscription_is_used_up_and_the_rest_is_polled(stage, room):
    async def scene(here):
        await until(lambda: here.said(UP))
        here.pass_on(1)
        await until(lambda: len(here.bars) == room)
        assert {bar.symbol for bar in here.bars} == set(list(TRUTH)[:room])
        here.pass_on(1, 5)
        await until(lambda: here.given() == here.true())
        here.fake.break_next("stream", "drop")
        here.pass_on(2)
        await until(lambda: here.said(UP) == 2)  # the room is known by now
        here.pass_on(2, 5)
        await until(lambda: here.given() == here.true())

    here = stage(scene, stream_symbols=room)
    assert here.said(f"up for {room} symbols and has no room for {3 - room} more, which are") == 2


def test_how_many_fit_is_found_in_a_few_steps_and_remembered(stage, monkeypatch):
    asked = []
    truth = {f"S{n}": minutes(f"S{n}", n)[:2] for n in range(100)}

    async def scene(here):
        await until(lambda: here.said(UP))

    vendor()
    from alpaca.data.live import StockDataStream

    send = StockDataStream._send_subscribe_msg

    async def counted(self):
        asked.append(len(self._handlers["bars"]))
        await send(self)

    monkeypatch.setattr(StockDataStream, "_send_subscribe_msg", counted)
    stage(scene, truth, stream_symbols=30)
    # Not 100, not 50, but 25; not 37, not 31, but 28; and two more, one by one.
    assert asked == [100, 50, 25, 37, 31, 28, 29, 30]
    assert list(_alpaca_stream._ROOM.values()) == [30]


def test_one_connection_that_somebody_else_has_leaves_polling(stage):
    async def scene(here):
        await until(lambda: here.said("connection limit exceeded"))
        here.pass_on(1, 5)
        await until(lambda: here.given() == here.true())
        await until(lambda: here.asked("stream") > 2)  # it asks again

    assert stage(scene, faults={"stream": {"429": 1.0}}).said(DOWN) == 1


def test_keys_that_the_stream_alone_refuses_leave_polling(stage):
    async def scene(here):
        await until(lambda: here.said("auth failed"))
        here.pass_on(1, 5)
        await until(lambda: here.given() == here.true())

    assert stage(scene, faults={"stream": {"401": 1.0}}).said(DOWN) == 1


def test_keys_that_are_refused_end_the_stream(stage):
    async def scene(here):
        with pytest.raises(CredentialsError, match="alpaca refuses access"):
            await here.task

    here = stage(scene, faults={"alpaca": {"401": 1.0}})
    assert here.asked("stream") == 0


@pytest.mark.parametrize("who", ["stream", "alpaca"])
def test_a_plan_without_sip_is_served_from_iex_and_told_so_once(stage, who):
    async def scene(here):
        await until(lambda: here.said(UP))
        here.pass_on(3, 5)
        await until(lambda: len(here.bars) > 6)

    here = stage(scene, faults={who: {"403_sip": 1.0}})
    assert here.said("do not see the newest SIP data") == 1
    assert here.connections() == {"stream": ["/v2/sip", "/v2/iex"], "alpaca": ["/v2/iex"]}[who]
    assert max(bar.volume for bar in here.bars) < 0.05 * TRUTH["SPY"].volume.max()


def test_the_line_rests_while_the_market_is_closed(stage, monkeypatch):
    monkeypatch.setattr(Line, "mute", 0.1)

    async def scene(here):
        await until(lambda: here.asked("alpaca"))
        here.pass_on(-2)
        await for_a_while()
        assert here.connections() == []
        here.pass_on(-1)
        await until(lambda: here.said(UP))
        here.pass_on(390, 5)  # Tuesday's close
        await until(lambda: len(here.heard()) == 390)
        await until(lambda: here.said(DOWN))
        here.pass_on(23 * 60)
        await for_a_while()
        asked = here.connections()
        await for_a_while()
        assert here.connections() == asked
        here.pass_on(24 * 60)
        await until(lambda: here.connections() > asked)
        here.pass_on(24 * 60 + 300)  # half of Wednesday
        await until(lambda: len(here.heard()) == 390 + 210)
        here.pass_on(3 * 24 * 60 + 1, 5)  # no Thursday
        await until(lambda: len(here.heard()) == 390 + 210 + 1)

    stage(scene, begin=OPEN - timedelta(hours=1))


def test_a_bar_that_cannot_be_is_left_out_and_asked_for(stage):
    async def scene(here):
        await until(lambda: here.said(UP))
        for number, fault in enumerate(LEFT_OUT, 1):
            here.fake.break_next("stream", fault)
            here.pass_on(number, 1)  # the line tells of three symbols, and nobody asks yet
            left_out = 3 * min(number, 3)  # another symbol's only shows when it is asked for
            await until(lambda: here.said("is left out") == left_out)  # noqa: B023
            here.pass_on(number, 5)
            await until(lambda: here.given() == here.true())

    assert {bar.source for bar in stage(scene).bars} == {"alpaca"}


def test_a_client_that_has_changed_within_is_refused(stage, monkeypatch):
    vendor()
    from alpaca.data.live.websocket import DataStream

    async def scene(here):
        with pytest.raises(SourceError, match="alpaca-py has changed within"):
            await here.task

    monkeypatch.delattr(DataStream, "_consume")
    stage(scene)


@pytest.mark.parametrize("fault", ["401", "429", "500", "drop", "hang"])
def test_the_keys_are_told_nowhere(stage, fault):
    async def scene(here):
        here.task.add_done_callback(lambda _: None)
        await until(lambda: here.said(DOWN))

    here = stage(scene, faults={"stream": {fault: 1.0}})
    told = [traceback.format_exc(), here.log.text, *(repr(vars(r)) for r in here.log.records)]
    assert not [text for text in told if "fake-key" in text or "fake-secret" in text]


def test_it_works_in_loop_after_loop_and_in_threads_and_leaves_nothing(stage):
    async def scene(here):
        await until(here.connections)
        here.pass_on(1, 5)
        await until(lambda: here.given() == here.true())

    before = set(threading.enumerate())
    for _ in range(10):
        stage(scene)
    threads = [threading.Thread(target=stage, args=(scene,)) for _ in "123"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = [t for t in set(threading.enumerate()) - before if t.name.startswith("tradekit")]
    for thread in left:
        thread.join(2)
    assert not [thread for thread in left if thread.is_alive()]


ON_THE_LINE = ("no_rows", "duplicate_rows", *LEFT_OUT)
AT_THE_DESK = (
    *("429", "500", "503", "504", "404", "drop", "truncated_json", "html", "empty", "braces"),
    *("null_bars", "no_rows", "missing_fields", "swapped_high_low", "stale_day", "missing_tail"),
    *("duplicate_rows", "out_of_order", "wrong_symbol"),
)


async def complete(here, closes, seconds):
    """Tell whether all bars that are closed have come, or will so soon."""
    due = int(closes.searchsorted(to_ns(here.clock.now()), side="right"))
    try:
        await until(lambda: len(here.bars) >= due, seconds)
    except TimeoutError:
        return False
    return True


async def a_thousand_minutes(here):
    """Let the clock go on a few minutes at a time, and on at the end until nothing is missing."""
    rng, number = np.random.default_rng(7), 0
    closes = np.sort(np.concatenate([bars.close_time for bars in here.truth.values()]))
    await until(lambda: here.said(UP) or here.said(DOWN))
    while number < 1_000:
        number = min(1_000, number + int(rng.integers(1, 15)))
        here.clock.move_to(from_ns(int(labels()[number - 1])) + MINUTE)
        await complete(here, closes, 0.02)
        here.clock.move_to(here.clock.now() + timedelta(seconds=int(rng.integers(5, 60))))
        await complete(here, closes, 0.02)
    for _ in range(20):
        if not await complete(here, closes, 0.5):
            here.clock.move_to(here.clock.now() + timedelta(seconds=30))


@pytest.mark.slow
def test_a_thousand_minutes_with_faults_come_once_and_in_order(stage, monkeypatch):
    monkeypatch.setattr(Line, "mute", 0.15)
    rare, new = minutes("RARE", 3, share=0.3), minutes("NEW", 4, since=450)
    truth = {"SPY": TRUTH["SPY"], "QQQ": TRUTH["QQQ"], "RARE": rare, "NEW": new}
    line = dict.fromkeys(ON_THE_LINE, 0.02) | {"drop": 0.02, "hang": 0.02, "401": 0.1, "429": 0.1}
    desk = dict.fromkeys(AT_THE_DESK, 0.01) | {"hang": 0.01}
    here = stage(a_thousand_minutes, truth, seconds=0.2, faults={"stream": line, "alpaca": desk})
    end = from_ns(int(labels()[999])) + MINUTE
    for symbol, bars in here.given().items():
        assert [bar for bar in bars if bar.close_time <= end] == list(truth[symbol].until(end))
    struck = {request.fault for request in here.fake.requests}
    assert struck >= {"drop", "hang", "no_rows", "missing_fields"}
    assert len(here.connections()) > 10
