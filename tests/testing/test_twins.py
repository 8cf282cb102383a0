"""The kit refuses every broken detector by each check that should, whatever the seed."""

from __future__ import annotations

from unittest import SkipTest

import pytest

from tradekit import ContractError
from tradekit.testing import broken_detectors, check_detector

BROKEN = {type(twin).__name__: twin for twin in broken_detectors()}
PAIRS = [(twin, name) for twin, broken in BROKEN.items() for name in broken.caught_by]
# The thirteen faults of the look-ahead study, as they are found in the wild.
STUDIED = {
    "ComparesWithTomorrow",
    "PeeksAtLargeBars",
    "KnowsTheDaysHigh",
    "JoinsAtTheOpen",
    "UnconfirmedPivot",
    "ZigzagLastLeg",
    "SignalMovedBack",
    "WholeSeriesZScore",
    "ScaledByMaximum",
    "WholeSeriesPercentile",
    "LastBarEverywhere",
    "CentredMean",
    "FilledBackwards",
}
# Whose fault lies in one promise alone: no other check has a reason to refuse them.
PURE = {
    "fires": "SaysNothing",
    "poisoned_future": "LooksBehindTheView",
    "window_parity": "WarmsUpTooEarly",
    "live_is_last_of_history": "LiveIsAnother",
    "same_every_time": "KeepsBarsOnItself",
    "looks_at_bars_only": "ReadsAFile",
    "unknown_volume": "UnknownVolumeIsNone",
    "mirror": "OnlyPercentages",
}


def refusals(twin):
    for check in check_detector(twin):
        try:
            check()
        except ContractError:
            yield check.name
        except SkipTest:
            continue


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("twin", "name"), PAIRS, ids=[f"{t}-{n}" for t, n in PAIRS])
def test_the_kit_refuses_a_broken_twin(twin, name, seed):
    check = next(check for check in check_detector(BROKEN[twin], seed=seed) if check.name == name)
    with pytest.raises(ContractError, match=f"^{twin}[ :].*expected.*got.*Try: "):
        check()


def test_every_check_refuses_a_twin():
    names = {check.name for twin in BROKEN.values() for check in check_detector(twin)}
    assert names == {name for _, name in PAIRS}


def test_all_faults_of_the_study_are_among_them():
    assert set(BROKEN) >= STUDIED
    for name in STUDIED - {"FilledBackwards"}:
        assert {"prefix", "poisoned_future"} <= set(BROKEN[name].caught_by)


@pytest.mark.parametrize("name", PURE)
def test_a_fault_in_one_promise_is_refused_for_that_alone(name):
    assert list(refusals(BROKEN[PURE[name]])) == [name]
