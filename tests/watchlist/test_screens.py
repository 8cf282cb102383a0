from __future__ import annotations

from datetime import UTC, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Bars, Candidate, ContractError, PluginError, UsageError, calendar_for
from tradekit.watchlist import (
    Breakouts,
    Gainers,
    Losers,
    Screen,
    Trending,
    Volatility,
    VolumeLeaders,
)
from tradekit.watchlist._screens import chosen_screens, proposals

FLAT = [100.0] * 21
BUILT_IN = [Breakouts, Gainers, Losers, Trending, Volatility, VolumeLeaders]


def told(screen, universe, asof):
    return [(c.symbol, round(c.score, 6), c.reason) for c in screen.rank(universe, asof)]


def test_trending_is_the_distance_from_the_mean_in_average_ranges(daily, friday):
    # 20 closes of 100 and one of 121, flat bars a dollar wide. The mean of the last 20 closes is
    # (19 * 100 + 121) / 20 = 101.05. True ranges: 19 of 1, and 121.5 - 100 = 21.5: mean 2.025.
    universe = {"UP": daily("UP", [*FLAT[1:], 121.0]), "FLAT": daily("FLAT", FLAT)}
    score = round(19.95 / 2.025, 6)
    assert told(Trending(), universe, friday) == [("UP", score, "9.9 ATR above its 20-day mean")]


def test_trending_goes_either_way(daily, friday):
    # The mirror image: the mean is 98.95, the last true range 100 - 78.5 = 21.5.
    universe = {"DOWN": daily("DOWN", [*FLAT[1:], 79.0])}
    score = round(19.95 / 2.025, 6)
    assert told(Trending(), universe, friday) == [("DOWN", score, "9.9 ATR below its 20-day mean")]


def test_volume_is_held_against_the_bars_before(daily, friday):
    universe = {
        "BUSY": daily("BUSY", FLAT, volume=[1000.0] * 20 + [4100.0]),
        "QUIET": daily("QUIET", FLAT, volume=[1000.0] * 20 + [900.0]),
        "DARK": daily("DARK", FLAT, volume=[1000.0] * 10 + [np.nan] + [1000.0] * 10),
        "IDLE": daily("IDLE", FLAT, volume=[0.0] * 20 + [900.0]),
    }
    assert told(VolumeLeaders(), universe, friday) == [
        ("BUSY", 4.1, "volume 4.1x its 20-day average")
    ]
    unknown = VolumeLeaders().rank(universe, friday).unready
    assert unknown == {"DARK": "volume unknown", "IDLE": "volume unknown"}


def test_gainers_and_losers_are_told_by_their_last_two_closes(daily, friday):
    universe = {
        "A": daily("A", [100, 110]),
        "B": daily("B", [100, 80]),
        "C": daily("C", [100, 105]),
        "D": daily("D", [100, 100]),
    }
    assert told(Gainers(), universe, friday) == [
        ("A", 0.1, "up 10.0% on its last close"),
        ("C", 0.05, "up 5.0% on its last close"),
    ]
    assert told(Losers(), universe, friday) == [("B", 0.2, "down 20.0% from its last close")]


def test_volatility_is_the_average_range_as_a_share_of_the_price(daily, friday):
    universe = {"A": daily("A", FLAT), "B": daily("B", FLAT, half=2.0)}
    assert told(Volatility(), universe, friday) == [
        ("B", 0.04, "moves 4.0% a day, on the average of 20 days"),
        ("A", 0.01, "moves 1.0% a day, on the average of 20 days"),
    ]


def test_a_breakout_compares_with_the_bars_before(daily, friday):
    # 102 lies 1.5 above the high of 100.5. True ranges: 19 of 1, and 102.5 - 100 = 2.5: mean 1.075.
    # 98.5 lies 1 below the low of 99.5; its range is 100 - 98 = 2: mean 1.05.
    universe = {
        "UP": daily("UP", [*FLAT[1:], 102.0]),
        "DOWN": daily("DOWN", [*FLAT[1:], 98.5]),
        "AT": daily("AT", [*FLAT[1:], 100.5]),
    }
    assert told(Breakouts(), universe, friday) == [
        ("UP", round(1.5 / 1.075, 6), "1.4 ATR above the highest high of the 20 days before"),
        ("DOWN", round(1 / 1.05, 6), "1.0 ATR below the lowest low of the 20 days before"),
    ]


@pytest.mark.parametrize("kind", BUILT_IN)
def test_bars_that_never_move_and_empty_universes_break_nothing(kind, daily, friday):
    still = daily("STILL", FLAT, half=0.0, volume=0.0)
    assert list(kind().rank({"STILL": still}, friday)) == []
    assert list(kind().rank({}, friday)) == []


