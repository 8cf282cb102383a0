from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.bars import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.errors import UsageError
from tradekit.testing import any_bars

COLUMNS = ["open", "high", "low", "close", "volume"]
FOLD = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
ANY = st.sampled_from(["1Min", "5Min", "1Hour", "4Hour", "1Day"]).flatmap(
    lambda length: any_bars(length, min_size=1, max_size=60)
)


def minutes(count=10, start="2024-03-08 14:30", freq="1min", tz="UTC"):
    """Good rows from 09:30 in New York on; 24/7 pandas, so freq says how far apart."""
    close = np.arange(count) + 100.0
    columns = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    index = pd.date_range(start, periods=count, freq=freq, tz=tz, name="timestamp")
    return pd.DataFrame(columns | {"volume": np.full(count, 50.0)}, index=index)


def spoiled(column="close", row=5, value=np.nan):
    frame = minutes().astype(object)
    frame.loc[frame.index[row], column] = value
    return frame


def refusal(frame, *args, **kwargs):
    with pytest.raises(UsageError) as caught:
        Bars.from_frame(frame, *args, **kwargs)
    return str(caught.value)


GOOD = Bars.from_frame(minutes(), "SPY")


@given(ANY)
def test_frames_round_trip(bars):
    frame = bars.to_frame()
    again = Bars.from_frame(frame)
    assert again == bars
    assert Bars.from_frame(frame.iloc[::-1], bad="drop") == bars
    assert Bars.from_frame(frame.reset_index()) == bars


@given(ANY)
def test_frames_round_trip_through_parquet_attrs_and_all(bars):
    file = io.BytesIO()
    bars.to_frame().to_parquet(file)
    assert Bars.from_frame(pd.read_parquet(io.BytesIO(file.getvalue()))) == bars


def test_the_frame_at_the_door_is_the_fields():
    facts = {"source": "files", "feed": "sip", "adjustment": "all", "dropped": 2}
    facts |= {"trusted_for_entries": True}
    stale = dt.datetime(2024, 3, 8, 15, tzinfo=dt.UTC)
    bars = GOOD._replace(**facts, stale_since=stale).with_extra("mood", [1.0], GOOD.close_time[:1])
    frame = bars.to_frame()
    assert (frame.index.name, str(frame.index.tz)) == ("timestamp", "UTC")
    assert frame.columns.tolist() == [*COLUMNS, "mood"]
    assert set(map(str, frame.dtypes)) == {"float64"}
    assert frame.attrs == {
        "symbol": "SPY",
        "timeframe": "1Min",
        "calendar": "XNYS",
        **facts,
        "stale_since": "2024-03-08T15:00:00+00:00",
    }
    assert Bars.from_frame(frame) == bars._replace(extra={})  # other columns are left out


def test_a_frame_is_the_users_own():
    frame = GOOD.to_frame()
    frame.iloc[0, 0] = 9.0
    frame.columns.name, frame.index.name = "mine", "mine"
    assert GOOD.open[0] == 100.0
    assert (GOOD.to_frame().columns.name, GOOD.to_frame().index.name) == (None, "timestamp")


@pytest.mark.parametrize("names", [str.upper, str.title, lambda name: f" {name} "])
def test_names_of_columns_may_be_in_any_case(names):
    assert Bars.from_frame(minutes().rename(columns=names), "SPY") == GOOD


def test_unknown_volume_survives_and_is_never_zero():
    bars = Bars.from_frame(minutes().assign(volume=np.nan), "SPY")
    assert np.isnan(bars.volume).all()
    assert np.isnan(bars.to_frame()["volume"]).all()
    assert Bars.from_frame(bars.to_frame()) == bars


@pytest.mark.parametrize(
    "dtype",
    [
        *("float32", "int64", "int32", "object", "string", "Int64", "Float64", "category"),
        *("float64[pyarrow]", "int64[pyarrow]", "string[pyarrow]"),
    ],
)
def test_numbers_are_read_from_every_kind_of_column(dtype):
    assert Bars.from_frame(minutes().astype("int64").astype(dtype), "SPY") == GOOD


def test_decimals_are_numbers():
    assert Bars.from_frame(minutes().map(lambda number: Decimal(str(number))), "SPY") == GOOD


@pytest.mark.parametrize("dtype", ["Float64", "float64[pyarrow]", "object"])
def test_masked_volume_is_unknown_and_a_masked_price_is_missing(dtype):
    frame = minutes().astype(dtype)
    frame.iloc[3, 4] = pd.NA
    assert np.isnan(Bars.from_frame(frame, "SPY").volume).nonzero()[0].tolist() == [3]
    frame.iloc[4, 3] = pd.NA
    assert refusal(frame, "SPY").startswith("SPY: impossible bar in row 4, price missing ")
    assert Bars.from_frame(frame, "SPY", bad="drop").dropped == 1


