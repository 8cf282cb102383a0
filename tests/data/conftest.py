"""A provider on this machine: the real clients ask it over sockets."""

from __future__ import annotations

import asyncio
import json
import threading
import traceback
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from tradekit import BarsRequest, FixedClock
from tradekit.data import SimulatedSource, YahooSource


class Provider:
    """Answers with what ``answer(path, params, headers)`` gives: a status, a body and headers."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.asked = []
        self.over = threading.Event()
        self.answer = lambda path, params, headers: (404, {})

    def hang(self, *_):
        self.over.wait()
        return 200, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # in one packet: a second would wait for the first one's acknowledgement

    def do_GET(self):
        provider, url = self.server.provider, urlsplit(self.path)
        params = dict(parse_qsl(url.query))
        provider.asked.append((url.path, params))
        try:
            status, body, *more = provider.answer(url.path, params, self.headers)
        except Exception:  # the test is at fault: let it read so
            status, body, more = 418, traceback.format_exc()[-150:], []
        said = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(said.encode())), **dict(*more)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    block_on_close = False

    def handle_error(self, *_):
        pass  # who asked has hung up


@pytest.fixture
def ends_by_itself():
    """Tell whether the threads of a name end, though the server has not answered."""

    def ends(name):
        theirs = [thread for thread in threading.enumerate() if thread.name == name]
        for thread in theirs:
            thread.join(2)
        return not any(thread.is_alive() for thread in theirs)

    return ends


@pytest.fixture
def provider():
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.provider = Provider(server.server_port)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.provider
        server.provider.over.set()
        server.shutdown()


@pytest.fixture
def yahoo_session(provider):
    """Make sessions for yfinance that ask the provider, whatever host is meant."""
    from curl_cffi import requests

    class Loopback(requests.Session):
        def request(self, method, url, *args, **kwargs):
            here = urlsplit(url)._replace(scheme="http", netloc=urlsplit(provider.url).netloc)
            return super().request(method, here.geturl(), *args, **kwargs)

    return Loopback


@pytest.fixture
def yahoo_source(yahoo_session):
    """Make sources that ask the provider, on the Saturday after 2024-03-08 unless told so."""

    saturday = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))

    def make(seconds=4.0, clock=saturday):
        timeout = timedelta(seconds=seconds)
        return YahooSource(timeout=timeout, clock=clock, session=yahoo_session())

    return make


@pytest.fixture
def yahoo_chart(provider):
    """Let the provider give a cookie and a crumb, and what a chart or a screen is answered with."""

    def serve(chart):
        def answer(path, params, headers):
            if "/chart/" in path or "/screener/" in path:
                return chart(path, params, headers) if callable(chart) else chart
            cookie = {"Set-Cookie": "A3=somebody; Path=/"}
            return (200, "crumb") if path.endswith("getcrumb") else (404, "", cookie)

        provider.answer = answer

    return serve


@pytest.fixture(scope="session")
def market():
    """Bars of SPY and QQQ in the first quarter of 2024; None for other symbols."""
    quarter = {"start": datetime(2024, 1, 1, tzinfo=UTC), "end": datetime(2024, 4, 1, tzinfo=UTC)}

    @cache
    def bars(symbol, timeframe):
        if symbol not in ("SPY", "QQQ"):
            return None
        request = BarsRequest(symbol, timeframe, **quarter)
        return asyncio.run(SimulatedSource().fetch(request))[symbol]

    return bars
