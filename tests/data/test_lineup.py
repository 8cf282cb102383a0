from __future__ import annotations

import logging
import re

import pytest

from tradekit import ContractError, FixedClock, SystemClock, UsageError
from tradekit.data import MemorySource, SimulatedSource
from tradekit.data._lineup import Lineup, chosen_sources, lineup_of, usual_sources

CLOCK = SystemClock()


def test_sources_keep_their_order_and_twins_get_a_number():
    first, second = MemorySource(), MemorySource()
    lineup = Lineup(chosen_sources([first, "simulated", second, "memory"], CLOCK))
    assert lineup.names == ("memory", "simulated", "memory-2", "memory-3")
    present = lineup.present()
    assert present["memory"] is first
    assert present["memory-2"] is second
    assert isinstance(present["simulated"], SimulatedSource)


def test_a_source_that_is_named_gets_the_clock_and_one_that_is_handed_in_keeps_its_own():
    clock = FixedClock(SystemClock().now())
    present = Lineup(chosen_sources(["simulated", MemorySource(clock=CLOCK)], clock)).present()
    assert present["simulated"].clock is clock
    assert present["memory"].clock is CLOCK


def test_nothing_is_made_before_it_is_needed():
    made = []

    def make():
        made.append(1)
        return MemorySource()

    lineup = Lineup({"memory": make})
    assert made == []
    lineup.present()
    lineup.absent()
    assert made == [1]


def test_the_log_says_once_who_is_present_and_why_the_others_are_not(caplog):
    lineup = Lineup(chosen_sources(["memory", "files"], CLOCK))
    with caplog.at_level(logging.INFO, logger="tradekit.data"):
        lineup.present()
        lineup.present()
    (line,) = caplog.messages
    assert line.startswith("sources: memory is present; files is absent (files cannot be made: got")
    assert "Try: hand in the source itself" in line


@pytest.mark.parametrize("sources", [["nobody"], [None], [], [3]])
def test_what_is_no_source_is_refused_at_once(sources):
    with pytest.raises(UsageError, match="no such source: expected a DataSource, 'alpaca' or"):
        chosen_sources(sources, CLOCK)


class Silent(MemorySource):
    """It cannot say what it can do."""

    @property
    def capabilities(self):
        raise RuntimeError("ask me later")


class Vague(MemorySource):
    """What it says it can do is nothing that can be read."""

    capabilities = None


VAGUE = [
    (Silent, "Silent: capabilities raised: .* got RuntimeError: ask me later"),
    (Vague, "Vague: capabilities are no Capabilities: expected Capabilities.* got None"),
]


@pytest.mark.parametrize(("kind", "said"), VAGUE)
def test_who_cannot_say_what_it_can_do_is_refused_at_once(kind, said):
    with pytest.raises(ContractError, match=said):
        chosen_sources([kind()], CLOCK)


@pytest.mark.parametrize(("kind", "said"), VAGUE)
def test_who_is_registered_and_cannot_say_what_it_can_do_is_absent(monkeypatch, kind, said):
    monkeypatch.setattr("tradekit.plugins.load", lambda *_: kind)
    lineup = Lineup(chosen_sources(["simulated"], CLOCK))
    assert lineup.present() == {}
    assert re.search(f"ContractError: {said}", str(lineup.absent()["simulated"]))


def test_the_usual_sources_are_alpaca_then_iex_then_yahoo():
    assert list(usual_sources(None, None, CLOCK)) == ["alpaca", "iex", "yahoo"]


def test_without_keys_the_usual_sources_say_what_they_need(monkeypatch):
    for name in (
        *("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
        "TIINGO_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    absent = Lineup(usual_sources(None, None, CLOCK)).absent()
    assert "APCA_API_KEY_ID" in str(absent["alpaca"])
    assert "TIINGO_API_KEY" in str(absent["iex"])


KEYS = ("the-key", "the-secret")


def test_keys_are_for_alpaca_wherever_it_is_named(monkeypatch):
    made = {}

    def load(group, name):
        def make(*keys):
            made[name] = keys
            return MemorySource()

        return make

    monkeypatch.setattr("tradekit.plugins.load", load)
    for lineup in (
        Lineup(usual_sources(*KEYS, CLOCK)),
        lineup_of(["simulated", "alpaca"], KEYS, CLOCK)[0],
        lineup_of("alpaca", KEYS, CLOCK)[0],
    ):
        made.clear()
        lineup.present()
        assert made.pop("alpaca") == KEYS
        assert set(made.values()) <= {()}


@pytest.mark.parametrize("sources", ["simulated", ["yahoo", "iex"], [MemorySource()]])
def test_keys_that_nobody_takes_are_refused_and_not_shown(sources):
    with pytest.raises(UsageError, match="nobody takes these keys: expected 'alpaca'") as caught:
        lineup_of(sources, KEYS, CLOCK)
    assert "the-" not in str(caught.value)


def test_an_absent_source_is_tried_again_when_that_is_asked_for():
    ready = []

    def make():
        if not ready:
            raise OSError("not yet")
        return MemorySource()

    lineup = Lineup({"memory": make})
    assert "OSError: not yet" in str(lineup.absent()["memory"])
    ready.append(1)
    assert lineup.present() == {}
    lineup.retry("memory")
    assert list(lineup.present()) == ["memory"]