@pytest.mark.parametrize(
    ("index", "same"),
    [
        (lambda at: at.as_unit("s"), True),
        (lambda at: at.as_unit("us"), True),
        (lambda at: at.tz_convert("America/New_York"), True),
        (lambda at: at.tz_convert("Asia/Kolkata"), True),
        (lambda at: at.astype(str), True),
        (lambda at: at.strftime("%Y%m%dT%H%M%S%z"), True),
        (lambda at: at.tz_convert("America/New_York").strftime("%Y-%m-%dT%H:%M:%S%z"), True),
        (lambda at: [f"{moment:%Y-%m-%d %H:%M:%S}+00" for moment in at], True),
        (lambda at: [f"{moment:%Y-%m-%dT%H:%M}Z" for moment in at], True),
        (lambda at: pd.Index([moment.to_pydatetime() for moment in at], dtype=object), True),
        (lambda at: pd.Index(at.astype("timestamp[ns, tz=UTC][pyarrow]")), True),
        (lambda at: at.tz_localize(None).to_period("min"), False),
    ],
)
def test_times_are_read_in_every_kind_of_index(index, same):
    frame = minutes().set_axis(index(minutes().index))
    assert Bars.from_frame(frame, "SPY", tz=None if same else "UTC") == GOOD


@pytest.mark.parametrize("name", ["timestamp", "ts", "time", "Time", "DateTime", "date", "Date"])
def test_times_are_read_from_a_column_of_that_name(name):
    frame = minutes().rename_axis(name).reset_index()
    assert Bars.from_frame(frame, "SPY") == GOOD
    frame[name] = frame[name].astype(str)
    assert Bars.from_frame(frame, "SPY") == GOOD


def test_naive_times_need_to_be_told_where_they_were_written():
    frame = minutes(start="2024-03-08 09:30", tz=None)
    assert refusal(frame, "SPY") == (
        "SPY: times without a zone: expected aware times, or tz= to say where they were written, "
        "got 2024-03-08 09:30:00 (naive). Try: tz='UTC', or tz='America/New_York' for exchange time"
    )
    assert Bars.from_frame(frame, "SPY", tz="America/New_York") == GOOD


@pytest.mark.parametrize(
    "index",
    [
        pd.DatetimeIndex(["2024-07-03", "2024-07-05"]),
        pd.DatetimeIndex(["2024-07-03", "2024-07-05"], tz="UTC"),
        pd.DatetimeIndex(["2024-07-03", "2024-07-05"], tz="America/New_York"),
        pd.DatetimeIndex(["2024-07-03", "2024-07-05"], tz="Asia/Tokyo"),
        pd.DatetimeIndex(["2024-07-03 04:00", "2024-07-05 04:00"], tz="UTC"),
        pd.DatetimeIndex(["2024-07-03 16:00", "2024-07-05 16:00"]),
        pd.DatetimeIndex(["2024-07-03 16:00", "2024-07-05 16:00"], tz="America/New_York"),
        pd.Index([dt.date(2024, 7, 3), dt.date(2024, 7, 5)], dtype=object),
        pd.PeriodIndex(["2024-07-03", "2024-07-05"], freq="D"),
        pd.Index(["2024-07-03", "2024-07-05"]),
        pd.Index(["20240703", "20240705"]),
        pd.Index(["2024-07-03 00:00:00-04:00", "2024-07-05 00:00:00-04:00"]),
    ],
)
def test_a_day_is_the_date_that_was_written(index):
    bars = Bars.from_frame(minutes(2).set_axis(index), "SPY")
    assert bars.timeframe == "1Day"
    assert calendar_for().dates(bars.time).astype(str).tolist() == ["2024-07-03", "2024-07-05"]
    assert bars[0].close_time == dt.datetime(2024, 7, 3, 17, tzinfo=dt.UTC)  # a half day


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (None, "no frame to read: expected a pandas DataFrame, got a NoneType. "),
        ({"close": [1.0]}, "no frame to read: expected a pandas DataFrame, got a dict. "),
        (minutes()["close"], "no frame to read: expected a pandas DataFrame, got a Series. "),
        (minutes()[:0], "the frame is empty: expected at least one bar, got no rows, columns ['o"),
        (minutes().drop(columns="high"), "SPY: column 'high' is missing: expected open, high, low"),
        (minutes().drop(columns="volume"), "SPY: column 'volume' is missing: expected open, high"),
        (minutes().assign(Close=1.0), "SPY: column 'close' stands there twice: expected open, hi"),
        (minutes()[["open", "open", *COLUMNS[1:]]], "SPY: column 'open' stands there twice: exp"),
        (minutes().assign(close=minutes().index), "SPY: column 'close' holds no numbers: expected"),
        (minutes().assign(volume=True), "SPY: column 'volume' holds no numbers: expected prices"),
        (minutes().assign(low=1j), "SPY: column 'low' holds no numbers: expected prices or volum"),
        (minutes().assign(close=pd.Timedelta(1)), "SPY: column 'close' holds no numbers: expecte"),
        (spoiled(value=1j), "SPY: column 'close' holds no numbers: expected prices or volumes, g"),
        (minutes().reset_index(drop=True), "SPY: the frame has no times: expected a DatetimeInde"),
        (minutes().set_axis(minutes().index.asi8), "SPY: the frame has no times: expected a Date"),
        (minutes().set_axis(pd.to_timedelta(range(10))), "SPY: the frame has no times: expected"),
        (minutes()[::-1], "SPY: impossible bar in row 1, time goes back (9 of 10 rows are faulty"),
        (pd.concat([minutes(), minutes()[-1:]]), "SPY: impossible bar in row 10, duplicate time"),
        (minutes(1).set_axis(pd.DatetimeIndex(["2024-03-08 14:30Z"])), "SPY: how long are these"),
    ],
)
def test_what_is_no_frame_of_bars_is_refused_with_what_to_try(frame, message):
    told = refusal(frame, "SPY")
    assert told.startswith(message)
    assert ". Try: " in told


