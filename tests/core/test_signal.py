from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import attrs
import numpy as np
import pytest

from tradekit._core.errors import UsageError
from tradekit._core.signal import Direction, Signal, SignalStrength, SignalType

CLOSE = datetime(2024, 3, 8, 21, tzinfo=UTC)
FACTS = {
    "symbol": "SPY",
    "time": CLOSE,
    "timeframe": "1Day",
    "signal_type": "breakout",
    "direction": "bullish",
    "confidence": 62.0,
    "price": 512.0,
    "source_method": "Breakout/1",
    "family": "breakout",
}
LEVELS = {"price_target": 520.0, "stop_loss": 508.0}


def signal(**changes):
    return Signal(**FACTS | changes)


def test_a_signal_says_all_that_the_guide_reads():
    said = signal(**LEVELS, reasons=["new high"], base_rate=43.0)
    assert (said.signal_type, said.signal_type.value) == (SignalType.BREAKOUT, "breakout")
    assert (said.direction, f"{said.direction}") == ("bullish", "bullish")
    assert (said.calibrated, said.warmup, said.expires_at) == (False, False, None)
    assert said.strength is SignalStrength.STRONG
    assert said.expected_move == 8 / 512
    assert said.reasons == ("new high",)


def test_a_signal_does_not_change():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        signal().confidence = 99.0


def test_an_expected_move_has_the_sign_of_the_price():
    # From 512 down to 496 is 16 / 512 = 3.125 %.
    said = signal(direction="bearish", price_target=496.0, stop_loss=520.0)
    assert said.expected_move == -0.03125
    assert signal().expected_move is None


@pytest.mark.parametrize(
    ("confidence", "name"),
    [
        (0, "VERY_WEAK"),
        (19.99, "VERY_WEAK"),
        (20, "WEAK"),
        (40, "MODERATE"),
        (60, "STRONG"),
        (79.99, "STRONG"),
        (80, "VERY_STRONG"),
        (100, "VERY_STRONG"),
    ],
)
def test_each_step_of_strength_covers_twenty_points(confidence, name):
    assert SignalStrength.of(confidence).name == name
    assert signal(confidence=confidence).strength.name == name


@pytest.mark.parametrize("confidence", [-1, 100.5, float("nan")])
def test_no_step_covers_what_is_no_confidence(confidence):
    with pytest.raises(UsageError, match="no such confidence: expected 0 to 100, got"):
        SignalStrength.of(confidence)


def test_steps_of_strength_compare_as_numbers():
    assert [int(step) for step in SignalStrength] == [1, 2, 3, 4, 5]
    assert SignalStrength.WEAK < SignalStrength.STRONG


@pytest.mark.parametrize("name", ["confidence", "base_rate"])
@pytest.mark.parametrize("value", [-0.1, 100.1])
def test_shares_go_from_0_to_100(name, value):
    sentence = f"no such signal of Breakout/1 about SPY: expected {name} from 0 to 100, got {value}"
    with pytest.raises(UsageError, match=sentence):
        signal(**{name: value})
    assert getattr(signal(**{name: 0}), name) == 0
    assert getattr(signal(**{name: 100}), name) == 100


