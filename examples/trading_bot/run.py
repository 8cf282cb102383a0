"""Run the bot over a market, bar by bar, or beside a live one; then tell what came of it."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from platformdirs import user_data_path
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tradekit import (
    Clock,
    ComprehensiveLogger,
    EventQuery,
    MultiSourceDataManager,
    ReplayClock,
    SystemClock,
    Timeframe,
    UsageError,
    calendar_for,
)
from tradekit.journal import Mode

from . import screens
from .bot import Settings, TradingBot
from .market import Market, folders, simulated

if TYPE_CHECKING:
    from rich.console import Console

_WEEK = 7
_SETTLES = timedelta(seconds=5)  # after a bar's end, until providers have it
_PATIENCE = timedelta(seconds=5)  # with providers that do not answer


def add_options(parser: ArgumentParser) -> None:
    """Say what the command takes."""
    add, either = parser.add_argument, parser.add_mutually_exclusive_group().add_argument
    either("--replay", type=Path, metavar="DIR", help="run on the bar files below a folder")
    either("--source", metavar="NAME", help="a live source (alpaca, iex, yahoo); trades on paper")
    add("--from", dest="start", type=_day, metavar="DATE", help="first day, like 2024-03-01")
    add("--to", dest="end", type=_day, metavar="DATE", help="last day")
    add("--symbols", type=_words, default=[], metavar="A,B", help="only these symbols")
    add("--timeframe", metavar="5Min", help="length of the bars to trade on")
    add("--seed", type=int, default=0, help="of the simulated market")
    add("--passes", type=_times, metavar="N", help="with --source, stop after so many")
    add("--journal", type=Path, metavar="FILE", help="where the journal is written")


def run(options: Namespace) -> int:
    """Do what the command line asks for."""
    console = screens.console()
    if options.source:
        path = asyncio.run(_live(options, console))
    else:
        markets, path = _markets(options, console), _journal(options.journal)
        for market in markets:
            asyncio.run(_replay(market, path, console))
    console.print(f"Journal: {path}", soft_wrap=True)
    return 0


def _markets(options: Namespace, console: Console) -> list[Market]:
    """What there is to run on, in order of time."""
    asked = options.symbols, options.start, options.end, options.timeframe
    if options.replay is None:
        screens.show_welcome(console, options.seed)
    with console.status("Reading bars"):
        found = (
            folders(options.replay, *asked) if options.replay else [simulated(options.seed, *asked)]
        )
        markets = sorted(found, key=lambda market: market.steps[:1])
    known = {symbol for market in markets for symbol in market.symbols}
    unknown = [symbol for symbol in options.symbols if symbol not in known]
    if unknown or not any(market.steps for market in markets):
        raise _nothing_to_run_on(unknown, [why for market in markets for why in market.left_out])
    return [market for market in markets if market.steps]


def _nothing_to_run_on(unknown: list[str], reasons: list[str]) -> UsageError:
    return UsageError(
        f"no bars of {', '.join(unknown)}" if unknown else "no bars to run on",
        expected="symbols as the source writes them, on days that it knows",
        got="; ".join(reasons[:3]) or "none",
        hint="look at --replay, --symbols, --from and --to",
    )


async def _replay(market: Market, path: Path, console: Console) -> None:
    """Move the clock from close to close, and let the bot look at each."""
    clock = ReplayClock(market.steps[0])
    screens.show_market(console, market)
    with ComprehensiveLogger(path=path, clock=clock, run=market.run, mode=market.mode) as logger:
        if logger.read(EventQuery(run=market.run, limit=1)):
            raise UsageError(
                "the journal holds this run already",
                expected="a file without it",
                got=f"{market.run} in {path}",
                hint="--journal with another file, or remove this one",
            )
        settings = Settings(timeframe=market.timeframe, indices=market.indices)
        manager = MultiSourceDataManager(
            sources=[market.source(clock)], clock=clock, on_change=logger.log
        )
        bot = TradingBot(
            manager, clock=clock, logger=logger, universe=market.symbols, settings=settings
        )
        for bars in market.traded:
            bot.signal_aggregator.prepare(bars)
        bot.start(market.title)
        for step in _followed(market, console):
            clock.move_to(step)
            with logger.batch():  # one commit a pass; a live bot commits every event
                await bot.enhanced_trading_loop()
        await bot.resolve_outcomes(lookback=max(map(len, market.traded)))
        screens.show_all(bot, console)
        if (days := (market.steps[-1] - market.steps[0]).days + 1) > _WEEK:
            screens.show_run(bot, console, days)


def _followed(market: Market, console: Console) -> Iterator[object]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(market.title, total=len(market.steps))
        for step in market.steps:
            progress.update(task, description=f"{market.title} {step:%Y-%m-%d}")
            yield step
            progress.advance(task)


async def _live(options: Namespace, console: Console) -> Path | None:
    """Look at a live source whenever a bar has closed, and trade on paper."""
    clock, timeframe = SystemClock(), Timeframe(options.timeframe or "5Min")
    manager = MultiSourceDataManager(sources=[options.source], clock=clock, timeout=_PATIENCE)
    await manager.fetch("SPY", "1Day", 5)  # raises where nobody answers, before anything else
    mode = Mode.SIMULATED if options.source == "simulated" else Mode.PAPER
    # Without a word about it, the journal of all live runs: what was once real is never begun anew.
    with ComprehensiveLogger(path=options.journal, clock=clock, mode=mode) as logger:
        bot = TradingBot(
            manager,
            clock=clock,
            logger=logger,
            universe=options.symbols or None,
            settings=Settings(timeframe=timeframe),
        )
        bot.start(f"live, {options.source}")
        for done in count(1):
            await bot.enhanced_trading_loop()
            await bot.resolve_outcomes(bot.settings.lookback)
            screens.show_all(bot, console)
            if done == options.passes:
                break
            await asyncio.sleep(_seconds_to_next(clock, timeframe))
    return logger.path


def _seconds_to_next(clock: Clock, timeframe: Timeframe) -> float:
    """How long until the next bar of this length is complete, on the exchange's sessions."""
    calendar, now = calendar_for("XNYS"), int(clock.now().timestamp() * 1e9)
    ended = now
    if timeframe.is_intraday:  # bars count from the open, so 1Hour bars end at half past
        opened = int(calendar.opens[calendar.opens.searchsorted(now, side="right") - 1])
        ended -= (now - opened) % timeframe.ns
    return (calendar.later(ended, timeframe, 1) - now) / 1e9 + _SETTLES.total_seconds()


def _journal(asked: Path | None) -> Path:
    """Where a replay is written down: as asked, else in a file that each begins anew."""
    if asked is not None:
        return asked
    folder = user_data_path("tradekit") / "demo"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("journal.db*"):
            old.unlink()
    except OSError:  # a home that is read-only, as in many containers
        folder = Path(mkdtemp(prefix="tradekit-"))
    return folder / "journal.db"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day; write it like 2024-03-01") from None


def _words(text: str) -> list[str]:
    if not (words := [word.strip() for word in text.split(",") if word.strip()]):
        raise ArgumentTypeError(f"{text!r} names no symbol; write them like SPY,AAPL")
    return words


def _times(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no number of passes; write one from 1")
    return int(text)
