"""How long one bar is."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import Any

from .errors import UsageError

_SECONDS = {"Sec": 1, "Min": 60, "Hour": 3600, "Day": 86_400, "Week": 604_800}
_UNITS = {
    "Sec": ("s", "sec", "secs", "second", "seconds"),
    "Min": ("m", "t", "min", "mins", "minute", "minutes"),
    "Hour": ("h", "hr", "hour", "hours"),
    "Day": ("d", "day", "days"),
    "Week": ("w", "wk", "week", "weeks"),
}
_UNIT_OF = {alias: unit for unit, aliases in _UNITS.items() for alias in aliases}
_TEXT = re.compile(r"\s*(\d{1,9})\s*([A-Za-z]+)\s*")
_HINT = "'1Min', '5Min', '15Min', '30Min', '1Hour', '2Hour', '4Hour', '1Day' or '1Week'"


class Timeframe(str):
    """The length of one bar, as the field writes it: ``"5Min"``, ``"1Hour"``, ``"1Day"``.

    It is a `str`, so ``f"{tf}"`` and ``tf == "5Min"`` work, but ``<`` and its kin compare lengths.
    ``60Min`` becomes ``1Hour``; ``24Hour`` stays, since a day is a session and not 24 hours.

    Parameters
    ----------
    value : str, timedelta, Timeframe or alpaca-py TimeFrame
        Seconds (``"1s"``), minutes (``"5Min" "5m" "5T"``), hours (``"1h" "1Hour"``), one session
        (``"1D" "1Day"``, ``timedelta(days=1)``) or one week (``"1W"``).

    Raises
    ------
    UsageError
        When it is none of these. ``"1M"`` is refused: it may mean a minute or a month.

    Examples
    --------
    >>> Timeframe("60m"), Timeframe("1h") == "1Hour", Timeframe("5Min") < Timeframe("1Day")
    ('1Hour', True, True)
    """

    def __new__(cls, value: object) -> Timeframe:
        if isinstance(value, cls):
            return value
        return super().__new__(cls, _canonical(value))

    @cached_property
    def amount(self) -> int:
        """How many units: 5 for ``5Min``."""
        return int(self.removesuffix(self.unit))

    @cached_property
    def unit(self) -> str:
        """The unit: ``Sec``, ``Min``, ``Hour``, ``Day`` or ``Week``."""
        return self.lstrip("0123456789")

    @cached_property
    def seconds(self) -> int:
        """Seconds from one bar's label to the next within a session; 86,400 for a day."""
        return self.amount * _SECONDS[self.unit]

    @property
    def ns(self) -> int:
        """`seconds` in nanoseconds."""
        return self.seconds * 1_000_000_000

    @property
    def delta(self) -> timedelta:
        """`seconds` as a `timedelta`."""
        return timedelta(seconds=self.seconds)

    @property
    def is_intraday(self) -> bool:
        """Whether a session holds several such bars (seconds, minutes and hours)."""
        return self.unit not in ("Day", "Week")

    def __repr__(self) -> str:
        return str.__repr__(self)

    def _key(self) -> tuple[int, bool]:
        # 24Hour and 1Day are equally long and yet not equal: the session ranks above the hours.
        return self.seconds, not self.is_intraday

    def __lt__(self, other: str) -> bool:
        return self._key() < Timeframe(other)._key()

    def __le__(self, other: str) -> bool:
        return self._key() <= Timeframe(other)._key()

    def __gt__(self, other: str) -> bool:
        return self._key() > Timeframe(other)._key()

    def __ge__(self, other: str) -> bool:
        return self._key() >= Timeframe(other)._key()


def _canonical(value: object) -> str:
    if isinstance(value, timedelta):
        return _from_timedelta(value)
    if hasattr(value, "amount_value") and hasattr(value, "unit_value"):
        return _from_parts(int(value.amount_value), str(value.unit_value.value), value)
    if not isinstance(value, str):
        raise _unknown(value)
    return _from_text(str(value))


@lru_cache(maxsize=256)  # bots ask in the same few words all day
def _from_text(value: str) -> str:
    match = _TEXT.fullmatch(value)
    if match is None:
        raise _unknown(value)
    return _from_parts(int(match[1]), match[2], value)


def _from_parts(count: int, unit: str, value: Any) -> str:
    if unit == "M":
        raise UsageError(
            f"timeframe {str(value)!r} is ambiguous",
            expected="minutes as '1Min' or months as calendar months, which are no bar here",
            got="M, which may mean either",
            hint=f"{count}Min, or resample days to your months",
        )
    name = _UNIT_OF.get(unit.lower())
    if name is None or count < 1 or (name in ("Day", "Week") and count > 1):
        raise _unknown(value)
    if name in ("Day", "Week"):
        return f"1{name}"
    return _shortest(count * _SECONDS[name])


def _from_timedelta(value: timedelta) -> str:
    seconds = value.total_seconds()
    if value == timedelta(days=1):
        return "1Day"
    if value == timedelta(weeks=1):
        return "1Week"
    if seconds < 1 or seconds != int(seconds) or seconds > _SECONDS["Day"]:
        raise _unknown(value)
    return _shortest(int(seconds))


def _shortest(seconds: int) -> str:
    """Name an intraday length by its largest whole unit: 3600 is 1Hour, 5400 is 90Min."""
    if seconds > _SECONDS["Day"]:
        raise _unknown(f"{seconds} seconds")
    unit = next(name for name in ("Hour", "Min", "Sec") if seconds % _SECONDS[name] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _unknown(value: object) -> UsageError:
    return UsageError(
        "unknown timeframe",
        expected="a count of seconds, minutes or hours up to a day, one day or one week",
        got=repr(value),
        hint=_HINT,
    )
