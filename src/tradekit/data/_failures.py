"""How a vendor failed, in our words: sorted by whose turn it is, and never with a key in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from .._core.clock import Clock
from .._core.errors import CredentialsError, NoDataError, RateLimitError, SourceError
from ._budget import reset_at

# What vendors say when the keys are good and their plan is not.
_PLAN = re.compile(r"subscri|permi|upgrade|entitle|\bplan\b", re.IGNORECASE)
# Budgets are of minutes, hours and days: nobody rests for longer.
_LONGEST = 86400.0


class Failures:
    """What a remote source says when its vendor does not answer; mixed into `Remote`."""

    name: str
    clock: Clock
    _timeout: float
    _secrets: tuple[str, ...]

    def _failure(self, error: Exception, symbol: str | None = None) -> SourceError:
        """Say what a client raised in our words."""
        if isinstance(error, SourceError):
            return error
        if isinstance(error, ImportError):
            return self._absent(str(error))
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            return self._unreachable(error)
        failure = self._bad(f"{type(error).__name__}: {error}", symbol)
        return self._chained(failure, error)

    def _bad(self, got: str, symbol: str | None = None, expected: str | None = None) -> SourceError:
        """Say that an answer came which is none."""
        return SourceError(
            f"{self.name} sent bad bars",
            expected=expected,
            got=self._plain(got),
            source=self.name,
            symbol=symbol,
            fault="bad_data",
        )

    def _unreachable(self, error: Exception) -> SourceError:
        root: BaseException = error
        while (deeper := root.__cause__ or root.__context__) is not None:
            root = deeper
        failure = SourceError(
            f"{self.name} cannot be reached",
            expected=f"an answer within {self._timeout:g} s",
            got=self._plain(f"{type(error).__name__}: {root}"),
            hint="look at the network and its proxy; SimulatedSource needs none",
            source=self.name,
            unreachable=True,
        )
        return self._chained(failure, error)

    def _refusal(
        self, status: int, said: str, headers: Mapping[str, str], symbol: str | None = None
    ) -> SourceError:
        """Sort an answer that is none by its HTTP status."""
        told = self._plain(f"{status} {said}")
        if status in (401, 403):
            return self._denied(status, told)
        if status == 429 or (status == 503 and _wait(headers, self.clock.now()) is not None):
            return self._limited(told, headers)
        facts: dict[str, Any] = {"got": told, "source": self.name, "symbol": symbol}
        if status == 404:
            problem, hint = f"{self.name} does not know {symbol or 'this'}", "check the symbol"
            return NoDataError(problem, hint=hint, fault="unknown_symbol", **facts)
        passing = status >= 500 or status == 408
        return SourceError(
            f"{self.name} could not answer",
            retryable=passing,
            hint="ask again later" if passing else "another window or timeframe",
            **facts,
        )

    def _denied(self, status: int, told: str) -> CredentialsError:
        poor = status == 403 and bool(_PLAN.search(told))
        return CredentialsError(
            f"{self.name} refuses access",
            got=told,
            hint="another feed, or a plan that includes it" if poor else "check the keys",
            source=self.name,
            fault="entitlement" if poor else "credentials",
        )

    def _limited(self, said: str, headers: Mapping[str, str]) -> RateLimitError:
        return RateLimitError(
            f"{self.name} has answered often enough for now",
            retry_after=_wait(headers, self.clock.now()),
            got=self._plain(said),
            hint="ask less often, or for many symbols at once",
            source=self.name,
        )

    def _absent(self, cause: str) -> SourceError:
        return SourceError(
            f"{self.name} cannot be used without its client",
            retryable=False,
            got=cause.splitlines()[0] if cause else "an import that failed",
            hint=f"pip install 'tradekit[{self.name}]'",
            source=self.name,
        )

    def _plain(self, text: str) -> str:
        """One short line without keys, whoever echoes them."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:200].rstrip(".")

    def _chained(self, failure: SourceError, cause: BaseException) -> SourceError:
        """Keep what a client raised, without its frames, and not at all where it tells a key."""
        links: list[BaseException] = [cause]
        for link in links:
            link.__traceback__ = None  # the variables of those frames hold the keys
            links += [deeper for deeper in (link.__cause__, link.__context__) if deeper is not None]
        told = " ".join(map(repr, links))
        failure.__cause__ = None if any(secret in told for secret in self._secrets) else cause
        return failure


def _wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, by ``Retry-After`` or else ``X-RateLimit-Reset``, where one can be read."""
    told = {name.lower(): value for name, value in headers.items()}
    with suppress(KeyError, ValueError, OverflowError):
        if (seconds := _seconds(told["retry-after"], now)) > -_LONGEST:  # NaN never is
            return min(max(0.0, seconds), _LONGEST)
    with suppress(KeyError, ValueError, OverflowError):
        if abs(seconds := _until(told["x-ratelimit-reset"], now)) <= _LONGEST:
            return max(0.0, seconds)
    return None


def _seconds(told: str, now: datetime) -> float:
    """Read ``Retry-After``, which is a number of seconds or an HTTP date."""
    from email.utils import parsedate_to_datetime

    try:
        return float(told)
    except ValueError:
        date = parsedate_to_datetime(told)
        return (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()


def _until(told: str, now: datetime) -> float:
    return reset_at(float(told), now.timestamp()) - now.timestamp()
