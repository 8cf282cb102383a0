"""The four detectors conform, and their scores add up."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tradekit import Bars, calendar_for
from tradekit.testing import check_detector

try:
    from tradekit._examples.first_look import detectors, look, report
except ImportError:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    from first_look import detectors, look, report

CHECKS = [(type(d).__name__, check) for d in detectors.FOUR for check in check_detector(d)]


@pytest.mark.parametrize(("who", "check"), CHECKS, ids=[f"{w}-{c.name}" for w, c in CHECKS])
def test_a_detector_of_the_demo_passes_the_kit(who, check):
    check()


def test_the_four_are_of_four_families():
    assert len({detector.family for detector in detectors.FOUR}) == 4


@pytest.fixture(scope="module")
def wave():
    """Two years of days that swing by 10 %: RSI turns at both ends."""
    days = np.arange("2022-01-03", "2024-01-01", dtype="M8[D]")
    time = calendar_for().labels(days[np.is_busday(days)])
    close = 100 + 10 * np.sin(np.arange(len(time)) / 7)
    return Bars("WAVE", "1Day", time, close, close + 1, close - 1, close, np.full(len(time), 1e6))


def test_a_look_scores_warm_signals_only(wave):
    one = look.look(wave, detectors.RsiReversal())
    assert one.signals
    assert not any(signal.warmup for signal in one.signals)
    assert len(one.signals) == len(one.outcomes)


def test_the_base_rate_mixes_both_sides_as_the_signals_do(wave):
    one = look.look(wave, detectors.RsiReversal())
    (score,) = look.scores([one])
    up = sum(signal.direction == "bullish" for signal in one.signals) / len(one.signals)
    long, short = one.anytime
    assert score.base_rate == pytest.approx(up * long.hit_rate + (1 - up) * short.hit_rate)


def test_daily_bars_make_no_shorter_ones(wave):
    assert [history.timeframe for history in look.histories(wave)] == ["1Day"]


def test_at_the_last_bar_it_says_what_history_says(wave):
    for cut in range(300, len(wave), 7):
        one = look.look(wave[:cut], detectors.RsiReversal())
        last = [s for s in one.detector.signals(one.bars) if s.time == one.bars[-1].close_time]
        assert list(one.now) == last


def test_every_look_says_something_or_saw_nothing_or_is_not_ready(wave, capsys):
    # The first forty bars: whatever fires there is still warming up, and the rest not ready.
    from rich.console import Console

    for cut in range(20, 60):
        looks = [look.look(wave[:cut], detector) for detector in detectors.FOUR]
        report.show(Console(width=110), "Wave", looks, look.scores(looks))
        counts = re.search(
            r"(\d+) looks: (\d+) say something, (-?\d+)\s+saw nothing, (\d+)",
            capsys.readouterr().out,
        )
        total, said, saw, unready = map(int, counts.groups())
        assert total == said + saw + unready
        assert saw >= 0
