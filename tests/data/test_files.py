from __future__ import annotations

import asyncio
import gzip
import sys
import threading
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from tradekit._core.bars import Bars
from tradekit._core.clock import FixedClock
from tradekit._core.errors import NoDataError, UsageError
from tradekit._core.source import BarsRequest
from tradekit.data import FileSource, _files

HEADER = "timestamp,open,high,low,close,volume\n"
DAYS = """\
2024-07-01,545,547,543,546,10
2024-07-02,546,549,545,549,20
2024-07-03,549,552,548,551,30
"""
NEW_YORK = "America/New_York"


def minutes(count, start="2024-07-02T13:30", step=1, price=100.0, offset="+00:00"):
    """Lines of flat bars, each a dollar above the one before it."""
    times = np.datetime64(start) + np.arange(count) * np.timedelta64(step, "m")
    rows = ((t, price + i) for i, t in enumerate(times))
    return "".join(f"{t}:00{offset},{p},{p},{p},{p},10\n" for t, p in rows)


@pytest.fixture
def folder(tmp_path):
    """Write files into a folder: folder(place=text, ...), and tell where it is."""

    def write(files):
        for place, text in files.items():
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            packed = place.endswith(".gz")
            path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        return tmp_path

    return write


def ask(source, symbol="SPY", timeframe="1Day", **window):
    return asyncio.run(source.fetch(BarsRequest(symbol, timeframe, **window)))


def failure(source, symbol="SPY", timeframe="1Day"):
    fetched = ask(source, symbol, timeframe)
    assert not fetched.bars
    return fetched.failures[symbol]


@pytest.mark.parametrize("place", ["SPY.csv", "SPY.csv.gz", "1d/SPY.csv", "1d/etfs/SPY.csv"])
def test_csv_is_read_where_it_commonly_lies(folder, place):
    bars = ask(FileSource(folder({place: HEADER + DAYS})))["SPY"]
    assert bars.close.tolist() == [546, 549, 551]
    assert bars.to_frame().index[0].isoformat() == "2024-07-01T04:00:00+00:00"
    assert (bars.source, bars.feed, bars.adjustment) == ("files", "unknown", "unknown")


def test_parquet_keeps_what_bars_say_of_themselves(tmp_path):
    columns = np.full((5, 2), 100.0)
    times = np.array(["2024-07-01", "2024-07-02"], "M8[ns]")
    bars = Bars("BTC/USD", "1Day", times, *columns, source="x", adjustment="raw", calendar="24/7")
    bars.to_frame().to_parquet(tmp_path / "BTC-USD.parquet")
    assert ask(FileSource(tmp_path), "BTC/USD")["BTC/USD"] == bars


def test_what_the_user_states_stands_on_the_bars(folder):
    stated = {"feed": "sip", "adjustment": "split", "calendar": "24/7"}
    source = FileSource(folder({"SPY.csv": HEADER + DAYS}), **stated)
    bars = ask(source, adjustment="raw")["SPY"]
    assert {name: getattr(bars, name) for name in stated} == stated
    assert source.capabilities.adjustments == ("split",)


def test_symbols_and_timeframes_are_told(folder):
    source = FileSource(
        folder({"1h/SPY.csv": "", "1d/x/SPY.csv": "", "AA.csv": HEADER + DAYS, "B.csv": ""})
    )
    assert source.symbols == ("AA", "B", "SPY")
    assert source.timeframes("SPY") == ("1Hour", "1Day")
    assert source.timeframes("AA") == ("1Day",)  # its rows tell


def test_later_bars_than_now_are_not_told(folder):
    now = FixedClock(datetime(2024, 7, 3, 16, 59, tzinfo=UTC))  # a minute before the half day ends
    bars = ask(FileSource(folder({"SPY.csv": HEADER + DAYS}), clock=now))["SPY"]
    assert bars.close.tolist() == [546, 549]


def test_impossible_rows_are_dropped_counted_and_logged(folder, caplog):
    high_below_low = "2024-07-05,551,540,550,551,40\n"
    source = FileSource(folder({"SPY.csv": HEADER + DAYS + high_below_low}))
    bars = ask(source)["SPY"]
    assert (len(bars), bars.dropped) == (3, 1)
    assert caplog.messages == ["SPY.csv: 1 of 4 rows are no bars, left out"]


def test_impossible_rows_are_refused_by_option(folder):
    high_below_low = "2024-07-05,551,540,550,551,40\n"
    source = FileSource(folder({"SPY.csv": HEADER + DAYS + high_below_low}), bad="raise")
    error = failure(source)
    assert "SPY.csv: SPY: impossible bar in row 3, high below low" in str(error)
    assert (error.retryable, error.file) == (False, "SPY.csv")


