from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tradekit import (
    Candidate,
    ContractError,
    DynamicWatchlistManager,
    Fetched,
    NoDataError,
    SourceError,
    UsageError,
)
from tradekit.watchlist._inquiry import CORE, Answer, daily_bars, propose

SOON, LATE = timedelta(milliseconds=20), timedelta(seconds=20)


def ask(provider, symbols, friday, timeout=LATE):
    return asyncio.run(daily_bars(provider, tuple(symbols), 5, friday, timeout))


def test_the_core_is_sixty_names_each_once():
    assert len(CORE) == len(set(CORE)) == 60
    assert CORE[:3] == ("SPY", "QQQ", "IWM")


def test_all_symbols_are_asked_for_at_once(provider, daily, friday):
    manager = provider(daily("A", [1, 2]), daily("B", [1, 2]))
    bars, failures = ask(manager, "ABC", friday)
    assert manager.asked == [(("A", "B", "C"), "1Day", 5)]
    assert (list(bars), list(failures)) == (["A", "B"], ["C"])


def test_bars_that_are_not_complete_are_left_out(provider, daily, friday):
    class Eager(provider):
        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            return Fetched(bars=self.bars)

    manager = Eager(daily("A", [1, 2]), daily("B", [1.0]))
    bars, failures = ask(manager, "AB", friday - timedelta(seconds=1))
    assert bars["A"].close.tolist() == [1]
    assert "no complete daily bar" in str(failures["B"])


def test_a_symbol_that_nobody_mentions_is_a_failure(provider, friday):
    class Forgetful(provider):
        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            return Fetched()

    assert list(ask(Forgetful(), "A", friday)[1]) == ["A"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("socket closed"), "OSError: socket closed"),
        (SourceError("429"), "429"),
        (TimeoutError(), "nothing within 20 s"),
    ],
)
def test_an_error_is_the_failure_of_every_symbol(error, words, provider, friday):
    bars, failures = ask(provider(down={"*": error}), "AB", friday)
    assert bars == {}
    assert [words in str(failures[name]) for name in "AB"] == [True, True]


@pytest.mark.parametrize("error", [UsageError("no such timeframe"), ContractError("no answer")])
def test_a_wrong_call_is_nobodys_failure_but_ours(error, provider, friday):
    with pytest.raises(type(error)):
        ask(provider(down={"*": error}), "AB", friday)


def test_a_provider_that_hangs_is_left_alone(friday):
    class Hanging:
        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            await asyncio.Event().wait()

    _, failures = ask(Hanging(), "A", friday, SOON)
    assert "nothing within 0.02 s" in str(failures["A"])


def test_an_answer_of_another_kind_is_a_failure(friday):
    class Odd:
        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            return {}

    assert "answered otherwise" in str(ask(Odd(), "A", friday)[1]["A"])


def test_without_fetch_many_each_symbol_is_asked_for(daily, friday):
    class Single:
        async def get_market_data(self, symbol, timeframe, limit):
            if symbol == "C":
                raise OSError("gone")
            return daily("A", [1, 2]).to_frame() if symbol == "A" else None

    bars, failures = ask(Single(), "ABC", friday)
    assert bars["A"].close.tolist() == [1, 2]
    assert "no complete daily bar" in str(failures["B"])
    assert "OSError: gone" in str(failures["C"])


def test_proposals_are_joined_each_symbol_once(friday):
    class Proposing:
        async def discover(self, category, limit):
            if category == "gainers":
                raise SourceError("cannot look")
            names = {"trending": "BA", "listed": "CB"}[category]
            return [
                Candidate(s, category, i, 1.0, "so", "me", friday) for i, s in enumerate(names, 1)
            ]

    wanted = {"trending": 9, "gainers": 9, "listed": 9}
    symbols, feeds = asyncio.run(propose(Proposing(), wanted, LATE))
    assert symbols == ("B", "A", "C")
    assert feeds["trending"] == {"status": "ok", "proposed": 2}
    assert feeds["gainers"] == {"status": "failed", "proposed": 0, "reason": "cannot look"}


def test_a_proposal_that_hangs_or_is_odd_is_a_failure_of_its_own():
    class Bad:
        async def discover(self, category, limit):
            return ["SPY"] if category == "odd" else await asyncio.Event().wait()

    symbols, feeds = asyncio.run(propose(Bad(), {"odd": 5, "slow": 5}, SOON))
    assert symbols == ()
    assert "AttributeError" in feeds["odd"]["reason"]
    assert "nothing within" in feeds["slow"]["reason"]


def test_who_proposes_nothing_is_not_asked(provider):
    assert asyncio.run(propose(provider(), {"trending": 5}, LATE)) == ((), {})


def test_the_problem_is_what_is_said_most_often():
    failures = {"A": NoDataError("b"), "B": SourceError("a"), "C": SourceError("a")}
    answer = Answer(("A", "B", "C", "D"), {}, failures)
    assert answer.problem == "3 of 4 symbols failed, 2 so: a"
    assert answer.retryable
    assert not Answer(("A",), {}, {"A": NoDataError("b")}).retryable
    assert (Answer().problem, Answer().asof) == ("", None)


@pytest.mark.parametrize("bad", [timedelta(0), 60, None])
def test_a_timeout_is_a_time(bad):
    with pytest.raises(UsageError, match="no time to wait"):
        DynamicWatchlistManager("SPY", timeout=bad)
