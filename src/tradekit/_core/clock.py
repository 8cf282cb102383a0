"""Who says what time it is: "now" is handed in, never read inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

import attrs

from .errors import UsageError

NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime, exactly (floats lose the last digits).

    Parameters
    ----------
    moment : datetime
        Any aware time; `pandas.Timestamp` counts as one.

    Raises
    ------
    UsageError
        When it has no time zone.

    Examples
    --------
    >>> to_ns(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000000
    """
    if getattr(moment, "tzinfo", None) is None or moment.utcoffset() is None:
        raise UsageError(
            "a time needs a zone",
            expected="an aware datetime",
            got=repr(moment),
            hint="datetime(..., tzinfo=UTC), or .astimezone(UTC)",
        )
    since = moment.astimezone(UTC) - _EPOCH
    whole = (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1_000
    return whole + int(getattr(moment, "nanosecond", 0))


def from_ns(ns: int) -> datetime:
    """Turn nanoseconds since 1970 into an aware UTC datetime, cut to microseconds.

    Parameters
    ----------
    ns : int
        Nanoseconds since 1970-01-01 UTC.

    Examples
    --------
    >>> from_ns(1_000_000_000)
    datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.timezone.utc)
    """
    # Not fromtimestamp: on Windows it knows no time before 1970.
    return _EPOCH + timedelta(microseconds=int(ns) // 1_000)


def to_utc(moment: datetime) -> datetime:
    """Give the same moment as a plain UTC datetime, cut to microseconds.

    Parameters
    ----------
    moment : datetime
        Any aware time.

    Raises
    ------
    UsageError
        When it has no time zone.

    Examples
    --------
    >>> to_utc(datetime.fromisoformat("2024-03-08T16:00-05:00")).isoformat()
    '2024-03-08T21:00:00+00:00'
    """
    if type(moment) is datetime and moment.tzinfo is UTC:
        return moment
    return from_ns(to_ns(moment))


@runtime_checkable
class Clock(Protocol):
    """Anything that can say what time it is.

    Examples
    --------
    >>> isinstance(SystemClock(), Clock)
    True
    """

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        ...


@attrs.frozen
class SystemClock:
    """The machine's clock: the default wherever a room runs live.

    Examples
    --------
    >>> SystemClock().now().tzinfo
    datetime.timezone.utc
    """

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


@attrs.frozen
class FixedClock:
    """A clock that stands still: for tests and for questions about one past moment.

    Parameters
    ----------
    at : datetime
        The aware moment that it shows.

    Examples
    --------
    >>> FixedClock(datetime(2024, 3, 8, 21, tzinfo=UTC)).now().isoformat()
    '2024-03-08T21:00:00+00:00'
    """

    at: datetime = attrs.field(converter=to_utc)

    def now(self) -> datetime:
        """Return the same moment each time."""
        return self.at


@attrs.define
class ReplayClock:
    """A clock that the replay moves on: time goes forward, never back.

    Parameters
    ----------
    at : datetime
        The aware moment where the replay starts.

    Examples
    --------
    >>> clock = ReplayClock(datetime(2024, 3, 8, tzinfo=UTC))
    >>> clock.move_to(datetime(2024, 3, 9, tzinfo=UTC))
    >>> clock.now().day
    9
    """

    at: datetime = attrs.field(converter=to_utc)

    def now(self) -> datetime:
        """Return the moment that the replay has reached."""
        return self.at

    def move_to(self, at: datetime) -> None:
        """Move on to a later moment.

        Parameters
        ----------
        at : datetime
            The new aware moment, not before the present one.

        Raises
        ------
        UsageError
            When it lies in the past of this clock.
        """
        if to_ns(at) < to_ns(self.at):
            raise UsageError(
                "a replay clock cannot go back",
                expected=f"{self.at.isoformat()} or later",
                got=at.isoformat(),
                hint="a new ReplayClock for a new replay",
            )
        self.at = at
