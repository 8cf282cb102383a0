"""Connections to Tiingo: kept while it answers, hung up on when nobody waits for it any more."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any, Self

import attrs

from ._budget import Meter
from ._secret import Secret

if TYPE_CHECKING:
    import ssl

    import httpx

_CONNECTED = (".connect_tcp.complete", ".start_tls.complete")


@attrs.define(eq=False)
class _Line:
    """A client that has one connection at most, and its socket: shutting that wakes who reads."""

    client: httpx.Client
    socket: Any = None

    def shut(self) -> None:
        with suppress(AttributeError, OSError):  # there is none yet, or it is shut
            self.socket.shutdown(SHUT_RDWR)


class IEXClient:
    """What asks Tiingo: the lines that are kept, and what is noted of each call over one of them.

    Any number of threads may share it. The client of httpx itself would do so too, but nobody could
    tell which of its connections is whose.

    Parameters
    ----------
    url : str
        Where Tiingo is.
    token : Secret
        Signs each request.
    timeout : float
        Seconds for a connection, and for each piece of an answer.
    meter : Meter
        Counts requests, and hears what is left of the budget.
    alive : callable
        Is told of everything that has come.
    """

    def __init__(
        self, url: str, token: Secret, timeout: float, meter: Meter, alive: Callable[[], None]
    ) -> None:
        signed = _Signature(token)
        self._facts: dict[str, Any] = {"base_url": url, "auth": signed, "timeout": timeout}
        self.meter, self.alive = meter, alive
        self._process = os.getpid()
        self._idle: list[_Line] = []
        weakref.finalize(self, _close, self._idle)

    def take(self) -> _Line:
        """Give a line that is idle, or a new one; nobody else has it then.

        Returns
        -------
        _Line
            To `put` back, whatever becomes of the question.
        """
        if self._process != os.getpid():  # after a fork: they are the parent's
            self._process = os.getpid()
            _close(self._idle)
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()

    def put(self, line: _Line) -> None:
        """Keep a line for who asks next; one that has failed connects anew then.

        Parameters
        ----------
        line : _Line
            That nobody uses any more.
        """
        self._idle.append(line)

    def _make(self) -> _Line:
        import httpx

        line = _Line(httpx.Client(verify=_certificates(), **self._facts))
        self.alive()  # the first import takes its time
        return line


class Call:
    """Questions that somebody waits for, asked one after another in a thread.

    Each byte of an answer that drips renews the timeout of a socket. How long an answer may take,
    and whether somebody still wants it, is known to who waits: when that one leaves, the socket is
    shut, so that the thread that reads from it ends, and nothing more is asked.

    Parameters
    ----------
    client : IEXClient
        Has the lines.

    Examples
    --------
    >>> with Call(IEXClient("http://127.0.0.1:9", Secret(), 1.0, Meter(), lambda: None)) as call:
    ...     pass
    >>> call.get("/iex/", {})
    Traceback (most recent call last):
    TimeoutError: nobody waits for this any more
    """

    def __init__(self, client: IEXClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        """Wait while another thread asks."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait no longer, and hang up on who has not answered."""
        with self._lock:  # else the line could be another call's by now
            self._is_over = True
            if self._line is not None:
                self._line.shut()

    def get(self, path: str, params: Mapping[str, str]) -> httpx.Response:
        """Ask one question.

        Parameters
        ----------
        path : str
            Below Tiingo's address.
        params : dict of str to str
            Behind the question mark.

        Returns
        -------
        httpx.Response
            Complete, whatever its status.

        Raises
        ------
        httpx.TransportError
            When none came.
        TimeoutError
            When nobody waits for it.
        """
        line = self._client.take()
        try:
            self._hold(line)
            answer = self._begin(line, path, params)
            answer.read()
        finally:
            self._hold(None)
            self._client.put(line)
        self._client.meter.heard(answer.headers)
        self._client.alive()
        return answer

    def _hold(self, line: _Line | None) -> None:
        with self._lock:
            self._line = line

    def _begin(self, line: _Line, path: str, params: Mapping[str, str]) -> httpx.Response:
        """Ask, and once more where the server had hung up on a line that was kept."""
        import httpx

        kept = line.socket
        try:
            return self._send(line, path, params)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            if kept is None or line.socket is not kept:
                raise
        return self._send(line, path, params)

    def _send(self, line: _Line, path: str, params: Mapping[str, str]) -> httpx.Response:
        def follow(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith(_CONNECTED):
                line.socket = info["return_value"].get_extra_info("socket")
                if self._is_over:  # and there was nothing to shut yet
                    line.shut()

        if self._is_over:
            raise TimeoutError("nobody waits for this any more")
        self._client.meter.count()
        extensions = {"trace": follow}
        request = line.client.build_request("GET", path, params=params, extensions=extensions)
        return line.client.send(request, stream=True)


@attrs.frozen
class _Signature:
    """Signs each request; what is printed of it does not tell the token."""

    _token: str = attrs.field(repr=False)

    def __call__(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Token {self._token}"
        return request


@cache
def _certificates() -> ssl.SSLContext:
    """Read whom to believe once: it takes longer than a request."""
    import httpx

    return httpx.create_ssl_context()


def _close(idle: list[_Line]) -> None:
    while idle:
        idle.pop().client.close()