def test_a_longer_timeframe_is_resampled(folder):
    rows = """\
2024-07-02 13:30:00Z,10,12,9,11,1
2024-07-02 13:31:00Z,11,14,11,13,2
2024-07-02 13:32:00Z,13,13,8,9,3
2024-07-02 13:33:00Z,9,10,9,10,4
2024-07-02 13:34:00Z,10,11,9,9,5
"""
    bars = ask(FileSource(folder({"1m/SPY.csv": HEADER + rows})), timeframe="5Min")["SPY"]
    (bar,) = bars
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10, 14, 8, 9, 15)
    assert bars.source == "files"


@pytest.mark.parametrize(("timeframe", "price"), [("20Min", 300), ("15Min", 200), ("3Min", 100)])
def test_it_is_resampled_from_the_longest_that_divides_it(folder, timeframe, price):
    files = {
        f"{step}m/SPY.csv": HEADER + minutes(60 // step, step=step, price=price)
        for step, price in ((1, 100), (5, 200), (10, 300))
    }
    assert ask(FileSource(folder(files)), timeframe=timeframe)["SPY"].open[0] == price


def test_a_longer_bar_that_began_before_the_file_is_left_out(folder):
    text = HEADER + minutes(8, start="2024-07-02T13:32")
    bars = ask(FileSource(folder({"1m/SPY.csv": text})), timeframe="5Min")["SPY"]
    assert bars.open.tolist() == [103]  # 13:35


def test_hours_on_the_clock_make_no_day_but_minutes_do(folder):
    hours = HEADER + minutes(7, start="2024-07-02T13:00", step=60)
    source = FileSource(folder({"1h/SPY.csv": hours}))
    assert "1h/SPY.csv: SPY: row 0 stands off its session's grid" in str(failure(source))
    source = FileSource(folder({"1m/SPY.csv": HEADER + minutes(390, price=500)}))
    assert ask(source)["SPY"].open.tolist() == [500]


@pytest.mark.parametrize("timeframe", ["1Min", "7Min"])
def test_a_timeframe_that_no_file_divides_is_a_failure(folder, timeframe):
    error = failure(FileSource(folder({"5m/SPY.csv": "", "1d/SPY.csv": ""})), timeframe=timeframe)
    assert isinstance(error, NoDataError)
    assert f"{timeframe} bars of SPY cannot be made" in str(error)
    assert "got bars of 5Min, 1Day" in str(error)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("spy", "SPY"), ("BRK-B", "BRK.B"), ("SPYY", "SPY"), ("ZZ", "source.symbols")],
)
def test_an_unknown_symbol_is_a_failure_that_names_near_ones(folder, asked, hint):
    error = failure(FileSource(folder({"SPY.csv": "", "BRK.B.csv": "", "QQQ.csv": ""})), asked)
    assert isinstance(error, NoDataError)
    assert f"{asked} has no file" in str(error)
    assert hint in error.hint


def test_a_symbol_never_leads_out_of_the_folder(folder):
    outside = folder({"SPY.csv": HEADER + DAYS, "bars/QQQ.csv": HEADER + DAYS})
    for name in ("../SPY", str(outside / "SPY"), "..\\SPY", "../SPY.csv"):
        assert isinstance(failure(FileSource(outside / "bars"), name), NoDataError)


def test_a_symbol_in_two_files_is_a_failure_that_tells_how_to_choose(folder):
    texts = {"1d/a/SPY.csv": HEADER + DAYS, "1d/b/SPY.csv": HEADER + DAYS.replace("551", "550")}
    where = folder(texts)
    error = failure(FileSource(where))
    assert "2 files hold 1Day bars of SPY" in str(error)
    assert "1d/a/SPY.csv, 1d/b/SPY.csv" in str(error)
    assert "layout='{timeframe}/a/{symbol}.csv'" in error.hint
    chosen = FileSource(where, layout="{timeframe}/b/{symbol}.csv")
    assert ask(chosen)["SPY"].close[-1] == 550


@pytest.mark.parametrize("place", ["BTC-USD.csv", "BTC_USD.csv"])
def test_a_slash_in_a_symbol_is_a_dash_in_its_file(folder, place):
    bars = ask(FileSource(folder({place: HEADER + DAYS}), calendar="24/7"), "BTC/USD")["BTC/USD"]
    assert bars.symbol == "BTC/USD"


