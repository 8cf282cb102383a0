"""What goes wrong, and when: drawn from a seed, forced, by a used budget, or in an outage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from zlib import crc32

import attrs
import numpy as np

from .._core.errors import UsageError
from .._core.figures import count, within
from ._provider_rows import BENT

STATUSES = {
    "401": 401,
    "403_sip": 403,
    "404": 404,
    "422": 422,
    "429": 429,
    "429_retry_after": 429,
    "500": 500,
    "503": 503,
    "504": 504,
}
MANNERS = ("hang", "slow_drip", "drop")
BODIES = ("truncated_json", "html", "empty", "braces")
FAULTS = (*STATUSES, "limit", *MANNERS, *BODIES, "null_bars", *BENT)
OUTAGE = "outage"
_OF_BARS = {"null_bars", *BENT}


def known(fault: object, among: tuple[str, ...]) -> str:
    """Take the name of a fault."""
    if isinstance(fault, str) and fault in among:
        return fault
    raise UsageError(
        "no such fault", expected=" or ".join(among), got=repr(fault), hint="{'hang': 0.02}"
    )


@attrs.frozen
class Plan:
    """How often which fault strikes: one at most for each question.

    Parameters
    ----------
    chances : dict of str to float
        From 0 to 1 by fault; together at most 1.
    among : tuple of str
        The faults that there can be.
    """

    chances: Mapping[str, float] = attrs.field(factory=dict)
    among: tuple[str, ...] = FAULTS

    def __attrs_post_init__(self) -> None:
        for fault, chance in self.chances.items():
            within(f"the chance of {known(fault, self.among)!r}", chance, 0, 1)
        if (total := sum(self.chances.values())) > 1 + 1e-9:
            raise UsageError(
                "more faults than questions",
                expected="chances that add up to 1 at most",
                got=f"{total:g}",
                hint="{'500': 0.05, 'hang': 0.02}",
            )

    def draw(self, luck: float) -> str | None:
        """Find the fault that a number from 0 to 1 stands for, in whatever order they came."""
        for fault in FAULTS:
            luck -= self.chances.get(fault, 0.0)
            if luck < 0:
                return fault
        return None


class Budget:
    """So many questions a minute; a minute begins with the first question after the last one.

    Parameters
    ----------
    per_minute : int
        How many are answered.
    seconds : callable
        Tells the time in seconds, from whatever moment.
    """

    def __init__(self, per_minute: int, seconds: Callable[[], float]) -> None:
        self.per_minute = count(per_minute, "a limit counts requests", "limit_per_minute=200")
        self._seconds = seconds
        self._begun, self._used = -inf, 0

    def spend(self) -> bool:
        """Take one, and tell whether there was one left."""
        if self.wait <= 0:
            self._begun, self._used = self._seconds(), 0
        self._used += 1
        return self._used <= self.per_minute

    @property
    def left(self) -> int:
        """How many are left of this minute's."""
        return max(0, self.per_minute - self._used)

    @property
    def wait(self) -> float:
        """Seconds until there are new ones."""
        return self._begun + 60 - self._seconds()


class Faults:
    """The faults of one provider, question by question.

    A draw depends on the seed, the provider's name and the number of the question, and on nothing
    else: two runs that ask alike are answered alike.
    """

    def __init__(self, provider: str, seed: int, plan: Plan, budget: Budget | None) -> None:
        self._key = [seed, crc32(provider.encode())]
        self._plan, self.budget = plan, budget
        self._forced: deque[str] = deque()
        self._asked = 0
        self.outages = 0

    def force(self, fault: str, times: int) -> None:
        """Let the next questions that this fault can strike be struck by it."""
        self._forced.extend(
            [known(fault, self._plan.among)] * count(times, "a fault is counted", "times=1")
        )

    def next(
        self, can: Callable[[str], bool], serves_bars: bool
    ) -> tuple[str | None, np.random.Generator]:
        """Tell what befalls the next question, and give the numbers that shape it."""
        rng = np.random.default_rng([*self._key, self._asked])
        self._asked += 1
        drawn = self._plan.draw(rng.random())
        if self.budget is not None and not self.budget.spend():
            return "limit", rng

        def strikes(fault: str) -> bool:
            return (serves_bars or fault not in _OF_BARS) and can(fault)

        for place, fault in enumerate(self._forced):
            if strikes(fault):
                del self._forced[place]
                return fault, rng
        return (drawn if drawn is not None and strikes(drawn) else None), rng
