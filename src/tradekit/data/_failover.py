"""What is known of the answer to one question, and why the rest is missing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

import attrs

from .._core.bars import Bars
from .._core.clock import Clock
from .._core.errors import NoDataError, RateLimitError, SourceError
from .._core.request import BarsRequest, Fetched
from .._core.source import DataSource
from ._calls import hang_up, let_die, outcome
from ._checks import doubt, lack, may_be_short, objection
from ._doubts import Doubtful, Doubts, alike
from ._heard import DOUBTFUL, Heard, nobody
from ._known import Known
from ._overlap import jump
from ._parts import Part, Parts

_MOST = 0.95  # of the time there is, so that what has come by then arrives
_LOOKS = 2  # at a symbol of which a source says that there is nothing, though there was before
_UNBELIEVED = ("rewritten", "bad_data")  # what such an answer was made of is not used again


def _of(symbol: str, answer: Fetched | SourceError) -> Bars | SourceError:
    if isinstance(answer, SourceError):
        return answer
    return answer.failures[symbol] if symbol in answer.failures else answer.bars[symbol]


class Failover:
    """The bars that were found so far, and why the others were not.

    Parameters
    ----------
    request : BarsRequest
        What is asked.
    clock : Clock
        Who says what time it is.
    known : mapping of str to Known, optional
        By symbol, what a source has answered before: it is asked for what is missing alone.
    wanted : int, optional
        How many bars will do, where more are asked for so that an answer can be judged.
    has_served : callable, optional
        Tells whether a source has ever answered well of a symbol: who has not may never have had
        it. Else none has.
    """

    def __init__(
        self,
        request: BarsRequest,
        clock: Clock,
        known: Mapping[str, Known] | None = None,
        wanted: int | None = None,
        has_served: Callable[[str, str], bool] | None = None,
    ) -> None:
        self.request, self.now = request, clock.now()
        self.known = dict(known or {})
        self._has_served = has_served or (lambda _, __: False)
        self._saw_nothing: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self.bars: dict[str, Bars] = {}
        self.answered_by: dict[str, str] = {}
        self.unconfirmed: set[str] = set()
        self.recalled: set[str] = set()
        self.refused: set[str] = set()
        self.expelled: set[str] = set()
        self._changed: set[str] = set()
        self.behind: dict[str, tuple[str, Bars]] = {}
        self._unbelieved: set[str] = set()
        more = wanted is not None and wanted != request.limit
        self._wanted = attrs.evolve(request, limit=wanted) if more else request
        self.blamed: dict[str, str] = {}
        self._causes: dict[str, dict[str, SourceError]] = {s: {} for s in request.symbols}
        self._doubts = Doubts()

    @property
    def missing(self) -> tuple[str, ...]:
        """Who has no bars yet, or none that will do."""
        has = self.bars.keys() - self.refused
        return tuple(symbol for symbol in self.request.symbols if symbol not in has)

    def recall(self, turn: Mapping[str, DataSource]) -> None:
        """Take what whoever is asked first has told for good: it need not be asked again.

        Parameters
        ----------
        turn : dict of str to DataSource
            Who can be asked, in order.
        """
        for symbol, known in self.known.items():
            if self.request.end is None or known.giver != next(iter(turn), None):
                continue
            source, limit = turn[known.giver], self.request.limit or 0
            is_whole = known.stretches(self.request, self.now, source.capabilities.settle) == ()
            bars = known.bars[-limit:]
            if (
                is_whole
                and len(bars) >= limit
                and not objection(source, self.request, bars, self.now)
            ):
                self.replace(symbol, known.giver, bars)
                self.recalled.add(symbol)

    @property
    def wanted(self) -> int | None:
        """How many bars will do."""
        return self._wanted.limit

    @property
    def lasting(self) -> set[str]:
        """Whose bars are worth keeping: those told now that nobody contests.

        Who contradicts what it told before is not trusted until it tells the same once more.
        """
        contested = self.unconfirmed - self._changed
        kept = self.bars.keys() - contested - self.recalled
        return {symbol for symbol in kept if self.answered_by[symbol] not in self.expelled}

    def skip(self, name: str, why: SourceError, *, blame: bool = False) -> None:
        """Note why a source was not asked, and whether it is to blame."""
        for symbol in self.missing:
            self._causes[symbol][name] = why
        if blame:
            self.blamed[name] = str(why)

    def explain(self, name: str, why: SourceError) -> None:
        """Note why a source said nothing of the symbols that are missing, where it did not."""
        for symbol in self.missing:
            self._causes[symbol].setdefault(name, why)

    @property
    def is_held(self) -> bool:
        """Whether there are answers for all that is missing that only a longer one could better."""
        return all(map(self._doubts.is_benign, self.missing))

    def open_to(self, name: str) -> tuple[str, ...]:
        """Name the symbols that a source may still be asked for.

        Parameters
        ----------
        name : str
            Under which it is known.

        Returns
        -------
        tuple of str
            Those without bars, unless it has said that it has none, or has given what it has.
        """
        return tuple(symbol for symbol in self.missing if self._is_open(symbol, name))

    async def ask(
        self, name: str, source: DataSource, symbols: tuple[str, ...], seconds: float, heard: Heard
    ) -> None:
        """Ask a source, and keep what comes as it comes.

        Parameters
        ----------
        name : str
            Under which it is known.
        source : DataSource
            Whom.
        symbols : tuple of str
            Of whom.
        seconds : float
            How long it may take.
        heard : Heard
            Takes in what that says of the source.
        """
        parts = self._parts(name, source, symbols, seconds)
        # One by one, what has come in time is kept although the rest is late.
        asked = parts.questions()
        if not source.batch:
            asked = [part.of(symbol) for part in asked for symbol in part.request.symbols]
        calls = {asyncio.ensure_future(source.fetch(part.request)): part for part in asked}
        for call in calls:
            let_die(call)  # whoever straggles may outlive its event loop
        try:
            waiting = set(calls)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for call in done:
                    for symbol in calls[call].request.symbols:
                        answer = _of(symbol, outcome(call, source))
                        self._take(name, source, parts, calls[call], answer, symbol, heard)
        finally:
            hang_up(calls)

    def settle(self, heard: Mapping[str, Heard]) -> None:
        """Take the best of the doubtful answers where there is no other.

        Parameters
        ----------
        heard : dict of str to Heard
            By source; takes in whose doubtful answers were wrong, which is known by now.
        """
        for symbol in self._doubts.symbols():
            if symbol not in self.bars:
                self._take_best(symbol)
            elif first := self._doubts.first_as_good(symbol, self.bars[symbol]):
                self.replace(symbol, first, self._doubts.of(symbol)[first].bars)
            for name, answer in self._doubts.of(symbol).items():
                self._weigh(symbol, name, answer, heard[name])
        self._blame_who_saw_nothing(heard)
        for name, said in heard.items():
            if said.bad and not said.good:
                self.blamed[name] = str(said.bad[0])

    def _weigh(self, symbol: str, name: str, answer: Doubtful, heard: Heard) -> None:
        """Say what a doubtful answer was worth, now that another one is taken."""
        source, bars, why = answer.source, answer.bars, answer.why
        if alike(bars, self.bars[symbol]):
            heard.served.add(symbol)
        elif self._is_word_against_word(symbol, name, why):
            self.unconfirmed.add(symbol)
        elif why.fault != "behind" and not may_be_short(source, bars, self.now):
            heard.proven.append(why)

    def _is_word_against_word(self, symbol: str, name: str, why: SourceError) -> bool:
        """Whether nobody bears out the other answer but what its own source told before."""
        giver = self.answered_by[symbol]
        return why.fault == "jump" and giver != name and self.known[symbol].giver == giver

    def _blame_who_saw_nothing(self, heard: Mapping[str, Heard]) -> None:
        """An empty or old answer is a fault where another source had a good one.

        But who was never known to have a symbol, and sees nothing of it, may just not know it.
        """
        for symbol in self.bars:
            for name, cause in self._causes[symbol].items():
                knew = cause.fault == "stale" or self._has_served(name, symbol)
                if cause.fault in DOUBTFUL and knew and name in heard and not heard[name].good:
                    heard[name].proven.append(cause)

    def _take_best(self, symbol: str) -> None:
        best = self._doubts.best(symbol)
        answer = self._doubts.of(symbol)[best]
        self.replace(symbol, best, answer.bars)
        if not answer.is_benign:  # its prices may be wrong
            self.unconfirmed.add(symbol)
        if answer.why.fault in ("jump", "spike"):
            self._changed.add(symbol)

    def replace(self, symbol: str, name: str, bars: Bars) -> None:
        """Take a source's bars, instead of what there may be."""
        self.bars[symbol], self.answered_by[symbol] = bars, name
        self.recalled.discard(symbol)

    def confirm(self, symbol: str) -> None:
        """Take another source's word for it, whatever was doubtful."""
        self.unconfirmed.discard(symbol)
        self.recalled.discard(symbol)

    def refuse(self, symbol: str, why: SourceError) -> None:
        """Let an answer not be given; what comes next is held against it."""
        self.refused.add(symbol)
        self._causes[symbol][self.answered_by[symbol]] = why

    def result(self) -> Fetched:
        """Give the bars by symbol, and what each source said of the symbols that have none."""
        failures: dict[str, SourceError] = {s: self._nobody(s) for s in self.missing}
        bars = {s: self.bars[s] for s in self.request.symbols if s not in failures}
        return Fetched(bars, failures)

    def _parts(
        self, name: str, source: DataSource, symbols: tuple[str, ...], seconds: float
    ) -> Parts:
        # A source that lives in another time would tell bars that are not known yet.
        elsewhere = self.request.end is None and source.clock != self._clock
        end = self.now if elsewhere else self.request.end
        timeout = timedelta(seconds=_MOST * seconds)
        request = attrs.evolve(self.request, symbols=symbols, end=end, timeout=timeout)
        theirs = {
            symbol: known
            for symbol in symbols
            if (known := self.known.get(symbol)) and known.giver == name
            if symbol not in self._unbelieved
        }
        return Parts(request, theirs, source.capabilities.settle, self.now)

    def _is_open(self, symbol: str, name: str) -> bool:
        cause = self._causes[symbol].get(name)
        if cause is None or cause.fault == "late":
            return True
        if cause.fault == "empty" and self._has_served(name, symbol):
            return self._saw_nothing[symbol, name] < _LOOKS
        held = name in self._doubts.of(symbol)
        return cause.retryable and not held and not isinstance(cause, RateLimitError)

    def _take(
        self,
        name: str,
        source: DataSource,
        parts: Parts,
        part: Part,
        answer: Bars | SourceError,
        symbol: str,
        heard: Heard,
    ) -> None:
        """Keep one symbol's answer, or what is wrong with it."""
        if heard.after is not None:
            self._hear_out(source, parts, part, answer, symbol, heard.after)
            return
        if symbol in self.bars:  # another source was quicker
            return
        try:
            if (bars := parts.whole(part, symbol, answer)) is None:
                return
            self._judge(name, source, bars)
        except SourceError as error:
            if error.fault in _UNBELIEVED:
                self._unbelieved.add(symbol)  # the next time it is asked for as a whole
            self._causes[symbol][name] = error
            self._saw_nothing[symbol, name] += error.fault == "empty"
            heard.errors.append(error)
        else:
            self.replace(symbol, name, bars)
            heard.served.add(symbol)

    def _hear_out(
        self,
        source: DataSource,
        parts: Parts,
        part: Part,
        answer: Bars | SourceError,
        symbol: str,
        heard: Heard,
    ) -> None:
        """Say what an answer is worth, and leave it at that."""
        try:
            if (bars := parts.whole(part, symbol, answer)) is None:
                return
            if error := objection(source, self.request, bars, self.now):
                raise error
            given = self.bars.get(symbol)
            if (error := self._doubt(source, bars)) and not (given and alike(bars, given)):
                raise error
        except SourceError as error:
            heard.errors.append(error)
        else:
            heard.served.add(symbol)

    def _judge(self, name: str, source: DataSource, bars: Bars) -> None:
        if error := objection(source, self.request, bars, self.now):
            if error.fault == "stale":
                self._note(name, bars)
            raise error
        error = self._doubt(source, bars)
        if error and self._doubts.hold(name, source, bars, error):
            raise error

    def _doubt(self, source: DataSource, bars: Bars) -> SourceError | None:
        known = self.known.get(bars.symbol)
        return (
            doubt(source, self._wanted, bars, known)
            or (jump(source, known, bars, self.now) if known else None)
            or lack(source, self._wanted, bars, self.now)
        )

    def _note(self, name: str, bars: Bars) -> None:
        """Remember the newest bars that anybody has, though newer ones should be there."""
        before = self.behind.get(bars.symbol)
        if before is None or before[1].close_time[-1] < bars.close_time[-1]:
            self.behind[bars.symbol] = name, bars

    def _nobody(self, symbol: str) -> NoDataError:
        return nobody(
            f"has bars of {symbol} ({self.request.timeframe})", self._causes[symbol], symbol=symbol
        )
