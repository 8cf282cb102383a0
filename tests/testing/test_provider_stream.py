"""Clients listen to the fake stream: a plain one in JSON, and alpaca-py's own in msgpack."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tradekit import BarsRequest, ReplayClock, UsageError
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders

client = pytest.importorskip("websockets.sync.client")

OPEN = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AUTH = {"action": "auth", "key": "k", "secret": "s"}


@pytest.fixture
def clock():
    return ReplayClock(OPEN)


def providers(clock, **options):
    return FakeProviders(SimulatedSource(clock=clock), **options)


def tell(socket, **said):
    socket.send(json.dumps(said))
    return json.loads(socket.recv(10))[0]


@contextmanager
def listen(fake, *symbols, feed="sip"):
    with client.connect(fake.urls["stream"].replace("sip", feed)) as socket:
        assert json.loads(socket.recv(10)) == [{"T": "success", "msg": "connected"}]
        assert tell(socket, **AUTH) == {"T": "success", "msg": "authenticated"}
        assert tell(socket, action="subscribe", bars=symbols)["bars"] == sorted(symbols)
        yield socket


def heard(socket, count):
    """The next so many bars: time, symbol and close."""
    bars = []
    while len(bars) < count:
        bars += json.loads(socket.recv(10))
    return [(bar["t"], bar["S"], bar["c"]) for bar in bars]


def truth(symbol, minutes):
    request = BarsRequest(symbol, "1Min", start=OPEN, end=OPEN + minutes * MINUTE, adjustment="raw")
    source = SimulatedSource(clock=ReplayClock(OPEN + minutes * MINUTE))
    bars = asyncio.run(source.fetch(request))[symbol]
    return [(f"{bar.time:%Y-%m-%dT%H:%M:%SZ}", symbol, bar.close) for bar in bars]


def test_minutes_come_when_they_are_over_in_order_and_once(clock):
    with providers(clock) as fake, listen(fake, "SPY", "QQQ") as socket:
        told = []
        for minutes in (1, 2, 5):
            clock.move_to(OPEN + minutes * MINUTE)
            told += heard(socket, 2 * minutes - len(told))
    assert told == sorted(truth("SPY", 5) + truth("QQQ", 5))


def test_the_feed_of_one_exchange_lacks_the_minutes_that_its_bars_lack(clock):
    params = {"symbols": "SPY", "timeframe": "1Min", "feed": "iex", "start": OPEN.isoformat()}
    keys = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
    with providers(clock) as fake, listen(fake, "SPY", feed="iex") as socket:
        clock.move_to(OPEN + 120 * MINUTE)
        url = f"{fake.urls['alpaca']}/v2/stocks/bars"
        bars = httpx.get(url, params=params, headers=keys).json()["bars"]["SPY"]
        told = heard(socket, len(bars))
    assert told == [(bar["t"], "SPY", bar["c"]) for bar in bars]
    assert set(told) < set(truth("SPY", 120))


def test_who_is_unknown_hears_nothing(clock):
    with providers(clock) as fake, client.connect(fake.urls["stream"]) as socket:
        socket.recv(10)
        assert tell(socket, action="subscribe", bars=["SPY"])["code"] == 401
        assert tell(socket, action="auth", key="", secret="")["code"] == 402
        tell(socket, **AUTH)
        assert tell(socket, action="dance")["code"] == 400


def test_a_full_subscription_is_refused_and_the_old_one_stays(clock):
    with providers(clock, stream_symbols=2) as fake, listen(fake, "SPY", "QQQ") as socket:
        refused = tell(socket, action="subscribe", bars=["IBM"])
        assert refused == {"T": "error", "code": 405, "msg": "symbol limit exceeded"}
        assert tell(socket, action="unsubscribe", bars=["QQQ"])["bars"] == ["SPY"]
        assert tell(socket, action="subscribe", bars=["IBM"])["bars"] == ["IBM", "SPY"]


@pytest.mark.parametrize(("fault", "code"), [("401", 402), ("429", 406)])
def test_a_refused_connection_says_why(clock, fault, code):
    with providers(clock, faults={"stream": {fault: 1.0}}) as fake:
        with client.connect(fake.urls["stream"]) as socket:
            socket.recv(10)
            assert tell(socket, **AUTH)["code"] == code
        assert [(r.provider, r.path, r.fault) for r in fake.requests] == [
            ("stream", "/v2/sip", fault)
        ]


def test_a_plan_without_sip_has_iex(clock):
    with providers(clock, faults={"stream": {"403_sip": 1.0}}) as fake:
        with client.connect(fake.urls["stream"]) as socket:
            socket.recv(10)
            tell(socket, **AUTH)
            assert tell(socket, action="subscribe", bars=["SPY"])["code"] == 409
        with listen(fake, "SPY", feed="iex"):
            pass


def test_a_stream_that_drops_loses_what_came_meanwhile(clock):
    from websockets.exceptions import ConnectionClosed

    with providers(clock) as fake:
        with listen(fake, "SPY") as socket:
            fake.break_next("stream", "drop")
            clock.move_to(OPEN + MINUTE)
            with pytest.raises(ConnectionClosed):
                socket.recv(10)
        with listen(fake, "SPY") as again:
            clock.move_to(OPEN + 2 * MINUTE)
            assert heard(again, 1) == truth("SPY", 2)[1:]


def test_a_mute_stream_still_answers_pings(clock):
    with providers(clock) as fake, listen(fake, "SPY") as socket:
        fake.break_next("stream", "hang")
        clock.move_to(OPEN + 5 * MINUTE)
        with pytest.raises(TimeoutError):
            socket.recv(0.2)
        assert socket.ping().wait(10)


def test_a_minute_can_be_lost_doubled_or_wrong(clock):
    with providers(clock) as fake, listen(fake, "SPY") as socket:
        for fault in ("no_rows", "duplicate_rows", "price_x100"):
            fake.break_next("stream", fault)
        clock.move_to(OPEN + 4 * MINUTE)
        told, true = heard(socket, 4), truth("SPY", 4)
    assert told[:2] == [true[1]] * 2
    assert told[2][2] == pytest.approx(100 * true[2][2])
    assert told[3] == true[3]


def test_an_outage_hangs_up_and_lets_nobody_in(clock):
    from websockets.exceptions import ConnectionClosed, InvalidMessage

    with providers(clock) as fake:
        with listen(fake, "SPY") as socket, fake.outage("stream"):
            with pytest.raises(ConnectionClosed):
                socket.recv(10)
            with pytest.raises((InvalidMessage, EOFError)), client.connect(fake.urls["stream"]):
                pass
        with listen(fake, "SPY"):
            pass


def test_faults_that_a_stream_cannot_have_are_refused(clock):
    with pytest.raises(UsageError, match="no such fault: expected 401 or 403_sip or 429"):
        providers(clock, faults={"stream": {"html": 0.1}})
    with pytest.raises(UsageError, match="no such fault"):
        providers(clock).break_next("stream", "stale_day")


@pytest.fixture
def live():
    """alpaca-py's client, which tells when it has subscribed."""
    pytest.importorskip("alpaca")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.live import StockDataStream

    class Listener(StockDataStream):
        subscribed = threading.Event()

        async def _dispatch(self, message):
            await super()._dispatch(message)
            if message["T"] == "subscription":
                self.subscribed.set()

    return Listener


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of websockets.legacy
def test_the_real_client_hears_the_same(clock, live):
    told, enough = [], threading.Event()

    async def keep(bar):
        told.append((f"{bar.timestamp:%Y-%m-%dT%H:%M:%SZ}", bar.symbol, bar.close))
        if len(told) == 6:
            enough.set()

    with providers(clock) as fake:
        stream = live("k", "s", url_override=fake.urls["stream"])
        stream.subscribe_bars(keep, "SPY", "QQQ")
        thread = threading.Thread(target=stream.run)
        thread.start()
        assert stream.subscribed.wait(10)
        clock.move_to(OPEN + 3 * MINUTE)
        assert enough.wait(10)
        stream.stop()
        clock.move_to(OPEN + 4 * MINUTE)  # it looks up when something comes
        thread.join(10)
    assert not thread.is_alive()
    assert told[:6] == sorted(truth("SPY", 3) + truth("QQQ", 3))
