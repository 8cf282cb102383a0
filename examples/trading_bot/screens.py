"""What the bot shows: plain facts, and on a simulated market the word that it is one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.box import ASCII, ROUNDED
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table

from tradekit.journal import Mode

if TYPE_CHECKING:
    from .bot import TradingBot
    from .market import Market

BANNERS = {
    Mode.SIMULATED: "SIMULATED MARKET: prices are drawn from a seed and say nothing of real ones",
    Mode.REPLAY: "REPLAY of past bars, traded on paper",
    Mode.PAPER: "PAPER: no order leaves this program",
}


LOW_HEALTH, LOW_CAPTURE = 80, 70  # of 100: below, a person should look


def console() -> Console:
    """A console for terminals, pipes and files alike."""
    width = None if sys.stdout.isatty() else 100
    return Console(width=width, highlight=False, markup=False, emoji=False)  # texts are data


def show_welcome(out: Console, seed: int) -> None:
    """Say what is going to happen, before anything is read."""
    _show(
        out,
        Mode.SIMULATED,
        "tradekit",
        "A bot made of six rooms looks at a market bar by bar, trades on paper, and writes down\n"
        f"what it took, what it missed and why. The market is drawn from seed {seed}: nothing is\n"
        "fetched, nothing is sent.",
    )


def show_market(out: Console, market: Market) -> None:
    """Say what the run is going to look at, before it begins."""
    first, last = market.steps[0], market.steps[-1]
    rows = {
        "Bars": f"{len(market.symbols)} symbols, {market.timeframe}",
        "Days": f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, {len(market.steps):,} passes",
        "Regime from": ", ".join(market.indices),
    }
    if market.left_out:
        rows["Left out"] = "\n".join(market.left_out[:5])
        if more := len(market.left_out) - 5:
            rows["Left out"] += f"\nand {more} more" if more > 0 else ""
    _show(out, market.mode, f"A bot on {market.title}", _pairs(rows))


def show_all(bot: TradingBot, out: Console) -> None:
    """Every screen of the bot, one below the other."""
    show_health(bot, out)
    show_day(bot, out)
    show_week(bot, out)


def show_health(bot: TradingBot, out: Console | None = None) -> None:
    """How every room is doing."""
    health = bot.get_system_health_report()
    rows = {
        "Overall health": f"{health['overall_health']:.0f} of 100",
        "Data sources": f"{health['data_sources_health']:.0f} of 100",
        "Capture rate": f"{health['capture_rate']:.1f} %",
        "Execution rate": f"{health['execution_rate']:.1f} %",
        "Setups an hour": f"{health['opportunities_per_hour']:.1f}",
        "Symbols watched": f"{health['active_symbols']}",
        "Signals alive": f"{health['signals_detected']}",
        "Market regime": health["current_regime"],
    }
    _show(out or console(), bot.logger.mode, "Health", _pairs(rows))


def show_day(bot: TradingBot, out: Console) -> None:
    """What the last session brought, and what it missed."""
    _show(out, bot.logger.mode, "Daily summary", bot.logger.daily_report())


def show_week(bot: TradingBot, out: Console | None = None) -> str:
    """What the last week brought, what it missed, and where its events were exported to."""
    watched = bot.watchlist_manager.get_watchlist_statistics()
    regime = bot.regime_detector.get_regime_statistics()
    report = "\n".join(
        (
            bot.logger.weekly_report(),
            f"Regime for {regime['current_regime_duration_days']} days, "
            f"{regime['total_regime_changes']} changes in all",
            f"Watched: {watched['total_unique_symbols']} symbols, "
            f"{watched['dynamic_symbols_count']} of them found by screens",
            f"Exported: {bot.logger.export_session_data('json')}",
        )
    )
    _show(out or console(), bot.logger.mode, "Weekly report", report)
    return report


def show_run(bot: TradingBot, out: Console, days: int) -> None:
    """What all days of a run together brought, and what they missed."""
    _show(out, bot.logger.mode, "The whole run", bot.logger.weekly_report(days))


def show_alerts(bot: TradingBot, out: Console | None = None) -> None:
    """What a person should look at: poor health, and what most setups were missed for."""
    health, missed = bot.get_system_health_report(), bot.logger.get_missed_opportunity_analysis()
    lines = [f"{name}: {number}" for name, number in list(missed["reasons"].items())[:3]]
    if health["overall_health"] < LOW_HEALTH:
        lines.insert(0, f"Health is at {health['overall_health']:.0f} of 100")
    if missed["capture_rate_known"] and missed["capture_rate"] < LOW_CAPTURE:
        lines.insert(0, f"Only {missed['capture_rate']:.1f} % of the setups were executed")
    _show(out or console(), bot.logger.mode, "Alerts", "\n".join(lines) or "nothing to look at")


def _pairs(rows: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 3))
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _show(out: Console, mode: Mode, title: str, body: RenderableType) -> None:
    """A screen: its title above, whose money it is below."""
    utf8 = "utf" in (out.encoding or "").lower()
    frame = Panel(
        body,
        title=title,
        subtitle=BANNERS[mode],
        title_align="left",
        subtitle_align="left",
        box=ROUNDED if utf8 else ASCII,
        padding=(1, 2),
    )
    out.print(frame)
