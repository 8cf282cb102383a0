from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tradekit import SourceError
from tradekit.data._budget import Meter
from tradekit.data._yahoo_client import RefusedError, YahooClient

pytest.importorskip("yfinance")

START, END = datetime(2024, 3, 8, 14, 30, tzinfo=UTC), datetime(2024, 3, 8, 21, 0, 0, 1, UTC)
RESULT = {"meta": {"symbol": "SPY"}, "indicators": {"quote": [{}]}}
CHART = 200, {"chart": {"result": [RESULT], "error": None}}


@pytest.fixture
def client(yahoo_session):
    return YahooClient(
        yahoo_session(), timeout=4.0, patience=6.0, meter=Meter(), alive=lambda: None
    )


def ask(client, ticker="SPY"):
    return client.chart(ticker, "5m", START, END)


def paths(provider):
    return [path for path, _ in provider.asked]


def with_crumbs(provider, *crumbs):
    """Answer each question for a crumb with the next of these, then with the last."""
    charts, left = provider.answer, list(crumbs)

    def answer(path, params, headers):
        if not path.endswith("getcrumb"):
            return charts(path, params, headers)
        return left.pop(0) if len(left) > 1 else left[0]

    provider.answer = answer


def test_a_cookie_and_a_crumb_are_asked_for_once(provider, yahoo_chart, client):
    yahoo_chart(CHART)
    assert ask(client) == RESULT
    assert ask(client, "^GSPC/?") == RESULT
    chart = "/v8/finance/chart/"
    assert paths(provider) == ["/", "/v1/test/getcrumb", f"{chart}SPY", f"{chart}%5EGSPC%2F%3F"]
    assert provider.asked[-1][1] == {
        "period1": "1709908200",
        "period2": "1709931601",  # rounded up: else a window of less than a second is none
        "interval": "5m",
        "includePrePost": "false",
        "events": "div,splits,capitalGains",
        "crumb": "crumb",
    }


@pytest.mark.parametrize(
    "bad",
    [
        (429, "Too Many Requests\r\n"),
        (200, "Too Many Requests\r\n"),
        (500, "oops"),
        (200, "<html></html>"),
        (200, '{"finance": null}'),
        (200, ""),
    ],
)
def test_what_is_no_crumb_is_not_taken_for_one(provider, yahoo_chart, client, bad):
    yahoo_chart(CHART)
    with_crumbs(provider, bad)
    assert ask(client) == RESULT  # bars may be had without
    assert "crumb" not in provider.asked[-1][1]
    with_crumbs(provider, (200, "good"))
    ask(client)
    assert provider.asked[-1][1]["crumb"] == "good"


def test_a_crumb_that_may_not_be_had_for_now_is_why_bars_are_refused(provider, yahoo_chart, client):
    yahoo_chart((401, "Invalid Crumb"))
    with_crumbs(provider, (429, "Too Many Requests", {"Retry-After": "17"}))
    with pytest.raises(RefusedError) as caught:
        ask(client)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "17")


def test_an_old_crumb_is_renewed_in_the_same_question(provider, yahoo_chart, client):
    yahoo_chart(lambda path, params, _: CHART if params.get("crumb") == "new" else (401, "old"))
    with_crumbs(provider, (200, "old"), (200, "new"))
    assert ask(client) == RESULT
    assert [params["crumb"] for path, params in provider.asked if "/chart/" in path] == [
        "old",
        "new",
    ]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ((404, {"chart": {"error": {"code": "Not Found", "description": "none"}}}), 404, "none"),
        ((200, {"chart": {"error": {"code": "Not Found", "description": "none"}}}), 404, "none"),
        ((200, {"chart": {"error": {"code": "argument-error", "description": "x"}}}), 500, "x"),
        ((429, "slowly"), 429, "slowly"),
        ((503, "<html>"), 503, "<html>"),
    ],
)
def test_a_refusal_takes_one_question(provider, yahoo_chart, client, answer, status, said):
    yahoo_chart(answer)
    with pytest.raises(RefusedError) as caught:
        ask(client)
    assert (caught.value.status, caught.value.said) == (status, said)
    assert len(paths(provider)) == 3


def test_a_cookie_that_never_comes_does_not_use_up_the_time(provider, yahoo_chart, yahoo_session):
    yahoo_chart(CHART)
    ask(
        YahooClient(yahoo_session(), 4.0, 6.0, Meter(), lambda: None)
    )  # so that yfinance itself is loaded
    charts = provider.answer
    provider.answer = lambda path, *rest: (
        charts(path, *rest) if "/chart/" in path else provider.hang()
    )
    assert ask(YahooClient(yahoo_session(), 0.8, 1.2, Meter(), lambda: None)) == RESULT


def test_what_comes_is_a_sign_of_life(yahoo_chart, yahoo_session):
    yahoo_chart(CHART)
    signs = []
    ask(YahooClient(yahoo_session(), 4.0, 6.0, Meter(), lambda: signs.append(1)))
    assert len(signs) == 4  # the import, the cookie, the crumb and the chart


def test_another_yfinance_is_told_instead_of_mixing_cookies(client, monkeypatch):
    from yfinance.data import YfData

    monkeypatch.delattr(YfData, "_save_cookie_curlCffi")
    with pytest.raises(SourceError, match="yfinance has changed within") as caught:
        ask(client)
    assert caught.value.retryable is False


ALONE = """
import sys
from urllib.parse import urlsplit

written = []

def watch(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        written.append(str(args[0]))
    elif event in ("os.mkdir", "sqlite3.connect"):
        written.append(str(args[0]))

sys.addaudithook(watch)

from datetime import UTC, datetime
from curl_cffi import requests
from tradekit import BarsRequest, FixedClock
from tradekit.data import YahooSource

class Loopback(requests.Session):
    def request(self, method, url, *args, **kwargs):
        here = urlsplit(url)._replace(scheme="http", netloc=sys.argv[1])
        return super().request(method, here.geturl(), *args, **kwargs)

clock = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))
source = YahooSource(clock=clock, session=Loopback())
bars = source.blocking.fetch(BarsRequest("SPY", "5Min", limit=1))["SPY"]
source.blocking.discover("gainers")

import yfinance
from yfinance.data import SingletonMeta
print(bars.close.tolist(), written)
print(SingletonMeta._instances, yfinance.config.debug.hide_exceptions)
print(yfinance.data.YfData.cache_get.cache_info().currsize)
"""


def test_nothing_is_written_and_nothing_is_set_for_others(provider, yahoo_chart, tmp_path):
    quote = {"open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0], "volume": [1]}
    bars = RESULT | {"timestamp": [1709929800], "indicators": {"quote": [quote]}}
    screen = {"quotes": [{"symbol": "F", "regularMarketChangePercent": 1.0}]}
    yahoo_chart(
        lambda path, *_: (
            (200, {"chart": {"result": [bars], "error": None}})
            if "/chart/" in path
            else (200, {"finance": {"result": [screen], "error": None}})
        )
    )
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "home")  # not even root can write there
    homes = ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    env = {**os.environ, **dict.fromkeys(homes, nowhere), "PYTHONDONTWRITEBYTECODE": "1"}
    host = provider.url.removeprefix("http://")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, host], env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["[1.0] []", "{} True", "0"]