@pytest.mark.parametrize("name", ["confidence", "price", "base_rate", "price_target", "stop_loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "62", True])
def test_what_is_no_number_is_refused_and_never_kept(name, value):
    with pytest.raises(UsageError, match=f"Signal needs {name}: expected a finite number"):
        signal(**{name: value})


@pytest.mark.parametrize(
    ("direction", "target", "stop"),
    [
        ("bullish", 511.0, None),
        ("bullish", 512.0, None),
        ("bullish", None, 513.0),
        ("bullish", None, 512.0),
        ("bearish", 513.0, None),
        ("bearish", 512.0, None),
        ("bearish", None, 511.0),
        ("bearish", None, 512.0),
    ],
)
def test_the_target_lies_ahead_and_the_stop_behind(direction, target, stop):
    sentence = f"got price 512.0, target {target}, stop {stop}"
    with pytest.raises(UsageError, match=sentence):
        signal(direction=direction, price_target=target, stop_loss=stop)


def test_levels_may_lie_close_to_a_small_price():
    said = signal(price=0.5, price_target=0.5001, stop_loss=0.4999)
    assert said.expected_move == pytest.approx(0.0002)


def test_what_is_not_in_the_guides_order_is_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        Signal(*FACTS.values(), True)


@pytest.mark.parametrize(
    "prices", [{"price": 0.0}, {"price": -1.0}, {"stop_loss": 0.0}, {"stop_loss": -45.2}]
)
def test_every_price_is_above_zero(prices):
    with pytest.raises(UsageError, match="expected prices above zero"):
        signal(**prices)


def test_a_signal_of_the_warm_up_is_never_calibrated():
    assert signal(calibrated=True).calibrated
    assert signal(warmup=True).warmup
    with pytest.raises(UsageError, match="expected calibrated or warmup, got both"):
        signal(calibrated=True, warmup=True)


def test_a_signal_expires_after_it_was_said():
    later = CLOSE + timedelta(microseconds=1)
    assert signal(expires_at=later).expires_at == later
    for moment in (CLOSE, CLOSE - timedelta(days=1)):
        with pytest.raises(UsageError, match="expected expires_at after 2024-03-08 21:00:00"):
            signal(expires_at=moment)


@pytest.mark.parametrize("name", ["time", "expires_at"])
def test_times_have_a_zone_and_are_kept_in_utc(name):
    new_york = datetime.fromisoformat("2024-03-09T16:00-05:00")
    assert str(getattr(signal(**{name: new_york}), name)) == "2024-03-09 21:00:00+00:00"
    with pytest.raises(UsageError, match="a time needs a zone"):
        signal(**{name: datetime(2024, 3, 9)})  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "value"), [("direction", "up"), ("signal_type", "hunch"), ("timeframe", "1M")]
)
def test_words_come_from_their_lists(name, value):
    with pytest.raises(UsageError):
        signal(**{name: value})


def test_one_reason_is_one_reason():
    assert signal(reasons="RSI crossed 30").reasons == ("RSI crossed 30",)


def test_the_id_is_the_digest_that_was_agreed():
    # 2024-03-08 21:00 UTC is 1,709,931,600 seconds after 1970.
    text = "SPY|1Day|1709931600000000000|Breakout/1|bullish"
    assert signal().id == blake2b(text.encode(), digest_size=8).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "QQQ"},
        {"timeframe": "1Hour"},
        {"time": CLOSE + timedelta(days=1)},
        {"source_method": "Breakout/2"},
        {"direction": "bearish"},
    ],
)
def test_what_names_a_signal_changes_its_id(change):
    assert signal(**change).id != signal().id


def test_no_number_changes_the_id():
    # A window and the whole history differ in the last digits, and mean the same signal.
    other = signal(confidence=61.9, price=512.1, **LEVELS, warmup=True, base_rate=1.0)
    assert other.id == signal().id
    assert signal(time=CLOSE.astimezone().astimezone(UTC)).id == signal().id


def test_the_id_is_the_same_in_every_process():
    code = (
        "from datetime import UTC, datetime\n"
        "from tradekit import Signal\n"
        f"print(Signal(**{ {k: v for k, v in FACTS.items() if k != 'time'} },"
        "time=datetime(2024, 3, 8, 21, tzinfo=UTC)).id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == signal().id


def test_numbers_out_of_arrays_become_plain():
    said = signal(confidence=np.float32(50), price=np.float64(512))
    assert type(said.confidence) is type(said.price) is float
    assert "np.float" not in repr(said)


def test_whole_prices_are_prices():
    said = signal(confidence=62, price=512, price_target=520, stop_loss=508, base_rate=43)
    assert said == signal(price_target=520.0, stop_loss=508.0, base_rate=43.0)


def test_directions_have_signs():
    assert (Direction.BULLISH.sign, Direction.BEARISH.sign) == (1, -1)
