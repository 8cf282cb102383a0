"""Who asks for what somebody is already fetching waits for the same answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

import attrs

K = TypeVar("K")
V = TypeVar("V")

Fly = Callable[[tuple[K, ...]], Awaitable[Mapping[K, V]]]

# A loop that stops tells nobody: who waits in another one looks so often whether it still runs.
_SECONDS_BLIND = 0.1
# A loop that something holds up tells nobody either: so long it may take to answer a ping.
_SECONDS_MUTE = 0.5


class SingleFlight(Generic[K, V]):
    """What is being fetched right now, once for all who want it: tasks, event loops and threads.

    A flight belongs to all who wait for it. It goes on when the one who started it is cancelled,
    and is cancelled when the last one leaves. Nothing is kept once it has landed.

    Examples
    --------
    >>> async def fetch(symbols):
    ...     print("fetching", *symbols)
    ...     return {symbol: len(symbol) for symbol in symbols}
    >>> async def both():
    ...     flights = SingleFlight()
    ...     wanted = ["SPY", "QQQ"], ["SPY", "F"]
    ...     return await asyncio.gather(*(flights.share(keys, fetch) for keys in wanted))
    >>> asyncio.run(both())
    fetching SPY QQQ
    fetching F
    [{'SPY': 3, 'QQQ': 3}, {'SPY': 3, 'F': 1}]
    """

    def __init__(self) -> None:
        # Reentrant: the garbage collector may end a caller of a dead loop at any moment.
        self._lock = threading.RLock()
        self._flying: dict[K, _Flight[K, V]] = {}

    def __len__(self) -> int:
        return len(self._flying)

    async def share(
        self, keys: Sequence[K], fly: Fly[K, V], patience: float | None = None
    ) -> dict[K, V]:
        """Wait for what is already being fetched, and fetch the rest in one call.

        Where the loop that fetches ends, or something holds it up, or its flight is cancelled from
        outside, those who had joined it start anew; who started it is cancelled, as if it had been
        alone, and where it was held up, served when that goes on.

        Parameters
        ----------
        keys : sequence of hashable
            What is wanted.
        fly : callable
            Fetches the keys that it is given, all of them. It is called once, if at all, and again
            for what was lost with another caller's flight.
        patience : float, optional
            Seconds to wait for flights of other event loops; those of one's own come back when
            they have ended. None waits as long as they take.

        Returns
        -------
        dict
            By key, in the order asked. All who waited get the same objects.

        Raises
        ------
        Exception
            What ``fly`` raised: the same object for all who waited, as with asyncio's own futures.
        KeyError
            When ``fly`` left a key out.
        TimeoutError
            When patience is at its end.
        """
        until = None if patience is None else monotonic() + patience
        wanted = dict.fromkeys(keys)
        missing = tuple(wanted)
        found: dict[K, V] = {}
        bell = asyncio.Event()
        aboard: list[_Flight[K, V]] = []
        try:
            while missing or aboard:
                aboard += self._board(missing, fly, bell)
                if await _rung(bell, aboard) and until is not None and until < monotonic():
                    raise TimeoutError("another event loop is held up")
                missing = ()
                for flight in [flight for flight in aboard if flight.over or flight.is_mute()]:
                    aboard.remove(flight)
                    self._leave(flight, bell)
                    mine = tuple(key for key in flight.keys if key in wanted)
                    landed = flight.unload(bell)
                    if landed is None:
                        missing += mine
                    else:
                        found |= {key: landed[key] for key in mine}
        finally:
            for flight in aboard:
                self._leave(flight, bell)
        return {key: found[key] for key in keys}

    def _board(
        self, keys: tuple[K, ...], fly: Fly[K, V], bell: asyncio.Event
    ) -> list[_Flight[K, V]]:
        """Join the flights that have these keys, and start one for the rest."""
        loop = asyncio.get_running_loop()
        joined: list[_Flight[K, V]] = []
        rest: list[K] = []
        with self._lock:
            for key in keys:
                flight = self._flying.get(key)
                if flight is None or flight.over or flight.is_mute():
                    rest.append(key)
                elif flight not in joined:
                    joined.append(flight)
                    flight.bells[bell] = loop
            if not rest:
                return joined
            own: _Flight[K, V] = _Flight(tuple(rest), loop, bell)
            self._flying |= dict.fromkeys(rest, own)
        # Not while the lock is held: an eager loop flies at once.
        own.task = loop.create_task(_flown(fly, own.keys))
        own.task.add_done_callback(lambda _: self._land(own))
        return [*joined, own]

    def _land(self, flight: _Flight[K, V]) -> None:
        with self._lock:
            self._forget(flight)
            bells = list(flight.bells.items())
        for bell, loop in bells:
            if loop is flight.loop:
                bell.set()
            else:
                _tell(loop, bell.set)

    def _leave(self, flight: _Flight[K, V], bell: asyncio.Event) -> None:
        with self._lock:
            flight.bells.pop(bell, None)
            if flight.task is None or flight.task.done() or flight.bells:
                return
            self._forget(flight)  # nobody may board what is about to be cancelled
        _tell(flight.loop, flight.task.cancel)

    def _forget(self, flight: _Flight[K, V]) -> None:
        for key in flight.keys:
            if self._flying.get(key) is flight:
                del self._flying[key]


@attrs.define(eq=False)
class _Flight(Generic[K, V]):
    """One call on its way, and the bells of those who wait for it, each with its loop."""

    keys: tuple[K, ...]
    loop: asyncio.AbstractEventLoop
    starter: asyncio.Event
    task: asyncio.Task[Mapping[K, V]] | None = attrs.field(default=None, init=False)
    bells: dict[asyncio.Event, asyncio.AbstractEventLoop] = attrs.field(init=False)
    _answered: bool = attrs.field(default=True, init=False)
    _looked: float = attrs.field(default=0.0, init=False)
    _silence: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.bells = {self.starter: self.loop}

    @property
    def over(self) -> bool:
        """Whether it has landed, or will not: its loop has stopped."""
        landed = self.task is not None and self.task.done()
        return landed or not self.loop.is_running()

    def is_mute(self) -> bool:
        """Ping its loop from another one, and tell whether it has not answered for too long."""
        if asyncio.get_running_loop() is self.loop:
            return False
        now = monotonic()
        if self._answered:
            self._answered, self._silence = False, 0.0
            _tell(self.loop, self._pong)
        else:  # no more than a look's wait: whoever slept longer than that was held up as well
            self._silence += min(now - self._looked, _SECONDS_BLIND)
        self._looked = now
        return self._silence > _SECONDS_MUTE

    def _pong(self) -> None:
        self._answered = True

    def unload(self, bell: asyncio.Event) -> Mapping[K, V] | None:
        """Give what it brought, or None where it was lost and whoever joined it starts anew."""
        if self.task is not None and self.task.done() and not self.task.cancelled():
            return self.task.result()
        if bell is self.starter:
            raise asyncio.CancelledError
        return None


async def _flown(fly: Fly[K, V], keys: tuple[K, ...]) -> Mapping[K, V]:
    return await fly(keys)


async def _rung(bell: asyncio.Event, aboard: Iterable[_Flight[K, V]]) -> bool:
    """Wait for a landing, or where there are flights of other loops, for a moment; tell which."""
    here, is_blind = asyncio.get_running_loop(), False
    if all(flight.loop is here for flight in aboard):
        await bell.wait()
    else:
        try:
            async with asyncio.timeout(_SECONDS_BLIND):
                await bell.wait()
        except TimeoutError:
            is_blind = True
    bell.clear()
    return is_blind


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # a closed loop has nobody to tell
        loop.call_soon_threadsafe(what)
