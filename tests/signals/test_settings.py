from __future__ import annotations

import numpy as np
import pytest

from tradekit import UsageError
from tradekit.signals import (
    AdxTrend,
    BollingerReversal,
    DonchianBreakout,
    EmaCross,
    LevelBounce,
    MacdCross,
    OpeningGap,
    RocThrust,
    RsiDivergence,
    RsiReversal,
    SqueezeBreakout,
    VolumeSurge,
)

WRONG = [
    (EmaCross, {"fast": 1}),
    (EmaCross, {"fast": 21, "slow": 21}),
    (EmaCross, {"slow": 20_000}),
    (AdxTrend, {"period": 14.0}),
    (AdxTrend, {"threshold": "25"}),
    (MacdCross, {"fast": 30}),
    (MacdCross, {"signal": 1}),
    (RocThrust, {"period": True}),
    (RocThrust, {"size": 0}),
    (RsiReversal, {"oversold": 70}),
    (RsiReversal, {"period": 1}),
    (BollingerReversal, {"width": float("nan")}),
    (BollingerReversal, {"period": "20"}),
    (DonchianBreakout, {"period": None}),
    (SqueezeBreakout, {"period": 4}),
    (SqueezeBreakout, {"reach": 0}),
    (SqueezeBreakout, {"width": 5}),
    (VolumeSurge, {"period": 9}),
    (OpeningGap, {"size": float("inf")}),
    (RsiDivergence, {"span": 0}),
    (RsiDivergence, {"apart": 5}),
    (LevelBounce, {"age": 0}),
    (LevelBounce, {"span": True}),
    (LevelBounce, {"reach": -0.1}),
]


@pytest.mark.parametrize(("kind", "settings"), WRONG, ids=str)
def test_an_impossible_setting_is_refused_at_birth_by_name(kind, settings):
    name = list(settings)[0 if len(settings) == 1 else -2]
    with pytest.raises(UsageError, match=f"{kind.__name__}: impossible {name}"):
        kind(**settings)


@pytest.mark.parametrize("kind", [BollingerReversal, VolumeSurge])
def test_deviations_that_no_bar_can_have_are_refused(kind):
    # Of n numbers, none lies further from their mean than the square root of n - 1 deviations.
    name = "width" if kind is BollingerReversal else "size"
    kind(period=17, **{name: 4.0})
    with pytest.raises(UsageError, match=r"from .* to 4"):
        kind(period=17, **{name: 4.1})


def test_numbers_of_numpy_are_shown_as_plain_ones():
    said = AdxTrend(period=np.int64(10), threshold=np.float32(20)).source_method
    assert said == "AdxTrend(period=10, threshold=20.0)/1"
