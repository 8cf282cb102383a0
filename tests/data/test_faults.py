"""Each source against each fault: what becomes of it, how soon, and what is left of it."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from urllib.parse import urlsplit

import attrs
import numpy as np
import pytest

from tradekit import (
    BarsRequest,
    CredentialsError,
    FixedClock,
    NoDataError,
    RateLimitError,
    SourceError,
)
from tradekit.data import SimulatedSource, YahooSource
from tradekit.testing import FakeProviders, _provider_alpaca, _provider_tiingo
from tradekit.testing._provider_tiingo import _OF_PRICES

pytest.importorskip("alpaca")
pytest.importorskip("yfinance")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is deprecated")]

# What a source makes of a fault that strikes one request: the `fault` of its error, or
#   mended    the true bars, since it asks once more in another way
#   degraded  the true prices, of the feed "iex" instead of "sip"
#   dropped   the true bars but one, which is counted in `dropped`
#   believed  wrong bars: nothing in one answer tells, so that only a comparison can
TABLE = """
fault             alpaca          iex             yahoo
401               credentials     credentials     mended
403_sip           degraded        entitlement     mended
404               unknown_symbol  unknown_symbol  unknown_symbol
422               unable          unable          unable
429               rate_limit      rate_limit      rate_limit
429_retry_after   rate_limit      rate_limit      rate_limit
500               transient       transient       transient
503               transient       transient       transient
504               transient       transient       transient
limit             rate_limit      rate_limit      rate_limit
hang              transient       transient       transient
slow_drip         transient       transient       transient
drop              transient       transient       transient
truncated_json    bad_data        bad_data        bad_data
html              bad_data        bad_data        bad_data
empty             bad_data        bad_data        bad_data
braces            bad_data        bad_data        bad_data
null_bars         bad_data        bad_data        bad_data
no_rows           empty           empty           empty
missing_fields    bad_data        bad_data        dropped
stale_day         believed        believed        believed
missing_tail      believed        believed        believed
price_x100        believed        believed        believed
swapped_high_low  bad_data        bad_data        bad_data
plausible_shift   believed        believed        believed
unadjusted_split  believed        believed        believed
duplicate_rows    bad_data        bad_data        bad_data
out_of_order      bad_data        bad_data        bad_data
wrong_symbol      bad_data        believed        bad_data
"""
PAGE = Path(__file__).parents[2] / "docs/how-to/test-your-bot-against-bad-providers.md"
WORDS = [line.split() for line in TABLE.strip().splitlines()]
PROVIDERS = tuple(WORDS[0][1:])
OUTCOMES = {
    (name, fault): word
    for fault, *words in WORDS[1:]
    for name, word in zip(PROVIDERS, words, strict=True)
}
CASES = list(OUTCOMES)
KINDS = {
    "credentials": CredentialsError,
    "entitlement": CredentialsError,
    "rate_limit": RateLimitError,
    "unknown_symbol": NoDataError,
    "empty": NoDataError,
    **dict.fromkeys(("transient", "bad_data", "unable"), SourceError),
}
MAY_PASS = {"rate_limit", "transient", "bad_data"}

CLOCK = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))  # a Saturday
MARKET = SimulatedSource(clock=CLOCK)
TIMEOUT = timedelta(seconds=0.3)
TOO_LATE = 1.5  # seconds: a loaded machine included, and less than any client waits by itself
QUESTIONS = {"alpaca": 2, "iex": 2, "yahoo": 9}  # yahoo: cookie, crumb, chart; consent; again
PRICES = ("open", "high", "low", "close")
ADJUSTMENT = {"alpaca": "all", "iex": "raw", "yahoo": "split"}


def request(adjustment, symbol, timeframe, first, last):
    """Bars of some days of March 2024."""
    start = datetime(2024, 3, first, 5, tzinfo=UTC)
    end = datetime(2024, 3, last, 22, tzinfo=UTC)
    return BarsRequest(symbol, timeframe, start=start, end=end, adjustment=adjustment)


ASKED = ("SPY", "5Min", 6, 8)
# Another window of another symbol too, and other bars of the same one: each fault meets one.
OTHERS = ((("SPY", "QQQ"), "5Min", 5, 7), ("SPY", "1Hour", 6, 8), ("SPY", "1Day", 1, 8))


def fetch(source, question):
    return asyncio.run(source.fetch(request(ADJUSTMENT[source.name], *question)))


@cache
def truth(adjustment, question):
    return asyncio.run(MARKET.fetch(request(adjustment, *question))).bars


def wrong(source, fetched, question):
    """Name whatever is not as the market behind the providers has it."""
    expected = truth(ADJUSTMENT[source.name], question)
    return [*fetched.failures.values()] + [
        f"{symbol}'s {name}"
        for symbol, bars in fetched.bars.items()
        for name in ("time", *PRICES, *([] if bars.feed == "iex" else ["volume"]))
        if not _alike(getattr(bars, name), getattr(expected[symbol], name))
    ]


def _alike(told, true):
    return told.shape == true.shape and np.allclose(told, true, rtol=1e-9, atol=0)


@cache
def loaded(name):
    """Import what a source needs, so that it does not count."""
    with FakeProviders(MARKET) as fake:
        fetch(getattr(fake, name)(), ASKED)


@cache
def struck(name, fault):
    """What happened to one request, how long it took, what it cost, and what came after it."""
    with FakeProviders(MARKET, seed=3) as fake:
        source = getattr(fake, name)(timeout=TIMEOUT)
        loaded(name)
        asked, begun = len(fake.requests), monotonic()
        fake.break_next(name, fault)
        told = fetch(source, ASKED)
        took, questions = monotonic() - begun, len(fake.requests) - asked
        served = [q for q in OTHERS if q[1] in (source.capabilities.timeframes or ())]
        other = served[CASES.index((name, fault)) // len(PROVIDERS) % len(served)]
        after = {q: wrong(source, fetch(source, q), q) for q in (ASKED, other)}
        faults = [request.fault for request in fake.requests]
    return SimpleNamespace(**locals())


def test_the_page_tells_what_the_table_says():
    page = PAGE.read_text("utf-8").split("## What the sources make of it")[1].split("\n## ")[0]
    told = {}
    for line in page.splitlines():
        names, *words = (cell.strip() for cell in line.strip("|").split("|"))
        if names.startswith("`") and len(words) == len(PROVIDERS):
            row = [word.strip("`") for word in words]
            told |= {name.strip("` "): row for name in names.split(",")}
    assert told == {fault: words for fault, *words in WORDS[1:]}


def test_the_table_has_a_row_for_every_fault():
    assert [fault for fault, *_ in WORDS[1:]] == list(FakeProviders.FAULTS)
    assert list(PROVIDERS) == ["alpaca", "iex", "yahoo"]


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_a_fault_becomes_what_the_table_says(name, fault):
    case, word = struck(name, fault), OUTCOMES[name, fault]
    assert case.faults.count(fault) == 1
    if word in KINDS:
        error = case.told.failures["SPY"]
        assert (type(error), error.fault) == (KINDS[word], word)
        assert error.retryable is (word in MAY_PASS)
        assert error.source == name
        return
    bars, amiss = case.told["SPY"], wrong(case.source, case.told, ASKED)
    assert bool(amiss) is (word in ("believed", "dropped"))
    assert bars.dropped == (word == "dropped")
    assert (bars.feed == "iex") is (name == "iex" or word == "degraded")


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_no_fault_takes_longer_than_it_may_nor_more_questions(name, fault):
    case = struck(name, fault)
    assert case.took < TOO_LATE
    assert case.questions <= QUESTIONS[name]


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_the_same_question_and_another_one_are_answered_with_the_truth_then(name, fault):
    case = struck(name, fault)
    assert not any(case.after.values()), case.after


def test_no_thread_outlives_the_providers():
    for name, fault in CASES:
        struck(name, fault)
    theirs = [t for t in threading.enumerate() if t.name.removeprefix("tradekit-") in PROVIDERS]
    for thread in theirs:
        thread.join(2)
    assert not any(thread.is_alive() for thread in theirs)


def test_one_missing_bar_is_all_that_is_dropped():
    bars, true = struck("yahoo", "missing_fields").told["SPY"], truth("split", ASKED)["SPY"]
    assert len(bars) == len(true) - 1
    kept = np.isin(true.time, bars.time)
    np.testing.assert_allclose(bars.close, true.close[kept])


@pytest.mark.parametrize(("name", "seconds"), [("alpaca", 2.0), ("iex", 2.0), ("yahoo", 2.0)])
def test_how_long_to_wait_is_passed_on_where_it_is_told(name, seconds):
    assert struck(name, "429").told.failures["SPY"].retry_after is None
    assert struck(name, "429_retry_after").told.failures["SPY"].retry_after == seconds


@pytest.mark.parametrize(
    ("name", "fault"), [("yahoo", "401"), ("yahoo", "403_sip"), ("alpaca", "403_sip")]
)
def test_what_is_mended_once_is_told_when_it_lasts(name, fault):
    with FakeProviders(MARKET, seed=3, faults={name: {fault: 1.0}}) as fake:
        source = getattr(fake, name)(timeout=TIMEOUT)
        told = fetch(source, ASKED)
        if name == "alpaca":  # a free plan: another feed has the bars
            assert (wrong(source, told, ASKED), told["SPY"].feed) == ([], "iex")
        else:
            assert told.failures["SPY"].fault == "credentials"
        assert len(fake.requests) <= QUESTIONS[name]


def test_a_used_budget_of_alpaca_says_when_there_is_a_new_one():
    with FakeProviders(MARKET, limit_per_minute=1, clock=CLOCK) as fake:
        source = fake.alpaca()
        assert not wrong(source, fetch(source, ASKED), ASKED)
        error = fetch(source, ASKED).failures["SPY"]
    assert (error.fault, error.retry_after) == ("rate_limit", 60.0)


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_outage_from_the_first_request_on_is_over_when_it_is_over(name):
    with FakeProviders(MARKET, seed=3) as fake:
        source = getattr(fake, name)(timeout=TIMEOUT)
        with fake.outage(name):
            error = fetch(source, ASKED).failures["SPY"]
        assert (type(error), error.fault, error.unreachable) == (SourceError, "transient", True)
        assert not wrong(source, fetch(source, ASKED), ASKED)


# Of an answer in pages, rows that are missing in the middle cannot be told from none either.
OF_PAGES = {"no_rows": "believed"}


@pytest.mark.parametrize("fault", FakeProviders.FAULTS)
def test_a_fault_on_the_second_of_three_pages_is_a_fault_of_the_whole(monkeypatch, fault):
    whole_page, broken = _provider_alpaca._page, []
    with FakeProviders(MARKET, seed=3) as fake:

        def one_day(found, limit, token):
            if not broken:
                broken.append(fake.break_next("alpaca", fault))
            return whole_page(found, min(limit, 78), token)

        monkeypatch.setattr(_provider_alpaca, "_page", one_day)
        source = fake.alpaca(timeout=TIMEOUT)
        told, faults = fetch(source, ASKED), [request.fault for request in fake.requests]
        assert not wrong(source, fetch(source, ASKED), ASKED)
    assert faults[:2] == [None, fault]
    word = OF_PAGES.get(fault, OUTCOMES["alpaca", fault])
    if word in KINDS:
        error = told.failures["SPY"]
        assert (type(error), error.fault) == (KINDS[word], word)
        return
    assert bool(wrong(source, told, ASKED)) is (word == "believed")
    # All of one feed: the volume of IEX is a few percent of that of all exchanges.
    share = told["SPY"].volume.max() / truth("all", ASKED)["SPY"].volume.max()
    assert bool(share < 0.05) is (word == "degraded")


# A share that split 2:1 on the second day after these: to adjust it takes a second question.
SPLIT = BarsRequest(
    "RAJG",
    "5Min",
    start=datetime(2024, 2, 26, 5, tzinfo=UTC),
    end=datetime(2024, 2, 27, 22, tzinfo=UTC),
)
# Where there is another word for it, or no error, than for bars.
OF_FACTORS = {
    "404": "transient",
    "no_rows": "bad_data",
    "missing_tail": "bad_data",
    "stale_day": None,
    "drop": None,  # the connection was kept: another one is tried
}


@pytest.mark.parametrize("fault", [f for f in FakeProviders.FAULTS if f not in _OF_PRICES])
def test_without_true_factors_iex_adjusts_nothing(monkeypatch, fault):
    bars_of, broken = _provider_tiingo.Tiingo._prices, []
    with FakeProviders(MARKET, seed=3) as fake:

        async def then_break(*args):
            if not broken:
                broken.append(fake.break_next("iex", fault))
            return await bars_of(*args)

        monkeypatch.setattr(_provider_tiingo.Tiingo, "_prices", then_break)
        source = fake.iex(timeout=TIMEOUT)
        told, again = (asyncio.run(source.fetch(SPLIT)) for _ in range(2))
        assert [request.fault for request in fake.requests][:2] == [None, fault]
    word = OF_FACTORS.get(fault, OUTCOMES["iex", fault])
    assert {s: error.fault for s, error in told.failures.items()} == (
        {"RAJG": word} if word else {}
    )
    until_now = attrs.evolve(SPLIT, end=CLOCK.at)  # so that the split is known
    true = asyncio.run(MARKET.fetch(until_now))["RAJG"].until(SPLIT.end)
    for fetched in (again,) if word else (told, again):
        np.testing.assert_allclose(fetched["RAJG"].close, true.close, rtol=1e-6)


BROKEN = {
    "500": (500, "oops"),
    "429": (429, "Too Many Requests"),
    "busy": (200, "Too Many Requests"),
    "html": (200, "<html>be right back</html>"),
    "empty": (200, ""),
    "hang": None,
}


@pytest.mark.parametrize("part", ["fc.yahoo.com", "getcrumb"])
@pytest.mark.parametrize("fault", BROKEN)
def test_without_a_cookie_or_a_crumb_yahoo_answers_all_the_same_or_says_why(provider, part, fault):
    provider.answer = lambda *_: BROKEN[fault] or provider.hang()
    with FakeProviders(MARKET, seed=3) as fake:
        session = fake.yahoo_session()
        there, here = session.request, urlsplit(provider.url)

        def request(method, url, *args, **options):
            if part not in url:
                return there(method, url, *args, **options)
            lost = urlsplit(url)._replace(scheme="http", netloc=here.netloc).geturl()
            return type(session).__mro__[1].request(session, method, lost, *args, **options)

        session.request = request
        source = YahooSource(session=session, timeout=TIMEOUT, clock=CLOCK)
        begun = monotonic()
        told = fetch(source, ASKED)
        assert monotonic() - begun < TOO_LATE
        if told.failures:
            assert told.failures["SPY"].fault in ("transient", "rate_limit")
        else:
            assert not wrong(source, told, ASKED)
        session.request = there
        assert not wrong(source, fetch(source, ASKED), ASKED)
    assert provider.asked
