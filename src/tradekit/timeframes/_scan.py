"""What was seen at each timeframe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Literal, overload

import attrs
from attrs.converters import optional

from .._core.clock import to_utc
from .._core.errors import TradekitError
from .._core.signal import Direction, Signal
from .._core.timeframe import Timeframe

Said = Literal["bullish", "bearish", "mixed"]


def direction_of(signals: Sequence[Signal]) -> Said | None:
    """Where signals point: each family's newest has one vote; None when nothing is said."""
    newest: dict[str, set[Direction]] = {}
    latest: dict[str, datetime] = {}
    for signal in signals:
        if signal.family not in latest or signal.time > latest[signal.family]:
            latest[signal.family], newest[signal.family] = signal.time, set()
        if signal.time == latest[signal.family]:
            newest[signal.family].add(signal.direction)
    # A family that says both at once says neither.
    net = sum(sum(side.sign for side in sides) for sides in newest.values())
    if net:
        return "bullish" if net > 0 else "bearish"
    return "mixed" if newest else None


@attrs.frozen
class TimeframeLook:
    """What one timeframe shows at one moment.

    Parameters
    ----------
    timeframe : Timeframe
        How long its bars are.
    signals : tuple of Signal
        The newest of each detector that is still news, newest first; of detectors that have all
        the history they need.
    bars : int
        How many bars were looked at.
    newest_close : datetime, optional
        When the newest of them was complete, aware UTC.
    age : int, optional
        Bars since the newest signal: 0 for the newest bar's. None without a signal.
    not_ready : tuple of str
        Detectors that need more bars; what they say is left out.
    errors : mapping of str to str
        Detectors that failed, and how; the others were heard.
    stale : bool
        Whether bars are missing that should be there by now.
    failure : TradekitError, optional
        Why it could not be looked at.

    Examples
    --------
    >>> look = TimeframeLook("1Day", bars=250)
    >>> look.ok, look.ready, look.direction  # it looked, and there was nothing to see
    (True, True, None)
    """

    timeframe: Timeframe = attrs.field(converter=Timeframe)
    signals: tuple[Signal, ...] = attrs.field(default=(), kw_only=True)
    bars: int = attrs.field(default=0, kw_only=True)
    newest_close: datetime | None = attrs.field(
        default=None, kw_only=True, converter=optional(to_utc)
    )
    age: int | None = attrs.field(default=None, kw_only=True)
    not_ready: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    errors: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
    stale: bool = attrs.field(default=False, kw_only=True)
    # Errors that say the same are equal: two scans of the same thing are.
    failure: TradekitError | None = attrs.field(default=None, kw_only=True, eq=str)

    @property
    def ok(self) -> bool:
        """Whether it could be looked at."""
        return self.failure is None

    @property
    def ready(self) -> bool:
        """Whether it was looked at with all the history that its detectors need."""
        return self.ok and not self.not_ready and not self.errors

    @property
    def direction(self) -> Said | None:
        """Where its signals point, one vote a family; None when nothing is said."""
        return direction_of(self.signals)

    def __str__(self) -> str:
        if self.failure is not None:
            return f"{self.timeframe:<6} could not look: {self.failure}"
        known = f"{self.newest_close:%Y-%m-%d %H:%M} UTC" if self.newest_close else "no bar"
        said = f"{self.direction}, newest {self.age} bars ago" if self.signals else "nothing to say"
        notes = f"; {len(self.not_ready)} detectors need more bars" if self.not_ready else ""
        notes += f"; {len(self.errors)} detectors failed" if self.errors else ""
        notes += "; stale" if self.stale else ""
        return f"{self.timeframe:<6} {said}; {self.bars} bars to {known}{notes}"


def _frozen(looks: Mapping[Timeframe, TimeframeLook]) -> Mapping[Timeframe, TimeframeLook]:
    return MappingProxyType({look.timeframe: look for look in looks.values()})


@attrs.frozen(repr=False)
class TimeframeScan(Sequence[Signal]):
    """What all timeframes show of one symbol: a sequence of signals that explains itself.

    It is empty, and false, when nothing is said; `ok` tells whether anything could be looked at.

    Parameters
    ----------
    symbol : str
        Of what.
    time : datetime
        Now, aware UTC: everything rests on bars that were complete by then.
    looks : mapping of Timeframe to TimeframeLook
        From the shortest timeframe to the longest.

    Examples
    --------
    >>> from datetime import UTC
    >>> now = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> days = TimeframeLook("1Day", bars=250, newest_close=now)
    >>> scan = TimeframeScan("SPY", now, {"1Day": days})
    >>> scan
    <TimeframeScan SPY at 2024-03-08 21:00 UTC: 0 signals
      1Day   nothing to say; 250 bars to 2024-03-08 21:00 UTC>
    >>> bool(scan), scan.ok
    (False, True)
    """

    symbol: str
    time: datetime = attrs.field(converter=to_utc)
    looks: Mapping[Timeframe, TimeframeLook] = attrs.field(converter=_frozen)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals, from the shortest timeframe to the longest, each newest first."""
        return tuple(chain.from_iterable(look.signals for look in self.looks.values()))

    @property
    def new(self) -> tuple[Signal, ...]:
        """The signals of each timeframe's newest bar: what was not there one bar ago."""
        return tuple(s for s in self.signals if s.time == self.looks[s.timeframe].newest_close)

    @property
    def ok(self) -> bool:
        """Whether any timeframe could be looked at."""
        return any(look.ok for look in self.looks.values())

    @property
    def failures(self) -> dict[Timeframe, TradekitError]:
        """Why timeframes could not be looked at."""
        looks = self.looks.items()
        return {name: look.failure for name, look in looks if look.failure is not None}

    def __len__(self) -> int:
        return len(self.signals)

    @overload
    def __getitem__(self, rows: int) -> Signal: ...
    @overload
    def __getitem__(self, rows: slice) -> tuple[Signal, ...]: ...
    def __getitem__(self, rows: int | slice) -> Signal | tuple[Signal, ...]:
        return self.signals[rows]

    def __repr__(self) -> str:
        found = f"{len(self)} signals" if self.ok else "could not look"
        lines = [f"<TimeframeScan {self.symbol} at {self.time:%Y-%m-%d %H:%M} UTC: {found}"]
        return "\n  ".join([*lines, *map(str, self.looks.values())]) + ">"
