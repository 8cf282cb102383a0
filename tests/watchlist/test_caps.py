from __future__ import annotations

import pytest

from tradekit import UsageError, WatchlistCategory
from tradekit.watchlist._caps import Caps

TRENDING = WatchlistCategory.TRENDING


def test_categories_that_are_left_out_have_their_default():
    assert Caps(["trending", "volume_leaders", "mine"], {"mine": 3}) == {
        "trending": 20,
        "volume_leaders": 15,
        "mine": 3,
    }


def test_the_word_and_its_text_are_one_key():
    caps = Caps(["trending"])
    caps[TRENDING] = 5
    assert caps["trending"] == caps.of(TRENDING) == 5
    assert len(caps) == 1


def test_what_is_taken_out_has_its_default_again():
    caps = Caps(["trending"], {"trending": 5})
    del caps["trending"]
    assert caps.of("trending") == 20


@pytest.mark.parametrize("bad", [0, -1, 2.5, "20", True, None])
def test_a_bad_number_is_refused_wherever_it_comes_in(bad):
    caps = Caps(["trending"])
    with pytest.raises(UsageError, match="a cap counts symbols"):
        caps[TRENDING] = bad
    with pytest.raises(UsageError, match="a cap counts symbols"):
        caps.update(trending=bad)
    with pytest.raises(UsageError, match="a cap counts symbols"):
        Caps(["trending"], {TRENDING: bad})
    caps |= {"trending": bad}  # past the door, but not into the list
    with pytest.raises(UsageError, match="a cap counts symbols"):
        caps.of("trending")


@pytest.mark.parametrize("category", ["trendng", "held", WatchlistCategory.STATIC])
def test_a_cap_belongs_to_a_screen(category):
    with pytest.raises(UsageError, match="without a screen"):
        Caps(["trending"])[category] = 5


def test_caps_are_given_by_category():
    with pytest.raises(UsageError, match="caps have categories"):
        Caps(["trending"], 20)
