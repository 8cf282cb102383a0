"""The kit: is your source, detector, model or sink what it should be? Named checks for pytest.

Each ``check_*`` function gives a tuple of checks. Hand it to pytest, and every check is a test::

    @pytest.mark.parametrize("check", check_detector(RsiReversal()))
    def test_rsi_reversal(check):
        check()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._check import Check
    from ._detector import check_detector
    from ._providers import FakeProviders, ProviderRequest
    from ._regime import check_regime_model
    from ._sink import check_sink
    from ._source import check_source
    from ._strategies import any_bars
    from ._twins import broken_detectors

_HOME_OF = {
    "Check": "_check",
    "FakeProviders": "_providers",
    "ProviderRequest": "_providers",
    "any_bars": "_strategies",
    "broken_detectors": "_twins",
    "check_detector": "_detector",
    "check_regime_model": "_regime",
    "check_sink": "_sink",
    "check_source": "_source",
}

__all__ = [
    "Check",
    "FakeProviders",
    "ProviderRequest",
    "any_bars",
    "broken_detectors",
    "check_detector",
    "check_regime_model",
    "check_sink",
    "check_source",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tradekit.testing' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return list(__all__)
