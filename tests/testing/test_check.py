"""A check by its name: under pytest, under unittest, and when its failure is known."""

from __future__ import annotations

import re
import subprocess
import sys
from unittest import SkipTest

import pytest

from tradekit import ContractError, SignalDetector, UsageError
from tradekit.testing import Check, check_detector

CLASSES = '''
import numpy as np
from tradekit import SignalDetector
from tradekit.testing import check_detector

class UpBar(SignalDetector):
    """The bar closed above its open (bullish) or below it (bearish)."""

    def _scan(self, bars):
        return 50.0 * np.sign(bars.close - bars.open)

class Peeks(SignalDetector):
    """Closes higher next."""

    def _scan(self, bars):
        return 50.0 * np.sign(np.append(np.diff(bars.close), np.zeros(1)))

KNOWN = {"prefix": "waits for next week's release"}
STALE = {"mirror": "counts up bars only"}
'''

PYTEST = f"""
import pytest
{CLASSES}

@pytest.mark.parametrize("check", check_detector(UpBar()))
def test_up_bar(check):
    check()

@pytest.mark.parametrize("check", check_detector(Peeks(), known_failures=KNOWN))
def test_peeks(check):
    check()

@pytest.mark.parametrize("check", check_detector(UpBar(), known_failures=STALE))
def test_stale(check):
    check()
"""

UNITTEST = f"""
import unittest
{CLASSES}

class TestDetectors(unittest.TestCase):
    def test_up_bar(self):
        for check in check_detector(UpBar(), known_failures=STALE):
            with self.subTest(check.name):
                check()

    def test_peeks(self):
        for check in check_detector(Peeks(), known_failures=KNOWN):
            if check.name == "prefix":
                with self.subTest(check.name):
                    check()
"""


def run(path, text, *command):
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", *command],
        check=False,
        cwd=path.parent,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_pytest_shows_each_check_by_name_and_known_failures_as_skipped(tmp_path):
    path = tmp_path / "test_mine.py"
    said = run(path, PYTEST, "pytest", "-v", "-rs", "-p", "no:cacheprovider", str(path))
    assert re.search(r"test_up_bar\[prefix\] PASSED", said), said
    assert re.search(r"test_peeks\[poisoned_future\] FAILED", said)
    assert re.search(r"test_peeks\[prefix\] SKIPPED", said)
    assert "known to fail: waits for next week's release" in said
    assert re.search(r"test_stale\[mirror\] FAILED", said)
    assert "take 'mirror' out of known_failures" in said


def test_unittest_shows_each_check_as_a_subtest(tmp_path):
    path = tmp_path / "test_mine.py"
    said = run(path, UNITTEST, "unittest", "-v", "test_mine")
    assert "[mirror]" in said, said
    assert "take 'mirror' out of known_failures" in said
    assert "[prefix]" in said
    assert "known to fail: waits for next week's release" in said
    assert "errors=1, skipped=1" in said


def failing():
    raise ContractError("Mine breaks", expected="this", got="that", hint="mend it")


def test_a_check_raises_what_is_wrong():
    with pytest.raises(ContractError, match="Mine breaks: expected this, got that"):
        Check("holds", failing)()


def test_a_known_failure_is_skipped_with_its_reason_and_its_cause():
    with pytest.raises(SkipTest, match="known to fail: not yet") as skipped:
        Check("holds", failing, "not yet")()
    assert isinstance(skipped.value.__cause__, ContractError)


def test_a_known_failure_that_passes_is_an_error():
    with pytest.raises(ContractError, match="expected the failure that is said to be known: soon"):
        Check("holds", lambda: None, "soon")()


def test_a_check_that_does_not_apply_stays_skipped_when_its_failure_is_known():
    def one_sided():
        raise SkipTest("one side")

    with pytest.raises(SkipTest, match="one side"):
        Check("mirror", one_sided, "one-sided")()


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"prefx": "typo"}, "expected fires, prefix.*got prefx"),
        ({"prefix": ""}, "got no reason for prefix"),
        ({"prefix": "  "}, "got no reason for prefix"),
        ({"prefix": None}, "got no reason for prefix"),
    ],
)
def test_a_known_failure_must_name_a_check_and_a_reason(known, message):
    class Silent(SignalDetector):
        def _scan(self, bars):
            return bars.close * 0

    with pytest.raises(UsageError, match=message):
        check_detector(Silent(), known_failures=known)


def test_a_check_is_called_by_its_name():
    check = Check("prefix", failing)
    assert check.__name__ == check.name == "prefix"
    assert repr(check) == "Check(name='prefix', known=None)"
