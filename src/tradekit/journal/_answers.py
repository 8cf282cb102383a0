"""The journal's answers: analyses, summaries, outcomes, exports and reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import to_ns
from .._core.errors import UsageError
from .._core.event import SetupResolved
from .._core.figures import count
from .._core.sink import EventQuery
from ._analysis import missed_analysis, open_hours, period_summary, session_window
from ._export import write_export
from ._journal import Journal
from ._outcomes import resolve_outcomes
from ._report import report_text
from ._setup import Setup, funnel, gather, percent, seen_between

# What follows the detection of a setup.
_FOLLOWS = ("SetupExecuted", "SetupMissed", "TradeEntered", "SetupResolved")
# What positions and regimes are carried over from before a period.
_CARRIED = ("OrderFilled", "MarketConditionChanged")
_SUMMED = (*_CARRIED, "TradeEntered", "TradeExited", "ErrorOccurred")
# The end of a query is left out of it, that of a period is not.
_TICK = timedelta(microseconds=1)


class Answers(Journal):
    """Reads the journal back."""

    def get_missed_opportunity_analysis(self, hours: float = 24) -> dict[str, Any]:
        """Tell which setups of the last hours were missed, why, and what they would have earned.

        Parameters
        ----------
        hours : float
            How far to look back from now, above zero; all runs of this mode count, unless it is a
            simulated one or a replay.

        Returns
        -------
        dict
            ``reasons`` (text to count, largest first), ``codes``, ``by_symbol``,
            ``by_signal_type``; ``total_detected``, ``total_executed``, ``total_missed``,
            ``total_undecided``, ``total_unlinked``; ``capture_rate`` in percent of the setups,
            0.0 where there are none, as ``capture_rate_known`` says; ``outcomes``: by reason,
            ``resolved``, ``pending``, ``hit_rate_percent``, ``mean_net_return`` and
            ``sum_net_return`` (fractions; None while nothing is resolved).

        Raises
        ------
        UsageError
            When the hours are not above zero.
        SinkError
            When the journal cannot be read now.
        """
        start = self._since(hours, "hours", timedelta(hours=1))
        return missed_analysis(self._setups(start, self.clock.now()))

    def get_daily_summary(self, day: date | None = None) -> dict[str, Any]:
        """Sum up one session; what happens on a closed day belongs to the session before it.

        Parameters
        ----------
        day : date, optional
            Which; today at the exchange without it. All runs of this mode count, unless it is a
            simulated one or a replay.

        Returns
        -------
        dict
            ``session``, ``mode``; ``opportunities_detected``, ``opportunities_executed``,
            ``opportunities_missed``, ``opportunities_undecided``, ``opportunities_unlinked``;
            ``capture_rate`` in percent and ``capture_rate_known``; ``trades_entered``,
            ``trades_exited``, ``fills``, ``pnl`` (what fills realised after fees; None without
            fills), ``errors``, ``regime`` (None where unknown), ``regime_changes``.

        Raises
        ------
        UsageError
            When the day is none.
        SinkError
            When the journal cannot be read now.
        """
        session, start, end = self._session(day)
        summary = self._summary(self._setups(start, end), start, end)
        return {"session": session, "mode": self.mode.value, **summary}

    def calculate_opportunity_capture_rate(self) -> float:
        """Give the share of this run's setups that were executed, in percent.

        Returns
        -------
        float
            0.0 without setups; `get_system_health_report` tells that from none executed.
        """
        return float(self.get_system_health_report()["capture_rate_percent"])

    def get_system_health_report(self) -> dict[str, Any]:
        """Tell how this run fares, also while its journal cannot be written.

        Returns
        -------
        dict
            ``run``, ``mode``; ``opportunities_detected``; ``opportunities_per_hour`` of open
            market, at least one hour; ``capture_rate_percent`` of the setups and
            ``execution_rate_percent`` of the attempts, 0.0 where there are none, as
            ``capture_rate_known`` and ``execution_rate_known`` say; ``errors``; ``backlog``
            (events that wait for the first sink), ``sinks`` (each with ``waiting`` and
            ``error``), ``journal_health_percent``.
        """
        with self._lock:
            said = self._said
            counts = funnel(said.setups.values())
            since, errors = said.since, said.errors
        attempts = counts["executed"] + counts["failed"]
        return {
            "run": self.run,
            "mode": self.mode.value,
            "opportunities_detected": counts["detected"],
            "opportunities_per_hour": round(counts["detected"] / self._hours_since(since), 1),
            "capture_rate_percent": percent(counts["executed"], counts["setups"]),
            "capture_rate_known": counts["setups"] > 0,
            "execution_rate_percent": percent(counts["executed"], attempts),
            "execution_rate_known": attempts > 0,
            "errors": errors,
            **self._sink_health(),
        }

    def resolve(
        self, bars: Mapping[str, Bars], *, horizon: int = 20, cost: float = 0.001
    ) -> tuple[SetupResolved, ...]:
        """Write down what became of decided setups, taken or not, each once.

        A setup is entered at the open of the first bar that begins once it is known, and ends by
        its target, its stop, or its time. It stays pending without a side, a target or a stop,
        or as long as the bars, up to now, do not decide it.

        Parameters
        ----------
        bars : mapping of str to Bars
            By symbol; bars that are not complete now are left out.
        horizon : int
            Number of bars after which time is up, where a signal does not say when it expires.
        cost : float
            Costs of going in and out together, as a fraction of the entry price; 0.1 % unless
            said otherwise.

        Returns
        -------
        tuple of SetupResolved
            The new ones; ``pending`` of `get_missed_opportunity_analysis` counts the rest.

        Raises
        ------
        UsageError
            When the bars are none, or horizon or cost are out of range.
        SinkError
            When the journal cannot be read now.
        """
        if not isinstance(bars, Mapping) or not all(isinstance(b, Bars) for b in bars.values()):
            hint = "{'SPY': bars}"
            raise UsageError("no bars", expected="Bars by symbol", got=repr(bars), hint=hint)
        last = count(horizon, "time must be up at some bar", "horizon=20")
        now = self.clock.now()
        setups = gather(self._read(kinds=("SetupDetected", *_FOLLOWS))).values()
        known = {symbol: each.until(now) for symbol, each in bars.items()}
        found = resolve_outcomes(setups, known, horizon=last, cost=cost, seen_at=now)
        with self.batch():
            return tuple(map(self.log, found))

    def export_session_data(self, format: str = "json", path: str | Path | None = None) -> Path:  # noqa: A002
        """Write this run's events to a file; `read_export` reads it back.

        Parameters
        ----------
        format : {"json", "csv", "parquet"}
            What to write; the same events give the same bytes. CSV and Parquet have flat columns
            and, in the last one, the whole event as JSON.
        path : path, optional
            Where to; next to the journal, else in the working folder, under the run's name
            without it.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        UsageError
            When there is no such format; for Parquet, when pyarrow is absent.
        SinkError
            When the journal cannot be read, or the file not be written.
        """
        events = self.read(EventQuery(run=self.run))
        if path is None:
            folder = self.path.parent if self.path else Path.cwd()
            path = folder / f"{re.sub('[^a-zA-Z0-9_.-]', '_', self.run)}.{format}"
        return write_export(events, format, Path(path))

    def daily_report(self, day: date | None = None) -> str:
        """Lay one session out as text: setups, misses and their price, regimes, fills.

        Parameters
        ----------
        day : date, optional
            Which; today at the exchange without it.

        Returns
        -------
        str
            Lines for a terminal or a mail.

        Raises
        ------
        UsageError
            When the day is none.
        SinkError
            When the journal cannot be read now.
        """
        session, start, end = self._session(day)
        return self._report(f"Session {session}", start, end)

    def weekly_report(self, days: int = 7) -> str:
        """Lay the last days out as text: setups, misses and their price, regimes, fills.

        Parameters
        ----------
        days : int
            How many calendar days to look back from now.

        Returns
        -------
        str
            Lines for a terminal or a mail.

        Raises
        ------
        UsageError
            When the days are not above zero.
        SinkError
            When the journal cannot be read now.
        """
        end, start = self.clock.now(), self._since(days, "days", timedelta(days=1))
        return self._report(f"{start:%Y-%m-%d} to {end:%Y-%m-%d}", start, end)

    def _report(self, title: str, start: datetime, end: datetime) -> str:
        setups = self._setups(start, end)
        summary = self._summary(setups, start, end)
        return report_text(title, self.mode.value, summary, missed_analysis(setups))

    def _setups(self, start: datetime, end: datetime) -> list[Setup]:
        """Setups first seen in a period, and what was said of them up to now."""
        detected = self._read(kinds="SetupDetected", start=start, end=end + _TICK)
        followed = self._read(kinds=_FOLLOWS, start=start)
        return seen_between(gather((*detected, *followed)).values(), start, end)

    def _summary(self, setups: list[Setup], start: datetime, end: datetime) -> dict[str, Any]:
        before = self._read(kinds=_CARRIED, end=start)
        during = self._read(kinds=_SUMMED, start=start, end=end + _TICK)
        return period_summary(setups, (*before, *during), start)

    def _session(self, day: date | None) -> tuple[str, datetime, datetime]:
        calendar = calendar_for(self.calendar)
        if day is None:
            return session_window(calendar, calendar.dates(np.array([to_ns(self.clock.now())]))[0])
        if not isinstance(day, date) or isinstance(day, datetime):
            hint = "datetime.date(2024, 3, 8)"
            raise UsageError("no day", expected="a date", got=repr(day), hint=hint)
        return session_window(calendar, np.datetime64(day, "D"))

    def _since(self, number: float, unit: str, each: timedelta) -> datetime:
        if isinstance(number, bool) or not isinstance(number, Real) or not 0 < number < 1e6:
            raise UsageError(
                f"no such number of {unit}",
                expected="above zero",
                got=repr(number),
                hint=f"{unit}=24",
            )
        return self.clock.now() - float(number) * each

    def _hours_since(self, since: datetime | None) -> float:
        """Open hours since then; at least one, so that a young run has no absurd rate."""
        if since is None:
            return 1.0
        return max(open_hours(calendar_for(self.calendar), since, self.clock.now()), 1.0)

    def _sink_health(self) -> dict[str, Any]:
        sinks, waiting, errors = self._sink.sinks, self._sink.waiting, self._sink.errors
        sound = sum(error is None for error in errors)
        return {
            "backlog": waiting[0],
            "sinks": {
                repr(sink): {"waiting": number, "error": error}
                for sink, number, error in zip(sinks, waiting, errors, strict=True)
            },
            "journal_health_percent": 0.0 if errors[0] else percent(sound, len(sinks)),
        }
