"""What may be changed on a manager while it runs."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta

import pytest

from tradekit import UsageError
from tradekit.data import MultiSourceDataManager
from tradekit.data._settings import Settings


async def nobody_awaits(told):
    raise AssertionError(told)


@pytest.mark.parametrize("callback", [nobody_awaits, "print"])
@pytest.mark.parametrize("name", ["on_change", "on_call"])
def test_a_callback_is_a_plain_function(name, callback):
    with pytest.raises(UsageError, match=f"no such {name}: expected a plain function"):
        MultiSourceDataManager(sources=["simulated"], **{name: callback})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("cache_duration", 5, "cache_duration is a duration"),
        ("cache_duration", timedelta(-1), "cache_duration is a duration"),
        ("max_errors_before_disable", "5", "errors are counted"),
        ("cool_down", 60, "cool_down is a duration"),
        ("timeout", None, "timeout is a duration"),
    ],
)
def test_what_cannot_be_is_refused_at_once_and_changes_nothing(name, value, problem):
    manager = MultiSourceDataManager(sources=["simulated"])
    before = getattr(manager, name)
    with pytest.raises(UsageError, match=problem):
        setattr(manager, name, value)
    assert getattr(manager, name) == before


def test_what_is_no_setting_is_refused_and_what_is_one_is_kept():
    manager = MultiSourceDataManager(sources=["simulated"])
    with pytest.raises(UsageError, match=r"no such setting: expected .*cache_duration.*cach_dur"):
        manager.cach_duration = timedelta(minutes=5)
    manager.cache_duration = timedelta(minutes=7)
    manager.last_failure = None
    assert (manager.cache_duration, manager.last_failure) == (timedelta(minutes=7), None)


def test_the_clock_stays_what_it_was():
    manager = MultiSourceDataManager(sources=["simulated"])
    with pytest.raises(AttributeError, match="clock"):
        manager.clock = None


def test_a_manager_begins_on_the_terms_that_are_usual():
    assert MultiSourceDataManager(sources=["simulated"])._settings == Settings()


def test_only_a_source_can_be_trusted():
    with pytest.raises(UsageError, match="no such source to trust: expected 'simulated' or"):
        MultiSourceDataManager(sources=["simulated"], trusted=["simulatd"])
    manager = MultiSourceDataManager(sources=["simulated"], trusted=["alpaca"])  # it may be absent
    with pytest.raises(UsageError, match=r"got .*'memory'"):
        manager.trusted = ["simulated", "memory"]
    assert manager.trusted == ("alpaca",)


@pytest.mark.parametrize("seed", [-1, "x", 1.5])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(UsageError, match="a seed is a whole number"):
        MultiSourceDataManager(sources=["simulated"], seed=seed)


def test_a_lookback_is_called_so_in_its_hint():
    manager = MultiSourceDataManager(sources=["simulated"])
    with pytest.raises(UsageError, match="lookback=300"):
        manager.blocking.fetch_many(["SPY"], "5Min", 0)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_manager_is_made_in_each_process_and_never_copied(copied):
    with pytest.raises(UsageError, match="make one in each process"):
        copied(MultiSourceDataManager(sources=["simulated"]))
