"""How one source does: whether it may be asked, how quick it is, and how well it answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import attrs

from .._core.errors import CredentialsError, RateLimitError, SourceError
from .._core.request import Capabilities
from .._core.source import DataSource
from ._breaker import Breaker
from ._budget import Budget, Meter
from ._heard import Heard

NEVER = datetime.max.replace(tzinfo=UTC)
_REMEMBERED, _ENOUGH = 100, 20
# Seconds until the next source is asked too: at first, when clients are imported and connections
# made; while little is known; and never sooner, nor later.
_AT_FIRST, _PATIENCE, _SOON, _LATE = 1.0, 0.25, 0.05, 2.0


_SHORT_OF = {
    "success": "were not sound",
    "latency": "were late",
    "freshness": "were out of date",
    "agreement": "differed from another source's",
}


@attrs.define(eq=False)
class _Answers:
    """What came of a question: so many good answers, and these faults."""

    good: int
    faults: list[str]

    @property
    def total(self) -> int:
        return self.good + len(self.faults)

    def share_of(self, fault: str) -> float:
        return self.faults.count(fault) / self.total


@attrs.define(eq=False)
class SourceHealth:
    """How one source does: its breaker, how quick it is, and its last answers.

    Parameters
    ----------
    breaker : Breaker
        Whether it may be asked.
    budget : Budget
        How often it may be asked.
    symbols_per_call : int, optional
        For how many symbols at once; None means for any number.
    meter : Meter, optional
        Counts its requests, where it does so itself; else each call is one.
    quarantined : datetime, optional
        Until when it is asked last, and not trusted.
    suspicion : str
        Why: how it was the odd one out.
    counted : int
        Requests so far; of one that counts them itself, those from before.
    served : dict of str to datetime
        When it last answered well of a symbol.
    """

    breaker: Breaker = attrs.field(factory=Breaker)
    budget: Budget = attrs.field(factory=lambda: Budget(Capabilities()))
    symbols_per_call: int | None = None
    meter: Meter | None = None
    quarantined: datetime | None = None
    suspicion: str = ""
    counted: int = 0
    served: dict[str, datetime] = attrs.field(factory=dict)
    _failing: set[str] = attrs.field(factory=set, init=False)
    _said: tuple[int | None, ...] = attrs.field(default=(), init=False)
    _took: dict[int, deque[float]] = attrs.field(factory=dict, init=False)
    _heard: deque[_Answers] = attrs.field(factory=lambda: deque(maxlen=_REMEMBERED), init=False)
    _answers: int = attrs.field(default=0, init=False)
    _agreed: deque[tuple[int, bool]] = attrs.field(
        factory=lambda: deque(maxlen=_REMEMBERED), init=False
    )

    @classmethod
    def of(cls, source: DataSource) -> SourceHealth:
        """Begin with a source of which nothing is known."""
        can = source.capabilities
        each = can.symbols_per_call if source.batch else 1
        meter: Meter | None = getattr(source, "meter", None)
        if meter is None:
            return cls(budget=Budget(can), symbols_per_call=each)
        if meter.budget is None:  # else another manager asks the same source
            meter.budget = Budget(can, meter.calls)
        return cls(budget=meter.budget, symbols_per_call=each, meter=meter, counted=meter.calls)

    def read(self, now: datetime) -> Budget:
        """Take in what its meter says, and give its budget."""
        if self.meter is not None:
            self.budget.note(now, self.meter.calls)
            said = self.meter.left, self.meter.reset, self.meter.limit
            if (self.meter.calls, *said) != self._said:  # what was said once holds from then on
                self._said = self.meter.calls, *said
                self.budget.told(now, *said)
        return self.budget

    def anew(self) -> SourceHealth:
        """Forget all but what it was asked for, which its server has not forgotten either."""
        kept = ("budget", "symbols_per_call", "meter", "counted", "served")
        return SourceHealth(**{name: getattr(self, name) for name in kept})

    def wait_no_more(self) -> bool:
        """End what was to last until some moment, and tell whether that makes it ok."""
        before = self.breaker.status
        self.breaker.wait_no_more()
        if self.quarantined != NEVER:
            self.quarantined = None
        return self.breaker.status != before

    def remember(self, now: datetime, said: Heard) -> None:
        """Take note of which symbols it answered well, and which not."""
        self.served |= dict.fromkeys(said.served, now)
        self._failing = (self._failing | said.asked) - said.served

    def own_faults(self, now: datetime, said: Heard, lately: timedelta) -> list[SourceError]:
        """Give what was its own fault: not what fails again of symbols alone that failed before.

        While others are answered well these fail for reasons of their own. In memory the others are
        kept for a while: the same question then asks for those that failed, time and again.
        """
        if not said.asked or not said.asked <= self._failing or not self._serves(now, lately):
            return said.bad
        return [error for error in said.bad if _is_of_all(error)]

    def _serves(self, now: datetime, lately: timedelta) -> bool:
        """Whether it has lately answered well of a symbol, and not failed of it since."""
        return any(
            now - at <= lately for symbol, at in self.served.items() if symbol not in self._failing
        )

    def leave_quarantine(self, now: datetime) -> bool:
        """End a quarantine whose time is over, and tell whether there was one."""
        is_over = self.quarantined is not None and self.quarantined <= now
        if is_over:
            self.quarantined = None
        return is_over

    def is_quarantined(self, now: datetime) -> bool:
        """Tell whether it is asked last, and not trusted."""
        return self.quarantined is not None and now < self.quarantined

    def asked(self, now: datetime, size: int) -> None:
        """Note that it is asked for so many symbols, unless it counts its requests itself."""
        if self.meter is None:
            calls = -(-size // (self.symbols_per_call or size))
            self.counted += calls
            for _ in range(calls):
                self.budget.note(now)

    @property
    def requests(self) -> int:
        """How many there were since it was first known here."""
        return self.counted if self.meter is None else self.meter.calls - self.counted

    def room(self, now: datetime) -> int | None:
        """Tell for how many symbols its budget has calls left; None where there is no limit."""
        left = self.read(now).left(now)
        return None if left is None or not self.symbols_per_call else left * self.symbols_per_call

    def figures(self) -> dict[str, float]:
        """Shares of its last answers, from 0 to 1, that were sound, in time, new, and borne out."""
        oldest = self._answers - _REMEMBERED
        return {
            "success": _mean([heard.good / heard.total for heard in self._heard]),
            "latency": _mean([1 - heard.share_of("late") for heard in self._heard]),
            "freshness": _mean([1 - heard.share_of("stale") for heard in self._heard]),
            "agreement": _mean([same for answer, same in self._agreed if answer > oldest]),
        }

    def reason(self, now: datetime) -> str | None:
        """Say why it is not asked, or not trusted, or what failed at its last question."""
        return self.breaker.reason or (self.suspicion if self.is_quarantined(now) else None)

    def reasons(self, now: datetime) -> list[str]:
        """Say why it is not as well as can be."""
        told = [self.reason(now) or ""]
        told += [
            f"{1 - share:.0%} of its last answers {_SHORT_OF[name]}"
            for name, share in self.figures().items()
            if share < 1
        ]
        return [reason for reason in told if reason]

    @property
    def score(self) -> float:
        """Percent: the weakest of its figures; 0 while it is not asked."""
        return 100.0 * min(self.figures().values()) if self.breaker.status == "ok" else 0.0

    def heard(self, good: int, bad: Sequence[SourceError]) -> None:
        """Note what came of a call: of how many symbols the answer was sound, in time and new."""
        if good or bad:
            self._answers += 1
            self._heard.append(_Answers(good, [error.fault for error in bad]))

    def came_late(self, size: int, seconds: float) -> None:
        """Take back that a call was late: its answer came after so long, and is sound."""
        self.took(size, seconds)
        self.breaker.came_late()
        late = next((heard for heard in reversed(self._heard) if "late" in heard.faults), None)
        if late is not None:
            late.good += 1
            late.faults.remove("late")

    def compared(self, agreed: bool) -> None:
        """Note whether another source bore out an answer."""
        self._agreed.append((self._answers, agreed))

    def took(self, size: int, seconds: float) -> None:
        """Note how long an answer for so many symbols took."""
        self._took.setdefault(_magnitude(size), deque(maxlen=_REMEMBERED)).append(seconds)

    def patience(self, size: int) -> float:
        """Tell how many seconds nineteen of twenty such answers take, or are to be granted."""
        known = self._took.get(_magnitude(size), ())
        if not known:
            return _AT_FIRST * (1 + size / 50)
        if len(known) < _ENOUGH:  # the first is often slow, and half of them are not slower
            return min(max(2 * _quantile(known, 0.5), _PATIENCE * (1 + size / 50)), _LATE)
        return min(max(_quantile(known, 0.95), _SOON), _LATE)

    def latency(self) -> dict[str, float | None]:
        """Seconds that the answers for one symbol lately took."""
        known = self._took.get(0, ())
        return {f"p{q}": _quantile(known, q / 100) if known else None for q in (50, 95)}

    def standing(self, now: datetime) -> dict[str, Any]:
        """Say how it stands, as plain data.

        Parameters
        ----------
        now : datetime
            Aware.

        Returns
        -------
        dict
            As `MultiSourceDataManager.health` explains it.
        """
        breaker, held = self.breaker, self.quarantined
        return {
            "status": breaker.status,
            "score": self.score,
            "errors": breaker.errors,
            "until": breaker.until.isoformat() if breaker.until else None,
            "reason": self.reason(now),
            "reasons": self.reasons(now),
            "quarantined_until": held.isoformat() if held else None,
            **self.figures(),
            "seconds": self.latency(),
            "budget": self.read(now).plan(now),
        }


def _is_of_all(error: SourceError) -> bool:
    """Whether an error has nothing to do with the symbols that were asked for."""
    passes = isinstance(error, RateLimitError | CredentialsError)
    return passes or error.fault == "late" or "unreachable" in error.context


def _mean(shares: Collection[float]) -> float:
    return sum(shares) / len(shares) if shares else 1.0


def _quantile(numbers: Collection[float], share: float) -> float:
    return sorted(numbers)[ceil(share * len(numbers)) - 1]


def _magnitude(size: int) -> int:
    """One symbol, a handful, a watchlist, a market: each takes its own time."""
    return len(str(size - 1)) if size > 1 else 0
