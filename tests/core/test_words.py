from __future__ import annotations

import json
import pickle

import pytest

from tradekit._core.errors import UsageError
from tradekit._core.event import MissReason, Mode
from tradekit._core.regime import Regime
from tradekit._core.signal import Direction, SignalType
from tradekit._core.words import Word, word, words

LISTS = [Direction, SignalType, Regime, Mode, MissReason]


class Side(Word):
    BUY = "buy"
    SELL = "sell"


def test_a_word_is_its_text():
    assert Side("sell") is Side.SELL
    assert Side.SELL == "sell" == f"{Side.SELL}"
    assert json.loads(json.dumps({Side.BUY: Side.SELL})) == {"buy": "sell"}
    assert pickle.loads(pickle.dumps(Side.BUY)) is Side.BUY


@pytest.mark.parametrize("other", ["hold", "BUY", "", None, 3, ["buy"]])
def test_any_other_word_is_refused_with_the_list(other):
    sentence = f"no such Side: expected 'buy' or 'sell', got {other!r}. Try: Side.BUY"
    with pytest.raises(UsageError) as caught:
        Side(other)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("kind", LISTS)
def test_every_list_of_the_hall_refuses_alike(kind):
    assert issubclass(kind, Word)
    with pytest.raises(UsageError, match=f"no such {kind.__name__}: expected '{next(iter(kind))}'"):
        kind("nonsense")


def test_a_text_is_one_word_and_not_its_letters():
    assert words("SPY") == ("SPY",)
    assert words(["SPY", "QQQ"]) == words(w for w in ("SPY", "QQQ")) == ("SPY", "QQQ")
    assert words(()) == ()
    assert words(3) == (3,)


def test_a_text_that_says_something_is_taken_and_nothing_else():
    assert word("gainers", "a category is a word", "gainers") == "gainers"
    for other in (None, 5, "", "  ", ["gainers"], b"gainers"):
        with pytest.raises(UsageError, match="a category is a word: expected a text"):
            word(other, "a category is a word", "gainers")