def test_broken_files_fail_alone(tmp_path, folder):
    whole = pd.read_csv(folder({"GOOD.csv": HEADER + DAYS}) / "GOOD.csv")
    whole.to_parquet(tmp_path / "CUT.parquet")
    cut = (tmp_path / "CUT.parquet").read_bytes()
    (tmp_path / "CUT.parquet").write_bytes(cut[: len(cut) // 2])
    packed = gzip.compress((HEADER + DAYS).encode())
    (tmp_path / "ZIP.csv.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "NONE.csv").touch()
    (tmp_path / "HEAD.csv").write_text(HEADER)
    (tmp_path / "WIDE.csv").write_bytes((HEADER + DAYS).encode("utf-16"))
    fetched = ask(FileSource(tmp_path), ("CUT", "ZIP", "NONE", "HEAD", "WIDE", "GOOD"))
    assert list(fetched.bars) == ["GOOD"]
    for symbol, words in {
        "CUT": "CUT.parquet cannot be read, ArrowInvalid",
        "ZIP": "ZIP.csv.gz cannot be read, EOFError",
        "NONE": "NONE.csv cannot be read, EmptyDataError",
        "HEAD": "HEAD.csv: the frame is empty",
        "WIDE": "WIDE.csv cannot be read, UnicodeDecodeError",
    }.items():
        assert words in str(fetched.failures[symbol])
        assert not fetched.failures[symbol].retryable


def test_a_file_that_went_away_is_a_failure(folder):
    source = FileSource(folder({"SPY.csv": HEADER + DAYS}))
    (source.folder / "SPY.csv").unlink()
    assert "SPY.csv cannot be read, FileNotFoundError" in str(failure(source))


def test_parquet_without_pyarrow_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    error = failure(FileSource(folder({"SPY.parquet": ""})))
    assert "SPY.parquet: Parquet files need pyarrow" in str(error)
    assert error.hint == 'pip install "tradekit[parquet]"'


ODD = {
    "byte-order mark": "\ufeff" + HEADER + DAYS,
    "unnamed times": HEADER.removeprefix("timestamp") + DAYS,
    "newest first": HEADER + "".join(reversed(DAYS.splitlines(keepends=True))),
    "no last newline": HEADER + DAYS.rstrip("\n"),
    "other names": "Date,Open,High,Low,Close,Volume\n" + DAYS,
    "windows lines": (HEADER + DAYS).replace("\n", "\r\n"),
    "row numbers": f",{HEADER}" + "".join(f"{i},{x}\n" for i, x in enumerate(DAYS.split())),
    "yfinance": (
        "Price,Open,High,Low,Close,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n" + DAYS
    ),
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_shapes_of_csv_are_read(folder, text):
    bars = ask(FileSource(folder({"SPY.csv": text})))["SPY"]
    assert (bars.close.tolist(), bars.dropped) == ([546, 549, 551], 0)


def test_a_second_header_line_is_dropped_and_counted(folder):
    bars = ask(FileSource(folder({"SPY.csv": HEADER + DAYS + HEADER})))["SPY"]
    assert (len(bars), bars.dropped) == (3, 1)


def test_rows_longer_than_the_header_line_are_refused(folder):
    text = HEADER + DAYS.replace("\n", ",\n")
    error = failure(FileSource(folder({"SPY.csv": text})))
    assert "rows are longer than the header line: expected 6 fields" in str(error)


def test_another_symbol_in_the_rows_is_refused(folder):
    text = "symbol," + HEADER + "QQQ," + DAYS.replace("\n2", "\nQQQ,2")
    assert "SPY.csv: the frame is not about SPY" in str(
        failure(FileSource(folder({"SPY.csv": text})))
    )


def test_rows_that_contradict_their_folder_are_refused(folder):
    error = failure(FileSource(folder({"1h/SPY.csv": HEADER + minutes(60)})), timeframe="1Hour")
    assert "1h/SPY.csv: SPY: the call and the times contradict each other" in str(error)


def test_times_without_a_zone_need_one(folder):
    where = folder({"SPY.csv": HEADER + minutes(5, start="2024-07-02T09:30", offset="")})
    error = failure(FileSource(where), timeframe="1Min")
    assert "times without a zone" in str(error)
    assert "tz='America/New_York'" in error.hint
    bars = ask(FileSource(where, tz=NEW_YORK), timeframe="1Min")["SPY"]
    assert bars[0].time == datetime(2024, 7, 2, 13, 30, tzinfo=UTC)


def test_bars_labelled_by_their_end_are_moved_back(folder):
    where = folder({"SPY.csv": HEADER + minutes(5, start="2024-07-02T13:31")})
    bars = ask(FileSource(where, label="close"), timeframe="1Min")["SPY"]
    assert bars[0].time == datetime(2024, 7, 2, 13, 30, tzinfo=UTC)


TWO_WAYS = "Date,Open,High,Low,Close,Volume\n{}545,547,543,546,10\n{}546,549,545,549,20\n"
WRITTEN = [
    ("7/1/2024,", "7/2/2024,", "%m/%d/%Y"),
    ("7/1/2024 1:00,", "7/2/2024 1:00,", "%m/%d/%Y %H:%M"),  # on the day before if it were UTC
    ("01.07.2024,", "02.07.2024,", "%d.%m.%Y"),
    ("Jul 1 2024,", "Jul 2 2024,", "%b %d %Y"),
    ("20240701,", "20240702,", "%Y%m%d"),
    ("1/7/2024 00:00 -0400,", "2/7/2024 00:00 -0400,", "%d/%m/%Y %H:%M %z"),
]


@pytest.mark.parametrize(("first", "second", "time_format"), WRITTEN)
def test_time_format_tells_how_times_are_written(folder, first, second, time_format):
    where = folder({"SPY.csv": TWO_WAYS.format(first, second)})
    bars = ask(FileSource(where, time_format=time_format, tz=NEW_YORK))["SPY"]
    assert [bar.time.isoformat()[:10] for bar in bars] == ["2024-07-01", "2024-07-02"]


def test_dates_that_may_mean_two_days_are_refused_without_it(folder):
    where = folder({"SPY.csv": TWO_WAYS.format("7/1/2024,", "7/2/2024,")})
    error = failure(FileSource(where))
    assert "a layout that may mean more than one moment" in str(error)
    assert "time_format=" in error.hint


def test_a_time_format_that_fits_no_row_is_refused(folder):
    error = failure(FileSource(folder({"SPY.csv": HEADER + DAYS}), time_format="%m/%d/%Y"))
    assert "no time is written like time_format: expected %m/%d/%Y, got '2024-07-01'" in str(error)


@pytest.mark.parametrize("option", [{"label": "end"}, {"bad": "skip"}, {"adjustment": "splits"}])
def test_an_unknown_option_is_refused_at_once(folder, option):
    with pytest.raises(
        UsageError, match=f"unknown {next(iter(option))}: expected '?(open|drop|None)"
    ):
        FileSource(folder({"SPY.csv": HEADER + DAYS}), **option)


def test_a_missing_folder_is_refused_at_once(tmp_path):
    with pytest.raises(UsageError, match="holds no files of bars"):
        FileSource(tmp_path / "absent")


class Counted(FileSource):
    """Files without a header line, with prices in hundredths; counts how often it reads."""

    reads = 0

    def _read(self, path):
        self.reads += 1
        frame = pd.read_csv(path, names=["date", "open", "high", "low", "close", "volume"])
        return frame.assign(
            **{name: frame[name] / 100 for name in ("open", "high", "low", "close")}
        )


def test_a_subclass_reads_files_of_another_make(folder):
    bars = ask(Counted(folder({"SPY.csv": DAYS})))["SPY"]
    assert bars.close.tolist() == [5.46, 5.49, 5.51]


def test_a_file_is_read_once_until_it_changes(folder):
    source = Counted(folder({"SPY.csv": DAYS}))
    assert [len(ask(source, limit=n)["SPY"]) for n in (1, 2, 3)] == [1, 2, 3]
    ask(source, timeframe="1Week")
    assert source.reads == 1
    folder({"SPY.csv": DAYS + "2024-07-05,552,555,551,554,40\n"})
    assert len(ask(source)["SPY"]) == 4
    assert source.reads == 2


def test_what_is_kept_is_bounded(folder, monkeypatch):
    monkeypatch.setattr(_files, "_ROWS_KEPT", 7)
    source = Counted(folder({"A.csv": DAYS, "B.csv": DAYS, "C.csv": DAYS}))
    for symbol in "ABAC":  # room for two: C takes the place of B, which was not used since
        ask(source, symbol)
    ask(source, "A")
    assert source.reads == 3
    ask(source, "B")
    assert source.reads == 4


def test_reading_does_not_hold_up_the_loop(folder):
    class Slow(FileSource):
        def _read(self, path):
            begun.set()
            assert free.wait(5), "the loop never ran while a file was read"
            return super()._read(path)

    async def together():
        asked = asyncio.ensure_future(source.fetch(BarsRequest("SPY", "1Day")))
        while not begun.is_set():
            await asyncio.sleep(0)
        free.set()
        return await asked

    begun, free = threading.Event(), threading.Event()
    source = Slow(folder({"SPY.csv": HEADER + DAYS}))
    assert not asyncio.run(together()).failures


def test_it_reads_from_several_loops_and_threads(folder):
    source = FileSource(folder({"SPY.csv": HEADER + DAYS}))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(source))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(fetched["SPY"]) for fetched in answers] == [3] * 4
