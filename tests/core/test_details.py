from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.details import details, plain
from tradekit._core.errors import UsageError
from tradekit._core.signal import SignalStrength, SignalType
from tradekit._core.timeframe import Timeframe

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float64(1.5), 1.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array(3), 3),
        (np.arange(3), [0, 1, 2]),
        (np.array([1.0, np.nan]), [1.0, "nan"]),
        (pd.Series([1.0, 2.0]), [1.0, 2.0]),
        (np.datetime64("2024-03-08T17:00", "ns"), "2024-03-08T17:00:00.000000000"),
        (np.array(["2024-03-08"], "M8[D]"), ["2024-03-08"]),
        (np.timedelta64(3, "s"), "3 seconds"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (NOON, "2024-03-08T17:00:00+00:00"),
        (pd.Timestamp(NOON), "2024-03-08T17:00:00+00:00"),
        (pd.NaT, "NaT"),
        (date(2024, 3, 8), "2024-03-08"),
        (timedelta(hours=1), "1:00:00"),
        (Timeframe("1h"), "1Hour"),
        (SignalType.BREAKOUT, "breakout"),
        (SignalStrength.STRONG, 4),
        (Decimal("1.5"), "1.5"),
        (ValueError("gone"), "gone"),
        (("a", [1, (2,)]), ["a", [1, [2]]]),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({3, "a", None}), [3, None, "a"]),
        ({1: {2: {3}}}, {"1": {"2": [3]}}),
    ],
)
def test_what_json_cannot_say_becomes_plain(value, kept):
    got = plain(value)
    assert (got, type(got)) == (kept, type(kept))
    assert json.loads(json.dumps(got, allow_nan=False)) == kept


@given(JSON)
def test_what_json_can_say_stays_as_it_is(value):
    assert plain(value) == value
    assert plain(plain(value)) == plain(value)


def test_the_order_of_a_set_is_the_same_in_every_process():
    code = "from tradekit._core.details import plain; print(plain({*'abcdefgh'}))"
    run = partial(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True)
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in "12"]
    said = [run(env=env, check=True).stdout.strip() for env in seeds]
    assert said == [str(list("abcdefgh"))] * 2


def test_details_are_a_copy():
    mine = {"tags": ["a"]}
    kept = details(mine)
    mine["tags"].append("b")
    assert kept == {"tags": ["a"]}


@pytest.mark.parametrize("value", [None, "text", ["a"], 3])
def test_details_have_names(value):
    with pytest.raises(UsageError, match="details have names: expected a dict, got"):
        details(value)