@pytest.mark.parametrize(
    ("column", "value", "fault", "shown"),
    [
        ("close", np.nan, "price missing", "'close': nan"),
        ("close", None, "price missing", "'close': None"),
        ("close", np.inf, "price infinite", "'close': inf"),
        ("low", 0.0, "price not above zero", "'low': 0.0"),
        ("high", 50.0, "high below low", "'high': 50.0"),
        ("volume", -1.0, "negative volume", "'volume': -1.0"),
        ("close", "n/a", "not a number", "'close': 'n/a'"),
        ("volume", "1,050", "not a number", "'volume': '1,050'"),
        ("open", "", "not a number", "'open': ''"),
    ],
)
def test_a_bad_row_is_refused_with_its_values_or_dropped_and_counted(column, value, fault, shown):
    frame = spoiled(column, 5, value)
    told = refusal(frame, "SPY")
    assert told.startswith(f"SPY: impossible bar in row 5, {fault} (1 of 10 rows are faulty)")
    assert "got 2024-03-08T14:35:00Z {" in told
    assert shown in told
    kept = Bars.from_frame(frame, "SPY", bad="drop")
    assert (len(kept), kept.dropped) == (9, 1)
    assert kept.gap_before.nonzero()[0].tolist() == [5]


def test_dropped_rows_leave_time_in_order_and_the_last_of_each():
    frame = pd.concat([minutes()[5:], minutes()[:6] + 1])
    kept = Bars.from_frame(frame, "SPY", bad="drop")
    assert (len(kept), kept.dropped) == (10, 1)
    assert kept.close.tolist() == [101.0, 102, 103, 104, 105, 106, 106, 107, 108, 109]


def test_a_frame_without_one_good_row_is_refused_even_where_rows_may_be_dropped():
    assert refusal(minutes().assign(close=np.nan), "SPY", bad="drop") == (
        "SPY: no row of the frame is a bar: expected at least one possible bar, got 10 rows, most "
        "of them with this fault: price missing. "
        "Try: look at the columns: prices may stand in the wrong ones"
    )


@pytest.mark.parametrize("moment", ["NaT", "9999-12-31", "1601-01-01"])
def test_times_that_are_missing_or_beyond_nanoseconds_are_rows_without_a_time(moment):
    times = minutes().index.tz_convert(None).to_numpy().astype("M8[s]")
    times[3] = moment
    frame = minutes().set_axis(pd.DatetimeIndex(times, tz="UTC"))
    assert "row 3, time missing or out of range (1 of 10 rows" in refusal(frame, "SPY", "1Min")
    assert Bars.from_frame(frame, "SPY", bad="drop").dropped == 1


