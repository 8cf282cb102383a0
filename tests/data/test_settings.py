from __future__ import annotations

from datetime import timedelta

import pytest

from tradekit import UsageError
from tradekit.data._settings import Settings


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("timeout", None, "timeout is a duration"),
        ("timeout", timedelta(0), "timeout is a duration"),
        ("cache_duration", timedelta(seconds=-1), "cache_duration is a duration"),
        ("cool_down", 60, "cool_down is a duration"),
        ("max_stale", timedelta(0), "max_stale is a duration"),
        ("timeout", timedelta.max, "timeout is a duration: expected 3650 days at most"),
        ("cache_duration", timedelta.max, "cache_duration is a duration"),
        ("cool_down", timedelta.max, "cool_down is a duration"),
        ("max_stale", timedelta.max, "max_stale is a duration"),
        ("max_errors_before_disable", 0, "errors are counted"),
        ("adjustment", "nope", "no such adjustment"),
        ("cross_check", "sometimes", "no such cross_check: expected 'off' or 'sampled' or"),
        ("unconfirmed", None, "no such unconfirmed"),
        ("tolerance", 2, "the tolerance"),
        ("trusted", 3, "expected"),
    ],
)
def test_what_cannot_be_is_refused(name, value, sentence):
    with pytest.raises(UsageError, match=sentence):
        Settings(**{name: value})


def test_nothing_may_be_kept_and_nobody_tried_again():
    settings = Settings(cache_duration=timedelta(0), cool_down=None, max_stale=None)
    assert (settings.cool_down, settings.max_stale) == (None, None)


def test_one_name_is_a_name_and_not_its_letters():
    assert Settings(trusted="alpaca").trusted == ("alpaca",)
    assert Settings().trusted is None
