from __future__ import annotations

import pytest

from tradekit import UsageError
from tradekit.timeframes._settings import configured, settings


def test_the_usual_timeframes_go_from_a_minute_to_a_day():
    config = configured(None)
    assert list(config) == ["1Min", "5Min", "15Min", "1Hour", "4Hour", "1Day"]
    assert [each["lookback"] for each in config.values()] == [300] * 5 + [250]


def test_longer_timeframes_weigh_more():
    weights = [each["weight"] for each in configured(None).values()]
    assert weights == sorted(set(weights))


def test_what_is_not_said_is_as_usual():
    assert configured({"5Min": {"weight": 9.0}}) == {"5Min": {"lookback": 300, "weight": 9.0}}
    assert list(configured(("1Day", "5Min"))) == ["1Day", "5Min"]
    assert list(configured("1Day")) == ["1Day"]


def test_settings_go_from_short_to_long():
    assert list(settings(configured(("1Day", "5Min", "1Hour")))) == ["5Min", "1Hour", "1Day"]


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"5Min": {"lookback": 0}}, "5Min"),
        ({"5Min": {"lookback": 240.0}}, "5Min"),
        ({"5Min": {"lookback": True}}, "5Min"),
        ({"5Min": {}}, "5Min"),
        ({"1Day": {"lookback": 9, "weight": float("nan")}}, "1Day"),
        ({"1Day": {"lookback": 9, "weight": -1}}, "1Day"),
        ({"1Day": {"lookback": 9, "lokback": 8}}, "1Day.*lokback"),
        ({"1Day": 300}, "1Day"),
        ({"1M": {"lookback": 9}}, "1M"),
        ({"60Min": {"lookback": 9}, "1Hour": {"lookback": 9}}, "1Hour is configured twice"),
        ({}, "nothing to scan"),
    ],
)
def test_nonsense_is_refused_by_name(config, named):
    with pytest.raises(UsageError, match=f"(?s){named}"):
        settings(config)
