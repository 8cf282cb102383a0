from __future__ import annotations

import pytest

from tradekit._core.errors import UsageError
from tradekit.data._layout import LAYOUTS, find_files


@pytest.fixture
def places(tmp_path):
    """Make empty files at places in a folder, and tell which layouts find which of them."""

    def find(*made, layouts=LAYOUTS):
        for place in made:
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        files = find_files(tmp_path, layouts)
        return {f.place: (name, f.timeframe) for name, held in files.items() for f in held}

    return find


def test_common_shapes_are_found_without_a_layout(places):
    assert places("SPY.csv", "1d/QQQ.parquet", "5m/etfs/IWM.csv.gz", "notes.txt") == {
        "SPY.csv": ("SPY", None),
        "1d/QQQ.parquet": ("QQQ", "1Day"),
        "5m/etfs/IWM.csv.gz": ("IWM", "5Min"),
    }


@pytest.mark.parametrize("name", ["BRK.B", "BTC-USD", "^GSPC", "ES=F", "0700.HK", "BF_B"])
def test_symbols_keep_their_dots_and_dashes(places, name):
    assert places(f"{name}.csv.gz") == {f"{name}.csv.gz": (name, None)}


@pytest.mark.parametrize(
    ("layout", "place", "found"),
    [
        ("{symbol}_{timeframe}.csv", "SPY_1m.csv", ("SPY", "1Min")),
        ("{symbol}_{timeframe}", "BF_B_1h.parquet", ("BF_B", "1Hour")),
        ("{symbol}/{timeframe}", "SPY/1Day.csv", ("SPY", "1Day")),
        ("**/{symbol}.csv", "SPY.csv", ("SPY", None)),
        ("**/{symbol}.csv", "a/b/SPY.csv", ("SPY", None)),
        ("us/*/{timeframe}/*.{symbol}.csv", "us/x/1d/nyse.IBM.csv", ("IBM", "1Day")),
        (r"us\{symbol}.csv", "us/IBM.csv", ("IBM", None)),
        ("{symbol}", "SPY.CSV", ("SPY", None)),
    ],
)
def test_a_layout_says_where_the_symbol_and_the_timeframe_stand(places, layout, place, found):
    assert places(place, "elsewhere/deep/down/x.txt", layouts=[layout]) == {place: found}


def test_a_file_counts_by_the_first_layout_that_it_fits(places):
    layouts = ["{symbol}_{timeframe}", "{symbol}"]
    found = places("SPY_1m.csv", "SPY_max.csv", layouts=layouts)
    assert found == {"SPY_1m.csv": ("SPY", "1Min"), "SPY_max.csv": ("SPY_max", None)}


def test_a_folder_that_is_no_timeframe_fits_no_timeframe(places):
    # 1M may be a minute or a month; 7x is nothing. Hidden files are the system's own.
    assert places("1M/A.csv", "7x/B.csv", "1d/C.csv", "1d/._C.csv") == {"1d/C.csv": ("C", "1Day")}


def test_the_layout_of_a_file_finds_no_other_of_its_symbol(places, tmp_path):
    places("1d/a/SPY.csv", "1d/b/SPY.csv", "1d/b/SPY.parquet", "1h/b/SPY.csv")
    for file in find_files(tmp_path, LAYOUTS)["SPY"]:
        again = find_files(tmp_path, [file.layout])["SPY"]
        assert [other.place for other in again if other.timeframe == file.timeframe] == [file.place]


def test_a_folder_named_like_a_file_is_no_file(places, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    assert list(places("SPY.csv")) == ["SPY.csv"]


@pytest.mark.parametrize(
    "layout",
    [
        *("SPY.csv", "{symbol}/{symbol}", "{timeframe}/{timeframe}/{symbol}", "{ticker}/{symbol}"),
        *("../{symbol}", "/bars/{symbol}", r"C:\bars\{symbol}", "[ab]/{symbol}", "{symbol}?"),
    ],
)
def test_a_layout_that_names_no_place_in_the_folder_is_refused(places, layout):
    with pytest.raises(UsageError, match=r"does not say .*: expected .*\{symbol\} once.* got "):
        places("SPY.csv", layouts=[layout])


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"absent holds no .* got nothing of that name\. Try: the"):
        find_files(tmp_path / "absent", LAYOUTS)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "SPY.csv").touch()
    with pytest.raises(UsageError, match="got a file"):
        find_files(tmp_path / "SPY.csv", LAYOUTS)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"expected files ending in .*, got an empty folder"):
        find_files(tmp_path, LAYOUTS)


def test_a_folder_without_such_files_is_refused(places):
    with pytest.raises(UsageError, match="got no such file in it or below"):
        places("notes.txt", "1d/SPY.xlsx")


def test_files_that_fit_no_layout_are_named(places):
    with pytest.raises(
        UsageError, match=r"such as bars/1d/x/SPY\.csv, which do not fit \{symbol\}"
    ):
        places("bars/1d/x/SPY.csv")
