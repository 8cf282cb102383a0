from __future__ import annotations

import asyncio
import threading

import pytest

from tradekit import SourceError
from tradekit.data._alpaca_client import Clients, RefusedError, vendor
from tradekit.data._budget import Meter
from tradekit.data._crew import Crew

pytest.importorskip("alpaca")


def ask_all_pages(clients):
    def question():
        alpaca = vendor()
        minute = alpaca.TimeFrame(1, alpaca.TimeFrameUnit.Minute)
        asked = alpaca.StockBarsRequest(symbol_or_symbols="SPY", timeframe=minute)
        return clients.stocks.get_stock_bars(asked)

    return clients.ask(question)


@pytest.fixture
def ask(provider):
    """Ask for bars of SPY, over as many pages as there are."""
    clients = Clients("key", "secret", provider.url, 0.5, Meter(), lambda: None)
    return lambda: ask_all_pages(clients)


def turning(provider, *tokens):
    """Serve pages that each name the next one, and the first again after the last."""
    after = dict(zip((None, *tokens), (*tokens, tokens[0]), strict=True))
    provider.answer = lambda path, params, headers: (
        200,
        {"bars": {"SPY": [{"c": 1}]}, "next_page_token": after[params.get("page_token")]},
    )


@pytest.mark.parametrize("tokens", [["again"], ["ping", "pong"]])
def test_pages_that_lead_in_a_circle_end_the_question(provider, ask, tokens):
    turning(provider, *tokens)
    with pytest.raises(ValueError, match="the same page came twice"):
        ask()
    assert len(provider.asked) == len(tokens) + 1


def test_the_next_question_may_have_pages_of_the_same_names(provider, ask):
    turning(provider, "one", "two")
    with pytest.raises(ValueError, match="twice"):
        ask()
    pages = iter([{"next_page_token": "one"}, {"next_page_token": None}])
    provider.answer = lambda *_: (200, {"bars": {"SPY": [{"c": 1}]}, **next(pages)})
    assert ask() == {"SPY": [{"c": 1}, {"c": 1}]}


def test_pages_without_end_are_not_followed_for_ever(provider, ask, monkeypatch):
    monkeypatch.setattr("tradekit.data._alpaca_client._MOST_PAGES", 5)
    provider.answer = lambda *_: (200, {"bars": {}, "next_page_token": str(len(provider.asked))})
    with pytest.raises(ValueError, match="more than 5 pages"):
        ask()


def test_a_refusal_is_asked_once_and_tells_its_headers(provider, ask):
    provider.answer = lambda *_: (429, "slower", {"Retry-After": "7"})
    with pytest.raises(RefusedError) as caught:
        ask()
    refused = caught.value
    assert (refused.status, refused.said, refused.headers["Retry-After"]) == (429, "slower", "7")
    assert refused.__cause__ is refused.__context__ is None
    assert len(provider.asked) == 1


def test_a_client_that_changed_within_is_refused_rather_than_left_to_hang(ask, monkeypatch):
    from alpaca.data.historical.stock import StockHistoricalDataClient as Client

    monkeypatch.setattr(Client, "__init__", lambda *_, **__: None)
    with pytest.raises(SourceError, match="its calls could hang for ever") as caught:
        ask()
    assert not caught.value.retryable


def test_every_page_is_counted_and_what_is_left_of_the_budget_is_heard(provider):
    meter = Meter()
    clients = Clients("key", "secret", provider.url, 0.5, meter, lambda: None)
    pages = iter([{"next_page_token": "one"}, {"next_page_token": None}])
    headers = {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "150"}
    provider.answer = lambda *_: (200, {"bars": {}, **next(pages)}, headers)
    ask_all_pages(clients)
    assert (meter.calls, meter.left) == (2, 150)


def test_pages_that_nobody_waits_for_any_more_are_not_asked_for(provider):
    crew, gone = Crew(1, "crew"), threading.Event()
    clients = Clients("key", "secret", provider.url, 5.0, Meter(), crew.sign_of_life)

    def page(path, params, headers):
        gone.wait(10)
        number = int(params.get("page_token", 0)) + 1
        return 200, {"bars": {}, "next_page_token": str(number) if number < 9 else None}

    async def leave_at_the_first_page():
        asking = asyncio.ensure_future(crew.run(lambda: ask_all_pages(clients), patience=60.0))
        while not provider.asked:
            await asyncio.sleep(0.001)
        asking.cancel()
        await asyncio.wait([asking])

    provider.answer = page
    asyncio.run(leave_at_the_first_page())
    gone.set()
    while crew._threads:
        gone.wait(0)
    assert len(provider.asked) == 1
