"""The promised calls: what a bot says, as typed events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .._core.details import details
from .._core.event import (
    ErrorOccurred,
    MarketConditionChanged,
    MissReason,
    SetupDetected,
    SetupExecuted,
    SetupMissed,
    TradeEntered,
    TradeExited,
)
from .._core.signal import Signal
from ._answers import Answers
from ._reasons import code_of
from ._statement import confidence as percentage
from ._statement import detection, error_facts, stated, word
from ._statement import price as stated_price

_Metadata = Mapping[str, Any] | None


class ComprehensiveLogger(Answers):
    """Write down every opportunity, trade, miss and error of a bot, and answer questions on them.

    A *setup* (the guide's opportunity) is one tradable occasion: symbol, strategy, side and first
    bar. Seeing it again is the same setup. Executed, missed and trade entries without a ``setup``
    join the newest undecided one of their symbol and signal type, else they open one that is
    marked ``unlinked``. Each setup ends as executed or missed, at the latest in `close`.

    A sink that fails stops no trading loop: its events wait in memory, `get_system_health_report`
    says so, and `close` raises what could not be kept at last. Secrets are taken out: values of
    the environment's ``APCA_``, ``ALPACA_`` and ``TIINGO_`` variables, and whatever is named like
    a key, a secret, a token or a password.

    Numbers that an event cannot do without (confidence of a detection or an execution, size,
    quantity) are refused when they are not finite. Others are left out then, and stand in the
    event's ``details`` as they came.

    Parameters
    ----------
    path : path, optional
        A SQLite file to write to; without it and ``sinks``, ``journal.db`` in the user's data
        folder, made at the first event.
    sinks : iterable of Sink, optional
        Where events go instead, the primary one first; the first that can be read answers.
    clock : Clock, optional
        Says when things happen; the system's clock without it.
    run : str, optional
        Name of this run; derived from mode and time of the first event without it. A run that
        the journal knows is continued.
    mode : Mode
        Whose money it is. Answers over hours and days are about all runs of the same mode; those
        of a simulated market or a replay about this run alone.
    calendar : str
        Exchange whose sessions are the days, and whose opening hours count; ``24/7`` for crypto.

    Raises
    ------
    UsageError
        When both a path and sinks are given, or the run or the mode is none.

    Examples
    --------
    >>> from tradekit.journal import MemorySink
    >>> with ComprehensiveLogger(sinks=[MemorySink()]) as journal:
    ...     seen = journal.log_opportunity_detected("SPY", "breakout", 61.0, "bullish")
    ...     miss = journal.log_opportunity_missed("SPY", "breakout", "low_confidence_in_bear", 61.0)
    >>> miss.setup == seen.setup, miss.code.name
    (True, 'LOW_CONFIDENCE')
    >>> journal.get_missed_opportunity_analysis(hours=24)["reasons"]
    {'low_confidence_in_bear': 1}
    """

    def log_opportunity_detected(
        self,
        symbol: str,
        signal_type: str,
        confidence: float,
        direction: str,
        metadata: _Metadata = None,
        *,
        signal: Signal | None = None,
        setup: str | None = None,
        time: datetime | None = None,
    ) -> SetupDetected:
        """Write down that a setup was seen.

        Parameters
        ----------
        symbol, signal_type : str
            What was seen.
        confidence : float
            0 to 100.
        direction : Direction or str
            ``"bullish"`` or ``"bearish"``.
        metadata : mapping, optional
            Anything else. ``timeframe``, ``source_method``, ``signal_id``, ``calibrated``,
            ``base_rate``, ``price``, ``price_target`` and ``stop_loss`` become fields;
            ``expires_at`` limits how long its outcome is followed.
        signal : Signal, optional
            Fills in what ``metadata`` does not say.
        setup, time : str and datetime, optional
            Name of the setup, else derived from symbol, strategy, side and bar; when it
            happened, aware, else now.

        Returns
        -------
        SetupDetected
            The event; the earlier one where the setup was known.

        Raises
        ------
        UsageError
            When the confidence is out of range, or the metadata have no names.
        """
        return self._say(
            SetupDetected,
            time,
            setup=setup,
            symbol=symbol,
            signal_type=word(signal_type),
            direction=word(direction),
            confidence=percentage(confidence),
            **detection(signal, details(metadata or {})),
        )

    def log_opportunity_executed(
        self,
        symbol: str,
        signal_type: str,
        confidence: float,
        price: float | None,
        size: float,
        metadata: _Metadata = None,
        *,
        setup: str | None = None,
        time: datetime | None = None,
    ) -> SetupExecuted:
        """Write down that a setup was traded.

        Parameters
        ----------
        symbol, signal_type : str
            Which setup, where ``setup`` does not say.
        confidence : float
            0 to 100.
        price, size : float
            What the bot states, and how much; a price of 0, or None, is not stated.
        metadata : mapping, optional
            Anything else.
        setup, time : str and datetime, optional
            Name of the setup; when it happened, aware, else now.

        Returns
        -------
        SetupExecuted
            The event.

        Raises
        ------
        UsageError
            When the confidence is out of range, or the size is not finite.
        """
        facts = details(metadata or {})
        return self._say(
            SetupExecuted,
            time,
            setup=setup,
            symbol=symbol,
            signal_type=word(signal_type),
            confidence=percentage(confidence),
            size=size,
            stated_price=stated_price(facts, price),
            details=facts,
        )

    def log_opportunity_missed(
        self,
        symbol: str,
        signal_type: str,
        reason: str,
        confidence: float | None = None,
        metadata: _Metadata = None,
        *,
        code: MissReason | str | None = None,
        setup: str | None = None,
        time: datetime | None = None,
    ) -> SetupMissed:
        """Write down that a setup was not traded, and why.

        Parameters
        ----------
        symbol, signal_type : str
            Which setup, where ``setup`` does not say.
        reason : str
            In the bot's own words, kept as they are.
        confidence : float, optional
            0 to 100.
        metadata : mapping, optional
            Anything else.
        code : MissReason, optional
            What to count it as; read off the beginning of the reason without it.
        setup, time : str and datetime, optional
            Name of the setup; when it happened, aware, else now.

        Returns
        -------
        SetupMissed
            The event; the earlier one where the same was said of the same setup.
        """
        facts, words = details(metadata or {}), word(reason)
        return self._say(
            SetupMissed,
            time,
            setup=setup,
            symbol=symbol,
            signal_type=word(signal_type),
            code=code_of(words) if code is None else code,
            reason=words,
            confidence=stated(facts, "confidence", confidence),
            details=facts,
        )

    def log_trade_entry(
        self,
        symbol: str,
        side: str,
        quantity: float,
        price: float | None,
        strategy: str = "",
        metadata: _Metadata = None,
        *,
        setup: str | None = None,
        time: datetime | None = None,
    ) -> TradeEntered:
        """Write down that the bot went in; with `log_opportunity_executed`, one execution.

        Parameters
        ----------
        symbol, side : str
            What was bought or sold.
        quantity, price : float
            How much, and what the bot states; a price of 0, or None, is not stated.
        strategy : str
            Whose idea it was.
        metadata : mapping, optional
            Anything else; ``signal_type`` says which setup of the symbol.
        setup, time : str and datetime, optional
            Name of the setup; when it happened, aware, else now.

        Returns
        -------
        TradeEntered
            The event.

        Raises
        ------
        UsageError
            When the quantity is not finite.
        """
        facts = details(metadata or {})
        return self._say(
            TradeEntered,
            time,
            setup=setup,
            symbol=symbol,
            side=word(side),
            quantity=quantity,
            stated_price=stated_price(facts, price),
            strategy=strategy,
            details=facts,
        )

    def log_trade_exit(
        self,
        symbol: str,
        side: str,
        quantity: float,
        price: float | None,
        reason: str = "",
        metadata: _Metadata = None,
        *,
        setup: str | None = None,
        time: datetime | None = None,
    ) -> TradeExited:
        """Write down that the bot got out.

        Parameters
        ----------
        symbol, side : str
            What was bought or sold.
        quantity, price : float
            How much, and what the bot states; a price of 0, or None, is not stated.
        reason, metadata : str and mapping, optional
            Why, and anything else.
        setup, time : str and datetime, optional
            Name of the setup; when it happened, aware, else now.

        Returns
        -------
        TradeExited
            The event.

        Raises
        ------
        UsageError
            When the quantity is not finite.
        """
        facts = details(metadata or {})
        return self._say(
            TradeExited,
            time,
            setup=setup,
            symbol=symbol,
            side=word(side),
            quantity=quantity,
            stated_price=stated_price(facts, price),
            reason=word(reason),
            details=facts,
        )

    def log_market_condition_change(
        self,
        regime: str,
        confidence: float,
        key_indicators: _Metadata = None,
        *,
        time: datetime | None = None,
    ) -> MarketConditionChanged | None:
        """Write down another kind of market; the same one as before is no news.

        Parameters
        ----------
        regime : Regime or str
            What is held now.
        confidence : float
            0 to 100.
        key_indicators : mapping, optional
            The numbers behind it.
        time : datetime, optional
            When it happened, aware, else now.

        Returns
        -------
        MarketConditionChanged or None
            None where this run held the same regime before.
        """
        with self._lock:
            previous = self._said.regime
            if (now := word(regime)) == previous:
                return None
            return self._say(
                MarketConditionChanged,
                time,
                regime=now,
                confidence=percentage(confidence),
                previous=previous,
                key_indicators=key_indicators or {},
            )

    def log_system_error(
        self,
        component: str,
        message: str | BaseException,
        metadata: _Metadata = None,
        *,
        time: datetime | None = None,
    ) -> ErrorOccurred:
        """Write down that something went wrong.

        Parameters
        ----------
        component : str
            Where.
        message : str or exception
            What; of an exception, its type, message and frames are kept, never its variables.
        metadata : mapping, optional
            Anything else.
        time : datetime, optional
            When it happened, aware, else now.

        Returns
        -------
        ErrorOccurred
            The event.
        """
        facts = error_facts(message)
        return self._say(
            ErrorOccurred, time, component=word(component), details=metadata or {}, **facts
        )