@pytest.mark.parametrize("text", ["2024-03-08 14:33", "", "soon", None, "9999-12-31 00:00:00Z"])
def test_a_text_that_is_no_such_time_is_refused_or_dropped(text):
    frame = minutes().reset_index().astype({"timestamp": str}).astype({"timestamp": object})
    frame.loc[3, "timestamp"] = text
    told = refusal(frame, "SPY")
    if text == "2024-03-08 14:33":
        assert told.startswith("SPY: times in a layout that may mean more than one moment")
    else:
        assert "row 3, time missing or out of range" in told
        assert Bars.from_frame(frame, "SPY", bad="drop").dropped == 1


@pytest.mark.parametrize("layout", ["%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%H:%M:%S"])
def test_times_that_may_mean_two_moments_are_refused(layout):
    frame = minutes().set_axis(minutes().index.strftime(layout))
    told = refusal(frame, "SPY")
    assert told.startswith(
        "SPY: times in a layout that may mean more than one moment: expected datetimes, or texts "
        "like 2024-03-08 14:30:00+00:00, all with an offset or all without, got '"
    )
    assert told.endswith("Try: pd.to_datetime(column, format=..., utc=True) before reading")


@pytest.mark.parametrize(
    ("start", "tz"),
    [
        ("2024-11-03 00:30", "America/New_York"),  # 01:30 was there twice
        ("2024-03-10 01:30", "America/New_York"),  # 02:30 was never there
        ("2024-03-08 09:30", "Mars/Olympus"),
    ],
)
def test_times_that_a_zone_does_not_know_are_refused(start, tz):
    told = refusal(minutes(4, start, "1h", None), "SPY", tz=tz, calendar="24/7")
    assert told.startswith(
        f"SPY: times cannot be placed in {tz!r}: expected a known zone, and times that exist once"
    )
    assert told.endswith("Try: tz_localize(tz, ambiguous=..., nonexistent=...) before reading")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"label": "end"}, "unknown label: expected 'open' or 'close', got 'end'"),
        ({"bad": "ignore"}, "unknown bad: expected 'raise' or 'drop', got 'ignore'"),
        ({"vendor": "x"}, "unknown keyword: expected source, feed, adjustment, calendar, got ven"),
        ({"adjustment": "some"}, "unknown adjustment: expected 'raw' or 'split' or 'all' or"),
        ({"calendar": "MARS"}, "unknown exchange: expected 'XNYS', '24/7' or another code of"),
        ({"source": 5}, "bars need a source: expected a text, got 5"),
    ],
)
def test_an_option_that_is_none_is_refused(option, message):
    told = refusal(minutes(), "SPY", **option)
    assert told.startswith(message)
    assert ". Try: " in told


def test_provenance_is_kept_and_may_be_said_anew():
    frame = GOOD._replace(source="files", adjustment="raw").to_frame()
    assert Bars.from_frame(frame).source == "files"
    assert Bars.from_frame(frame, source="mine", feed=None).source == "mine"
    assert Bars.from_frame(frame, source="mine").adjustment == "raw"


FOLDERS = {"1d": "1Day", "1h": "1Hour", "5m": "5Min", "1m": "1Min", "1s": "1Sec"}


def read_as_published(market_data, entries):
    """Without a word on what they hold, all files give what their publisher counted in them."""
    for entry in entries:
        frame, qa = pd.read_parquet(market_data / entry["file"]), entry["qa"]
        bars = Bars.from_frame(frame, entry["symbol"], bad="drop")
        assert bars.timeframe == FOLDERS[entry["timeframe"]], entry["file"]
        assert bars.dropped == qa["ohlc_violations"] + qa["nan_price_rows"], entry["file"]
        assert len(bars) + bars.dropped == len(frame) == entry["rows"], entry["file"]
        assert np.isnan(bars.volume).sum() == qa["nan_volume_rows"], entry["file"]


@pytest.fixture
def published(market_data):
    return json.loads((market_data / "manifest.json").read_text("utf-8"))["bars"]


def test_a_file_of_every_collection_reads_as_it_was_published(market_data, published):
    read_as_published(
        market_data, {e["timeframe"] + e["collection"]: e for e in published}.values()
    )


@pytest.mark.slow
def test_every_file_reads_as_it_was_published(market_data, published):
    assert len(published) == 838
    read_as_published(market_data, published)


def test_trust_is_believed_only_where_it_is_said_in_so_many_words():
    frame = GOOD._replace(trusted_for_entries=True).to_frame()
    assert Bars.from_frame(frame).trusted_for_entries
    for lost in (False, None, "True", 1):
        frame.attrs["trusted_for_entries"] = lost
        assert not Bars.from_frame(frame).trusted_for_entries