@pytest.mark.parametrize("kind", BUILT_IN)
def test_a_young_symbol_is_named_and_not_ranked(kind, daily, friday):
    ranking = kind().rank({"NEW": daily("NEW", [100.0])}, friday)
    assert list(ranking) == []
    assert ranking.unready == {"NEW": f"fewer than {kind.lookback} bars"}


def test_equal_scores_are_ranked_by_name(daily, friday):
    universe = {name: daily(name, [100, 110]) for name in ("C", "A", "B")}
    assert [(c.symbol, c.rank) for c in Gainers().rank(universe, friday)] == [
        ("A", 1),
        ("B", 2),
        ("C", 3),
    ]


def test_a_candidate_says_whose_bars_and_when(daily, friday):
    (candidate,) = Gainers().rank({"A": daily("A", [1, 2])._replace(source="sip")}, friday)
    assert (candidate.category, candidate.source, candidate.asof) == ("gainers", "sip", friday)


@given(seed=st.integers(0, 1000), kind=st.sampled_from(BUILT_IN), back=st.integers(0, 8))
def test_the_ranking_of_a_day_does_not_know_the_days_after(seed, kind, back):
    rng, nyse = np.random.default_rng(seed), calendar_for()
    last = int(nyse.sessions.searchsorted(np.datetime64("2024-03-08")))
    universe = {name: _walk(name, rng, nyse.midnights[last - 29 : last + 1]) for name in "ABCDEF"}
    asof = np.datetime64(int(nyse.closes[last - back]), "ns").astype("M8[us]").item()
    asof = asof.replace(tzinfo=UTC)
    cut = {name: bars.until(asof) for name, bars in universe.items()}
    assert list(kind().rank(universe, asof)) == list(kind().rank(cut, asof))


def _walk(name, rng, time):
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, len(time))))
    volume = rng.uniform(1e5, 1e6, len(time))
    return Bars(name, "1Day", time, close, close * 1.01, close * 0.99, close, volume)


class Mine:
    """A screen that is nobody's child: a category and a rank are enough."""

    category = "mine"

    def __init__(self, *answers):
        self.answers = answers

    def rank(self, universe, asof):
        return [Candidate(s, c, r, 1.0, "so", "me", asof) for s, c, r in self.answers]


def test_screens_come_by_name_as_classes_and_as_objects():
    named, made, mine = chosen_screens(["trending", Gainers, Mine()])
    assert [type(named), type(made), type(mine)] == [Trending, Gainers, Mine]
    assert isinstance(chosen_screens("losers")[0], Losers)


@pytest.mark.parametrize(
    "given",
    [[], [7], [object()], ["trending", Trending()], [type("Bad", (Mine,), {"category": "held"})]],
)
def test_what_is_no_screen_is_refused(given):
    with pytest.raises(UsageError, match="screen"):
        chosen_screens(given)


def test_a_name_that_nobody_registered_is_refused():
    with pytest.raises(PluginError, match="'trendng' is not registered"):
        chosen_screens(["trendng"])


def test_any_screen_is_put_in_the_order_of_its_ranks(daily, friday):
    bars = {name: daily(name, [1, 2]) for name in "AB"}
    found, unready = proposals(Mine(("B", "mine", 2), ("A", "mine", 1)), bars, friday)
    assert ([c.symbol for c in found], unready) == (["A", "B"], {})


@pytest.mark.parametrize(
    "answers",
    [
        [("A", "yours", 1)],
        [("A", "mine", 1), ("A", "mine", 2)],
        [("STRANGER", "mine", 1)],
    ],
)
def test_a_screen_that_breaks_its_promise_is_told_so(answers, daily, friday):
    with pytest.raises(ContractError, match="ranked otherwise"):
        proposals(Mine(*answers), {"A": daily("A", [1, 2])}, friday)


def test_a_figure_that_is_not_finite_is_refused(daily, friday):
    class Endless(Screen):
        category, lookback = "endless", 1

        def _figure(self, panel):
            return panel.close[:, -1] * np.inf

        def _words(self, figure):
            return "on and on"

    with pytest.raises(UsageError, match="needs score"):
        Endless().rank({"A": daily("A", [1, 2])}, friday)


def test_a_screen_without_bars_yet_says_so(daily, friday):
    early = Gainers().rank({"A": daily("A", [1, 2])}, friday - timedelta(days=30))
    assert early.unready == {"A": "fewer than 2 bars"}
