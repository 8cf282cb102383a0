"""What a source is asked for where some of it is known, and how its answers are put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from .._core.bars import Bars
from .._core.errors import NoDataError, SourceError
from .._core.request import BarsRequest
from ._known import Known, Stretch, rewritten

_MOST = 2  # gaps that are asked for apart


def asked_of(request: BarsRequest, symbols: tuple[str, ...]) -> BarsRequest:
    """Put the same question of some symbols.

    Parameters
    ----------
    request : BarsRequest
        Of others.
    symbols : tuple of str
        Of whom.
    """
    return request if symbols == request.symbols else attrs.evolve(request, symbols=symbols)


def _continued(request: BarsRequest, known: Known) -> BarsRequest:
    """Ask for no fewer bars than one answer had: a short question does not forget a long one."""
    if known.covered or request.limit is None:
        return request
    return attrs.evolve(request, limit=max(request.limit, len(known.bars)))


@attrs.frozen
class Part:
    """One question.

    Parameters
    ----------
    request : BarsRequest
        As it is put.
    stretches : mapping of str to Stretch
        By symbol, what it is asked for; none where a symbol is asked for as a whole.
    """

    request: BarsRequest
    stretches: Mapping[str, Stretch] = attrs.field(factory=dict)

    def of(self, symbol: str) -> Part:
        """Give the same question for one symbol alone."""
        return attrs.evolve(self, request=asked_of(self.request, (symbol,)))


class Parts:
    """The questions to one source: for all of what is new, and for stretches of what is known.

    Parameters
    ----------
    request : BarsRequest
        What is asked, of all symbols that the source is asked for.
    known : mapping of str to Known
        By symbol, what the same source has answered before.
    settle : timedelta
        How long after its close a bar may still be corrected.
    now : datetime
        Aware.
    """

    def __init__(
        self, request: BarsRequest, known: Mapping[str, Known], settle: timedelta, now: datetime
    ) -> None:
        self._request, self._known = request, known
        found = {
            s: each.stretches(_continued(request, each), now, settle) for s, each in known.items()
        }
        self._stretches = {symbol: each for symbol, each in found.items() if each}
        self._answers: dict[str, dict[Stretch, Bars]] = defaultdict(dict)

    def questions(self) -> list[Part]:
        """Give them: those who lack the same are asked for at once."""
        new = tuple(s for s in self._request.symbols if s not in self._stretches)
        parts = [Part(asked_of(self._request, new))] if new else []
        inner: dict[Stretch, list[str]] = defaultdict(list)
        samples: dict[str, Stretch] = {}
        ends: dict[str, Stretch] = {}
        for symbol, stretches in self._stretches.items():
            for each in stretches:
                if each.end is None:
                    ends[symbol] = each
                elif each.is_sample:
                    samples[symbol] = each
                else:
                    inner[each].append(symbol)
        if len(inner) > _MOST:  # asking for all of it takes fewer calls
            return [Part(self._request)]
        parts += [self._inner(dict.fromkeys(symbols, each)) for each, symbols in inner.items()]
        if samples:
            parts.append(self._inner(samples))
        if ends:
            first = min(each.start for each in ends.values())
            asked = attrs.evolve(self._request, symbols=tuple(ends), start=first, limit=None)
            parts.append(Part(asked, ends))
        return parts

    def whole(self, part: Part, symbol: str, answer: Bars | SourceError) -> Bars | None:
        """Take an answer, and give all of the symbol's bars once all its answers are there.

        Parameters
        ----------
        part : Part
            To what.
        symbol : str
            Of whom.
        answer : Bars or SourceError
            What came.

        Returns
        -------
        Bars or None
            None where another answer is still to come.

        Raises
        ------
        SourceError
            The one that came; or that it does not agree with what is known.
        """
        is_whole = symbol not in part.stretches
        if isinstance(answer, NoDataError) and not is_whole:
            raise rewritten(self._known[symbol].bars, str(answer))
        if isinstance(answer, SourceError):
            raise answer
        return answer if is_whole else self._joined(part, answer)

    def _joined(self, part: Part, bars: Bars) -> Bars | None:
        answers, stretches = self._answers[bars.symbol], self._stretches[bars.symbol]
        answers[part.stretches[bars.symbol]] = bars
        if len(answers) < len(stretches):
            return None
        known, limit = self._known[bars.symbol], self._request.limit or 0
        joined = known.joined([(each, answers[each]) for each in stretches])
        if known.covered and len(joined) < limit and self._request.start is None:
            raise rewritten(bars, f"{len(joined)} bars, as it trades seldom: there may be more")
        return joined[-(_continued(self._request, known).limit or 0) :]

    def _inner(self, stretches: Mapping[str, Stretch]) -> Part:
        """Ask for stretches that have an end: from the first to the last, where they differ."""
        start = min(each.start for each in stretches.values())
        end = max(each.end for each in stretches.values() if each.end is not None)
        symbols = tuple(stretches)
        asked = attrs.evolve(self._request, symbols=symbols, start=start, end=end, limit=None)
        return Part(asked, stretches)
