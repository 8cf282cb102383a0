"""Real bars, clean and dirty: each file is read with its drops counted, or refused with a reason.

What must come out is worked out without our code: from the manifest's own counts, from its words
on what is wrong with a file (quoted beside each), or by `impossible`, in plain pandas.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from tradekit._core.bars import Bars
from tradekit._core.clock import FixedClock
from tradekit._core.errors import UsageError
from tradekit._core.source import BarsRequest
from tradekit.data import FileSource

LATER = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
PRICES = ["open", "high", "low", "close"]


def impossible(frame):
    """Count the rows that are no bars, apart from repeated times."""
    frame = frame.rename(columns=str.lower)
    prices, volume = frame[PRICES], frame["volume"]
    crossed = (frame.high < prices.max(axis=1) * 0.999999) | (
        frame.low > prices.min(axis=1) * 1.000001
    )
    return int(
        (prices.isna().any(axis=1) | (prices <= 0).any(axis=1) | crossed | (volume < 0)).sum()
    )


def entries(market_data, kind):
    return json.loads((market_data / "manifest.json").read_text("utf-8"))[kind]


FOLDERS = {"1d": "1Day", "1h": "1Hour", "5m": "5Min", "1m": "1Min", "1s": "1Sec"}


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_bars_is_read(market_data, folder):
    collections = {}
    for entry in entries(market_data, "bars"):
        if entry["timeframe"] == folder:
            collections.setdefault(entry["collection"], {})[entry["symbol"]] = entry
    for collection, held in collections.items():
        layout = f"{{timeframe}}/{collection}/{{symbol}}.parquet"
        source = FileSource(market_data / "bars", layout=layout, clock=LATER)
        fetched = asyncio.run(source.fetch(BarsRequest(list(held), FOLDERS[folder])))
        assert not fetched.failures
        for symbol, entry in held.items():
            bars, qa = fetched[symbol], entry["qa"]
            faulty = qa["nan_price_rows"] + qa["ohlc_violations"]
            assert (len(bars), bars.dropped) == (entry["rows"] - faulty, faulty), entry["file"]
            ends = [f"{bar.time:%Y-%m-%dT%H:%M:%SZ}" for bar in (bars[0], bars[-1])]
            assert faulty or ends == [entry["start"], entry["end"]], entry["file"]


def test_the_folder_reads_as_it_is(market_data):
    source = FileSource(market_data / "bars", clock=LATER)
    assert len(source.symbols) == len({e["symbol"] for e in entries(market_data, "bars")})
    assert source.timeframes("SPY") == ("1Sec", "1Min", "5Min", "1Hour", "1Day")
    fetched = asyncio.run(source.fetch(BarsRequest(["SPY", "KO"], "1Day")))
    assert not fetched.bars
    for collection in ("etf-split", "lean-adj", "lean-raw", "sp500-adj"):
        assert f"1d/{collection}/SPY.parquet" in str(fetched.failures["SPY"])


NEW_YORK = {"tz": "America/New_York"}
ENDS = {**NEW_YORK, "label": "close"}
US_DATES = {**ENDS, "time_format": "%m/%d/%Y %H:%M"}
LONDON, PARIS, XETRA = ({"calendar": code} for code in ("XLON", "XPAR", "XETR"))

# File, symbol, how it is read, how many rows are dropped. What is only odd is no fault of a row:
# off-market prints, units that change, splits and dividends half applied, a last bar that is flat.
READ = [
    ("bom_us_dates_end_labelled_SPY_1m.csv", "SPY", US_DATES, 0),
    ("descending_end_labelled_AAPL_1m.csv", "AAPL", ENDS, 0),
    ("incomplete_last_bar_SPY_1m.csv", "SPY", {}, 0),
    ("missing_ohlc_FTV_1d.csv", "FTV", {}, 1),
    ("missing_ohlc_O_1d.csv", "O", {}, 4),
    ("mixed_utc_offsets_KO_15m.csv.gz", "KO", {}, 0),
    ("off_market_prints_SPY_2025-07-07_1m.csv", "SPY", NEW_YORK, 0),
    ("three_header_lines_AAPL_1m.csv.gz", "AAPL", {}, 0),
    ("yahoo_8TRA-DE-1d-missing-div-adjust.csv", "8TRA-DE", XETRA, 0),
    ("yahoo_8TRA-DE-1d-missing-div-adjust-fixed.csv", "8TRA-DE", XETRA, 0),
    ("yahoo_AET-L-1d-100x-error.csv", "AET-L", LONDON, 0),
    ("yahoo_AET-L-1d-100x-error-fixed.csv", "AET-L", LONDON, 0),
    ("yahoo_ALPHA-PA-1d-bad-stock-split.csv", "ALPHA-PA", PARIS, 0),
    ("yahoo_ALPHA-PA-1d-bad-stock-split-fixed.csv", "ALPHA-PA", PARIS, 0),
    ("yahoo_AV-L-1wk-bad-stock-split.csv", "AV-L", LONDON, 0),
    ("yahoo_AV-L-1wk-bad-stock-split-fixed.csv", "AV-L", LONDON, 0),
    ("yahoo_CLC-L-1d-bad-div.csv", "CLC-L", LONDON, 9),
    ("yahoo_CLC-L-1d-bad-div-fixed.csv", "CLC-L", LONDON, 9),
    ("yahoo_recycled_ticker_CFC_1d.csv.gz", "CFC", {}, 895),
    ("yahoo_zero_open_ABT_1d.csv.gz", "ABT", {}, 772),
]
# File, symbol, how it is read, what the refusal says.
REFUSED = [
    ("bom_us_dates_end_labelled_SPY_1m.csv", "SPY", ENDS, "may mean more than one moment"),
    ("bom_us_dates_end_labelled_SPY_1m.csv", "SPY", US_DATES | {"label": "open"}, "by their end"),
    ("descending_end_labelled_AAPL_1m.csv", "AAPL", {}, "times without a zone"),
    ("descending_end_labelled_AAPL_1m.csv", "AAPL", NEW_YORK, "look labelled by their end"),
    ("missing_ohlc_FTV_1d.csv", "FTV", {"bad": "raise"}, "row 0, price missing (1 of 404"),
    ("nan_duplicates_SPY_1h.csv.gz", "SPY", NEW_YORK, "column 'open' stands there twice"),
    ("ticker_rename_gap_QQQ_1d.csv.gz", "QQQ", {}, "column 'open' is missing"),
    ("ticker_reuse_BNO_1d.csv.gz", "BNO", {}, "column 'open' is missing"),
    ("tz_mislabelled_no_volume_AAPL_1m.parquet", "AAPL", {}, "zone of these times looks wrong"),
    ("tz_mislabelled_no_volume_SPY_1m.parquet", "SPY", {}, "zone of these times looks wrong"),
    ("whole_market_20150406.csv.gz", "20150406", {}, "the frame is not about 20150406"),
    ("yahoo_8TRA-DE-1d-missing-div-adjust.csv", "8TRA-DE", {}, "are none of XNYS"),
    ("yahoo_CLC-L-1d-bad-div.csv", "CLC-L", {}, "are none of XNYS"),
    ("yahoo_zero_open_ABT_1d.csv.gz", "ABT", {"bad": "raise"}, "above zero (772 of 11425 rows"),
]


@pytest.fixture
def dirty(market_data):
    def source(file, symbol, options, kind=FileSource):
        layout = file.replace(f"_{symbol}", "_{symbol}", 1)
        return kind(market_data / "dirty", layout=layout, clock=LATER, **options)

    return source


def plain(path):
    """Read a file in plain pandas, without the two lines that yfinance puts below its header."""
    frame = pd.read_csv(path, encoding="utf-8-sig")
    if "Price" in frame:
        frame = frame.iloc[2:].rename(columns={"Price": "Date"})
    return frame.apply(pd.to_numeric, errors="coerce").assign(time=frame.iloc[:, 0])


def test_every_dirty_file_has_its_line(market_data):
    listed = {f"dirty/{line[0]}" for line in (*READ, *REFUSED)}
    assert listed == {entry["file"] for entry in entries(market_data, "dirty")}


@pytest.mark.parametrize(("file", "symbol", "options", "dropped"), READ, ids=lambda x: str(x)[:40])
def test_a_dirty_file_is_read_with_its_drops_counted(
    market_data, dirty, file, symbol, options, dropped
):
    source = dirty(file, symbol, options)
    (timeframe,) = source.timeframes(symbol)
    bars = asyncio.run(source.fetch(BarsRequest(symbol, timeframe)))[symbol]
    frame = plain(market_data / "dirty" / file)
    assert impossible(frame) == dropped
    assert not frame["time"].duplicated().any()
    assert (len(bars), bars.dropped) == (len(frame) - dropped, dropped)


@pytest.mark.parametrize(("file", "symbol", "options", "reason"), REFUSED)
def test_a_dirty_file_is_refused_with_a_true_sentence(dirty, file, symbol, options, reason):
    fetched = asyncio.run(dirty(file, symbol, options).fetch(BarsRequest(symbol, "1Day")))
    assert not fetched.bars
    assert str(fetched.failures[symbol]).startswith(f"{file}: ")
    assert reason in str(fetched.failures[symbol])


def first_and_last(bars):
    return [bar.time.isoformat() for bar in (bars[0], bars[-1])]


def test_dates_ends_and_offsets_are_read_as_their_words_say(dirty):
    # The first and the last line of each file, turned into UTC by hand.
    for line, timeframe, times in (
        # 5/31/2024 4:01 and 6/5/2024 16:47 in New York, at the end of the minute
        (READ[0], "1Min", ["2024-05-31T08:00:00+00:00", "2024-06-05T20:46:00+00:00"]),
        # 2019-02-11 09:31 and 2019-02-15 16:00 in New York, at the end; the newest stands first
        (READ[1], "1Min", ["2019-02-11T14:30:00+00:00", "2019-02-15T20:59:00+00:00"]),
        # 2022-12-28 14:30:00+00:00 and 2026-08-21 15:45:00-04:00
        (READ[5], "15Min", ["2022-12-28T14:30:00+00:00", "2026-08-21T19:45:00+00:00"]),
        # 2022-05-03 and 2022-06-06, at midnight in London
        (READ[10], "1Day", ["2022-05-02T23:00:00+00:00", "2022-06-05T23:00:00+00:00"]),
    ):
        file, symbol, options, _ = line
        fetched = asyncio.run(dirty(file, symbol, options).fetch(BarsRequest(symbol, timeframe)))
        assert first_and_last(fetched[symbol]) == times


class Lean(FileSource):
    """Files without a header line, in hundredths of a cent."""

    def _read(self, path):
        frame = pd.read_csv(path, names=["time", *PRICES, "volume"])
        return frame.assign(**{name: frame[name] / 10_000 for name in PRICES})


class UpperCase(FileSource):
    """Of two sets of columns, the one in upper case."""

    def _read(self, path):
        return pd.read_csv(path, usecols=["Datetime", "Open", "High", "Low", "Close", "Volume"])


def test_a_subclass_reads_prices_in_hundredths_of_a_cent(dirty):
    source = dirty("ticker_rename_gap_QQQ_1d.csv.gz", "QQQ", {}, Lean)
    bars = asyncio.run(source.fetch(BarsRequest("QQQ", "1Day")))["QQQ"]
    assert bars.close[0] == 101.94  # 19990310 00:00,1022500,1023100,1005600,1019400,2632800
    # "no rows 2004-12..2011-03": the fund was called QQQQ
    after = np.flatnonzero(bars.gap_before)[np.argmax(np.diff(bars.time)[bars.gap_before[1:]])]
    assert [f"{bars[int(row)].time:%Y-%m}" for row in (after - 1, after)] == ["2004-11", "2011-03"]


def test_repeated_times_and_missing_prices_are_dropped_and_counted(dirty, market_data):
    file = "nan_duplicates_SPY_1h.csv.gz"
    source = dirty(file, "SPY", NEW_YORK, UpperCase)
    bars = asyncio.run(source.fetch(BarsRequest("SPY", "1Hour")))["SPY"]
    frame = pd.read_csv(market_data / "dirty" / file)
    # "77 rows without prices, 60 duplicated timestamps"
    assert (frame["Open"].isna().sum(), frame["Datetime"].duplicated().sum()) == (77, 60)
    priced = frame[frame["Open"].notna()]
    assert len(bars) == priced["Datetime"].nunique()
    assert bars.dropped == len(frame) - len(bars)


def test_one_symbol_is_read_out_of_a_whole_market(market_data):
    frame = pd.read_csv(market_data / "dirty" / "whole_market_20150406.csv.gz")
    # CH stands there three times with the same two dates.
    bars = Bars.from_frame(frame, "CH", "1Day", bad="drop")
    assert (bars.close.tolist(), bars.dropped) == ([7.60, 7.62], 4)
    with pytest.raises(UsageError, match=r"CH: impossible bar|CH: .*time goes back"):
        Bars.from_frame(frame, "CH", "1Day")
