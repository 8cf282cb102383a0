"""Keys are in no log, no text of an object, no error with all that hangs on it, and no output."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
import warnings
from base64 import b64encode
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from tradekit import (
    BarsRequest,
    FixedClock,
    MultiSourceDataManager,
    ReplayClock,
    SourceError,
    TradekitError,
)
from tradekit.data import AlpacaSource, IEXSource, SimulatedSource
from tradekit.data._alpaca_stream import Line
from tradekit.testing import FakeProviders

pytest.importorskip("alpaca")
pytest.importorskip("yfinance")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is deprecated")]

KEY, SECRET, TOKEN = "PK7QDISTINCTIVE", "shh/very+secret=7Q", "tiingo7q0hush"
CLOCK = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))
MARKET = SimulatedSource(clock=CLOCK)
WEEK = {"start": datetime(2024, 3, 6, 5, tzinfo=UTC), "end": datetime(2024, 3, 8, 22, tzinfo=UTC)}
SHORT = {"timeout": timedelta(seconds=0.2), "clock": CLOCK}
LOGGERS = (
    None,  # the root
    "alpaca",
    "asyncio",
    "httpcore",
    "httpx",
    "peewee",
    "requests",
    "tradekit",
    "urllib3",
    "websockets",
    "yfinance",
)


def alpaca(url, **options):
    return AlpacaSource(KEY, SECRET, url_override=url, **{**SHORT, **options})


def iex(url, **options):
    return IEXSource(TOKEN, url_override=url, **{**SHORT, **options})


def forms():
    """However a key may be written."""
    both = f"{KEY}:{SECRET}".encode()
    plain = [KEY, SECRET, TOKEN]
    return {*plain, *(quote(each, safe="") for each in plain), b64encode(both).decode()}


def told_by(error):
    """All that an error tells, whoever prints it, and those that it carries or hangs on."""
    chain, texts = [error], []
    for link in chain:
        carried = list(getattr(link, "context", {}).values())
        inside = [e for each in carried if isinstance(each, dict) for e in each.values()]
        others = (link.__cause__, link.__context__, *carried, *inside)
        chain += [e for e in others if isinstance(e, BaseException) and e not in chain]
        texts += [str(link), repr(link), repr(link.args), repr(carried)]
        texts += traceback.TracebackException.from_exception(link, capture_locals=True).format()
    with suppress(Exception):  # what cannot be pickled tells nothing
        texts.append(pickle.dumps(error).decode("latin-1"))
    return texts


def with_keys(texts):
    return {form: text for form in forms() for text in texts if form in text}


class Ear(logging.Handler):
    """Writes down whatever is logged, with all that hangs on it, and what a test adds."""

    def __init__(self, capfd, warned):
        super().__init__()
        self.texts, self._capfd, self._warned = [], capfd, warned

    def emit(self, record):
        self.texts.append(f"{self.format(record)} {vars(record)}")

    def keys(self):
        """Keys that were said, and where."""
        warned = [f"{warning.message} {warning.source!r}" for warning in self._warned]
        texts = [*self.texts, *self._capfd.readouterr(), *warned]
        assert len(self.texts) > 1
        return with_keys(texts)


@pytest.fixture
def ear(capfd, monkeypatch):
    """Hear every logger, warnings, and what is printed."""
    for logger in map(logging.getLogger, LOGGERS):
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        logger.manager._clear_cache()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        handler = Ear(capfd, warned)
        logging.getLogger().addHandler(handler)
        yield handler
    logging.getLogger().removeHandler(handler)


def said(source, request):
    """What a source says of a request and of itself; asyncio says what it can, too."""
    fetched = asyncio.run(source.fetch(request), debug=True)
    texts = [repr(fetched), repr(source), str(source), f"{source}", repr(source.capabilities)]
    for error in fetched.failures.values():
        texts += told_by(error)
        try:
            fetched["SPY"]
        except SourceError as raised:
            texts += told_by(raised)
    return texts


def test_a_key_that_is_said_is_heard(ear):
    logging.getLogger("httpcore.http11").debug("sent %s", {"Authorization": f"Token {TOKEN}"})
    warnings.warn(f"{quote(SECRET, safe='')} is no key", stacklevel=1)
    print(KEY)  # noqa: T201
    try:
        key = b64encode(f"{KEY}:{SECRET}".encode())
        raise ValueError("a key is at hand")
    except ValueError as error:
        ear.texts += told_by(error)
    del key
    assert set(ear.keys()) == forms() - {SECRET}


@pytest.mark.parametrize("fault", FakeProviders.FAULTS)
@pytest.mark.parametrize("name", ["alpaca", "iex"])
def test_no_fault_lets_a_key_out(ear, name, fault):
    with FakeProviders(MARKET, seed=3, faults={name: {fault: 1.0}}) as fake:
        source = {"alpaca": alpaca, "iex": iex}[name](fake.urls[name])
        ear.texts += said(source, BarsRequest("SPY", "5Min", **WEEK))
        for door, question in ((source.quotes, "SPY"), (source.discover, "gainers")):
            try:
                ear.texts.append(repr(asyncio.run(door(question))))
            except SourceError as error:
                ear.texts += told_by(error)
    assert not ear.keys()


def echoes(headers):
    """What a careless server sends back: the keys that it was sent, in each place of an answer."""
    keys = [headers.get(name, "") for name in ("Apca-Api-Secret-Key", "Authorization")]
    key = "".join(keys).removeprefix("Token ")
    bar = {"t": "2024-03-08T15:00:00Z", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "n": 1, "vw": 1}
    row = {"date": "2024-03-08T15:00:00.000Z", "open": 1, "high": 1, "low": 1, "close": 1}
    for status in (200, 400, 401, 403, 404, 422, 429, 500, 503):
        yield status, {"message": key, "detail": str(dict(headers))}
        yield status, f"{dict(headers)}"
    yield 200, f"<html>{key}</html>"
    yield 200, {"bars": {"SPY": [bar | {"t": key}]}, "next_page_token": None}
    yield 200, {"bars": {"SPY": [bar | {"o": key}]}, "next_page_token": None}
    yield 200, {"bars": {"SPY": key}, "next_page_token": None}
    yield 200, [row | {"date": key}]
    yield 200, [row | {"open": key}]
    yield 200, [key]
    yield 200, [{key: 1}]


@pytest.mark.parametrize("number", range(len([*echoes({})])))
@pytest.mark.parametrize("make", [alpaca, iex])
def test_a_server_that_echoes_keys_makes_nobody_repeat_them(ear, provider, make, number):
    provider.answer = lambda path, params, headers: [*echoes(headers)][number]
    request = BarsRequest("SPY", "5Min", adjustment="raw", **WEEK)
    ear.texts += said(make(provider.url), request)
    assert not ear.keys()


def test_a_server_that_takes_a_key_for_a_symbol_makes_nobody_repeat_it(ear, provider):
    provider.answer = lambda *_: (200, {"bars": {SECRET: []}, "next_page_token": None})
    ear.texts += said(alpaca(provider.url), BarsRequest("SPY", "5Min", **WEEK))
    assert not ear.keys()


@pytest.mark.parametrize("fault", ["401", "403_sip", "429", "500", "hang", "drop"])
def test_a_stream_that_fails_tells_no_key(ear, monkeypatch, fault):
    for name, seconds in {"pause": 0.01, "longest": 0.05, "patience": 0.2}.items():
        monkeypatch.setattr(Line, name, seconds)
    clock = ReplayClock(datetime(2024, 3, 8, 15, tzinfo=UTC))
    faults = {"stream": {fault: 1.0}}
    with FakeProviders(SimulatedSource(clock=clock), faults=faults) as fake:
        source = alpaca(fake.urls["alpaca"], clock=clock)

        async def listen():
            async with asyncio.timeout(0.4), aclosing(source.stream("SPY", "1Min")) as bars:
                async for bar in bars:
                    ear.texts.append(repr(bar))

        with pytest.raises(TimeoutError) as caught:
            asyncio.run(listen(), debug=True)
        assert any(request.fault == fault for request in fake.requests)
    ear.texts += told_by(caught.value)
    assert not ear.keys()


@pytest.mark.parametrize("fault", ["401", "429", "html"])
def test_a_stream_that_cannot_ask_tells_no_key(ear, fault):
    clock = ReplayClock(datetime(2024, 3, 8, 15, tzinfo=UTC))
    with FakeProviders(SimulatedSource(clock=clock), faults={"alpaca": {fault: 1.0}}) as fake:
        source = alpaca(fake.urls["alpaca"], clock=clock)

        async def listen():
            async with asyncio.timeout(0.4), aclosing(source.stream("SPY", "1Min")) as bars:
                clock.move_to(clock.now() + timedelta(minutes=5))
                await anext(bars)

        with pytest.raises((SourceError, TimeoutError)) as caught:
            asyncio.run(listen(), debug=True)
    ear.texts += told_by(caught.value)
    assert not ear.keys()


@pytest.mark.parametrize("make", [alpaca, iex])
def test_nobody_who_listens_hears_no_key(ear, make):
    ear.texts += said(make("http://127.0.0.1:9"), BarsRequest("SPY", "5Min", **WEEK))
    assert not ear.keys()


VARIABLES = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY")
REFUSED = [
    pytest.param(lambda: AlpacaSource(KEY, SECRET, feed="nope"), id="feed"),
    pytest.param(lambda: AlpacaSource(KEY, SECRET, timeout=4), id="timeout"),
    pytest.param(lambda: AlpacaSource(KEY), id="no secret"),
    pytest.param(lambda: AlpacaSource(secret=SECRET), id="no key"),
    pytest.param(lambda: IEXSource(TOKEN, timeout=4), id="timeout of iex"),
    pytest.param(lambda: MultiSourceDataManager(KEY, SECRET, sources=[]), id="no sources"),
    pytest.param(lambda: MultiSourceDataManager(KEY, SECRET, timeout=4), id="manager's timeout"),
]


@pytest.mark.parametrize("make", REFUSED)
def test_a_constructor_that_refuses_tells_no_key(monkeypatch, make):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(TradekitError) as caught:
        make()
    # From the door on: the variables of the caller are the caller's.
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next.tb_next)
    assert not with_keys(told_by(error))


def test_a_manager_tells_no_key_of_the_sources_that_it_makes(ear, monkeypatch):
    monkeypatch.setenv("TIINGO_API_KEY", TOKEN)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody leaves this machine
    monkeypatch.setattr(IEXSource, "_vendor", "nowhere_to_be_found")
    monkeypatch.setattr(AlpacaSource, "_vendor", "nowhere_to_be_found")
    manager = MultiSourceDataManager(KEY, SECRET, clock=CLOCK)
    assert manager.blocking.get_market_data("SPY", "5Min", 10) is None
    ear.texts += told_by(manager.last_failure)
    ear.texts += [repr(manager), str(manager)]
    for error in manager._pool._lineup.absent().values():
        ear.texts += told_by(error)
    assert set(manager._pool._lineup.absent()) == {"alpaca", "iex"}
    assert not ear.keys()


def test_a_manager_over_sources_that_fail_tells_no_key(ear):
    with FakeProviders(MARKET, faults={"alpaca": {"401": 1.0}, "iex": {"html": 1.0}}) as fake:
        sources = [alpaca(fake.urls["alpaca"]), iex(fake.urls["iex"])]
        manager = MultiSourceDataManager(sources=sources, clock=CLOCK, adjustment="raw")
        assert manager.blocking.get_market_data("SPY", "5Min", 10) is None
        ear.texts += told_by(manager.last_failure)
        ear.texts.append(repr(manager))
        with pytest.raises(SourceError) as caught:
            manager.blocking.fetch("SPY", "5Min", 10)
        ear.texts += told_by(caught.value)
    assert not ear.keys()
