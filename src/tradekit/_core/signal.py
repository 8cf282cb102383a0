"""What a detector, or the aggregate, says at one bar."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from hashlib import blake2b

import attrs
from attrs.converters import optional

from .clock import to_ns, to_utc
from .errors import UsageError
from .figures import as_float, finite
from .timeframe import Timeframe
from .words import Word, words


class Direction(Word):
    """Where the price is expected to go; equal to the plain text.

    Examples
    --------
    >>> Direction.BULLISH == "bullish", int(Direction.BEARISH.sign)
    (True, -1)
    """

    BULLISH = "bullish"
    BEARISH = "bearish"

    @property
    def sign(self) -> int:
        """1 for bullish, -1 for bearish."""
        return 1 if self is Direction.BULLISH else -1


class SignalType(Word):
    """What kind of event a signal is about.

    Examples
    --------
    >>> SignalType("breakout").name
    'BREAKOUT'
    """

    TREND = "trend"
    MOMENTUM = "momentum"
    MEAN_REVERSION = "mean_reversion"
    BREAKOUT = "breakout"
    VOLUME = "volume"
    GAP = "gap"
    CANDLESTICK = "candlestick"
    DIVERGENCE = "divergence"
    LEVEL = "level"
    CONSENSUS = "consensus"
    CUSTOM = "custom"


class SignalStrength(IntEnum):
    """How strong a signal is, in five steps of its confidence.

    Examples
    --------
    >>> SignalStrength.of(75.0).name
    'STRONG'
    """

    VERY_WEAK = 1
    WEAK = 2
    MODERATE = 3
    STRONG = 4
    VERY_STRONG = 5

    @classmethod
    def of(cls, confidence: float) -> SignalStrength:
        """Give the step of a confidence: each covers 20 points.

        Parameters
        ----------
        confidence : float
            0 to 100.

        Returns
        -------
        SignalStrength
            From VERY_WEAK below 20 to VERY_STRONG from 80.

        Raises
        ------
        UsageError
            When it is out of range.
        """
        if not 0 <= confidence <= 100:
            raise UsageError("no such confidence", expected="0 to 100", got=str(confidence))
        return cls(min(int(confidence // 20) + 1, 5))


@attrs.frozen
class Signal:
    """What was said about a symbol when a bar closed, by whom and how sure.

    Parameters
    ----------
    symbol : str
        About whom.
    time : datetime
        When it became known: the close time of its bar, aware UTC.
    timeframe : Timeframe
        Length of that bar.
    signal_type : SignalType
        What kind of event.
    direction : Direction
        ``"bullish"`` or ``"bearish"``.
    confidence : float
        0 to 100. A probability only where ``calibrated``; else a heuristic score.
    price : float
        Close of the bar.
    source_method : str
        Detector and its version, ``"RsiReversal/1"``.
    family : str
        Detectors of one family see the same thing and have one vote.
    calibrated : bool
        Whether the confidence was fitted out of sample.
    warmup : bool
        Whether the detector had less history than it needs to agree with itself; never calibrated.
    base_rate : float, optional
        How often the same levels come out right without any skill, 0 to 100.
    price_target, stop_loss : float, optional
        Where to get out.
    reasons : tuple of str
        Why, in words.
    expires_at : datetime, optional
        When it is no longer news, aware.

    Raises
    ------
    UsageError
        When a number is out of range, a level stands on the wrong side of the price, or a signal
        of the warm-up claims to be calibrated.

    Examples
    --------
    >>> from datetime import UTC
    >>> close = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> signal = Signal("SPY", close, "1Day", SignalType.BREAKOUT, "bullish", 62.0, 512.0,
    ...                 "Breakout/1", "breakout", price_target=520.0, stop_loss=508.0)
    >>> signal.strength.name, round(signal.expected_move, 4), signal.id
    ('STRONG', 0.0156, '16fbc541c9f986ac')
    """

    symbol: str
    time: datetime = attrs.field(converter=to_utc)
    timeframe: Timeframe = attrs.field(converter=Timeframe)
    signal_type: SignalType = attrs.field(converter=SignalType)
    direction: Direction = attrs.field(converter=Direction)
    confidence: float = attrs.field(converter=as_float, validator=finite)
    price: float = attrs.field(converter=as_float, validator=finite)
    source_method: str
    family: str
    calibrated: bool = attrs.field(default=False, kw_only=True)
    warmup: bool = attrs.field(default=False, kw_only=True)
    base_rate: float | None = attrs.field(
        default=None, kw_only=True, converter=as_float, validator=finite
    )
    price_target: float | None = attrs.field(
        default=None, kw_only=True, converter=as_float, validator=finite
    )
    stop_loss: float | None = attrs.field(
        default=None, kw_only=True, converter=as_float, validator=finite
    )
    reasons: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=words)
    expires_at: datetime | None = attrs.field(
        default=None, kw_only=True, converter=optional(to_utc)
    )

    def __attrs_post_init__(self) -> None:
        if self.expires_at is not None and self.expires_at <= self.time:
            _refuse(self, f"expires_at after {self.time}", f"{self.expires_at}")
        for name in ("confidence", "base_rate"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 100:
                _refuse(self, f"{name} from 0 to 100", str(value))
        if self.calibrated and self.warmup:
            _refuse(self, "calibrated or warmup", "both")
        ahead, behind = (self._distance(level) for level in (self.price_target, self.stop_loss))
        lowest = min(x for x in (self.price, self.price_target, self.stop_loss) if x is not None)
        if lowest <= 0 or ahead <= 0 or behind >= 0:
            levels = f"price {self.price}, target {self.price_target}, stop {self.stop_loss}"
            _refuse(self, "prices above zero, the target ahead, the stop behind", levels)

    def _distance(self, level: float | None) -> float:
        """How far a level lies ahead; an absent one is beyond doubt on either side."""
        if level is None:
            return float("nan")
        return self.direction.sign * (level - self.price)

    @property
    def strength(self) -> SignalStrength:
        """The confidence in five steps."""
        return SignalStrength.of(self.confidence)

    @property
    def expected_move(self) -> float | None:
        """Distance to the target as a fraction of the price, signed; None without a target."""
        return None if self.price_target is None else self.price_target / self.price - 1.0

    @property
    def id(self) -> str:
        """Digest of symbol, timeframe, close time, detector, version and direction.

        It holds no price, so that a live window and the whole history name the same signal alike.
        """
        parts = (self.symbol, self.timeframe, to_ns(self.time), self.source_method, self.direction)
        return blake2b("|".join(map(str, parts)).encode(), digest_size=8).hexdigest()


def _refuse(signal: Signal, expected: str, got: str) -> None:
    raise UsageError(
        f"no such signal of {signal.source_method} about {signal.symbol}",
        expected=expected,
        got=got,
        hint="look at the detector's score and levels",
    )
