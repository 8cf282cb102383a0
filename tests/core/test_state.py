from __future__ import annotations

import json
from collections import OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from tradekit._core.errors import ContractError
from tradekit._core.regime import Regime
from tradekit._core.state import decode, encode
from tradekit._core.timeframe import Timeframe

NOON = datetime(2024, 3, 8, 17, 0, 0, 1, tzinfo=UTC)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes(timezones=st.sampled_from([None, UTC]))
    | arrays(scalar_dtypes(), array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3))
    | st.floats(width=32).map(np.float32)
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
)
STATES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def same(one, other):
    """Equal to the last bit, and of the same types throughout."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray | np.generic):
        facts = [(x.dtype, x.shape, x.tobytes()) for x in (one, other)]
        return facts[0] == facts[1]
    if isinstance(one, float):
        return repr(one) == repr(other)
    return one == other


def through_json(state):
    return decode(json.loads(json.dumps(encode(state), allow_nan=False)))


@given(STATES)
def test_a_state_comes_back_to_the_last_bit(state):
    assert same(through_json(state), state)


@pytest.mark.parametrize(
    "state",
    [
        -0.0,
        5e-324,
        0.1 + 0.2,
        2**200,
        float("nan"),
        float("-inf"),
        np.float32(0.1),
        np.longdouble(1) / 3,
        np.datetime64("2024-03-08T17:00", "ns"),
        np.timedelta64(3, "m"),
        np.array(["a", "ß"]),
        np.zeros((0, 3)),
        np.array([[1, 2], [3, 4]], order="F"),
        np.array([np.nan, -0.0, np.inf]),
        np.array(7, dtype=">i2"),
        {"dtype": "<f8", "tuple": [1], "float": "nan"},
        {},
        (),
        ((), []),
        NOON,
        NOON.replace(tzinfo=None),
    ],
)
def test_odd_values_come_back_to_the_last_bit(state):
    assert same(through_json(state), state)


def test_arrays_that_come_back_can_be_worked_on():
    state = through_json(np.arange(3.0))
    state += 1
    assert state.tolist() == [1, 2, 3]


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    "state",
    [
        namedtuple("Mean", "value")(1.0),
        Regime.BULL,
        Level.LOW,
        Timeframe("5m"),
        {Regime.BULL: 1.0},
        {1: "one"},
        {"a", "b"},
        OrderedDict(a=1),
        defaultdict(int),
        deque([1]),
        b"bytes",
        date(2024, 3, 8),
        pd.Timestamp(NOON),
        NOON.astimezone(ZoneInfo("America/New_York")),
        Decimal(1),
        np.ma.array([1.0], mask=[True]),
        np.array([object()]),
        np.zeros(1, dtype=[("a", "f8")]),
        lambda: None,
    ],
)
def test_what_would_come_back_as_something_else_is_refused(state):
    with pytest.raises(ContractError, match="a state that cannot be kept: expected numbers, texts"):
        encode({"deep": [(state,)]})


def test_the_error_shows_what_it_met():
    with pytest.raises(
        ContractError, match=r"got a set: \{3\}\. Try: keep plain values in the state"
    ):
        encode([{3}])
