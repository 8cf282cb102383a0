from __future__ import annotations

import csv
import json
import sys

import pytest

from tradekit import SinkError, UsageError
from tradekit.journal import read_export


@pytest.fixture
def events(journal, sink):
    journal.log_opportunity_detected(
        "SPY", "gap", 61.803398874989485, "bullish", {"price": 1e-8, "deep": {"list": [1, None]}}
    )
    journal.log_opportunity_missed("SPY", "gap", 'größer, "so"\nsagt er \ud83d', None)
    journal.log_system_error("data", ValueError(""), {"null": None, "empty": ""})
    journal.log_market_condition_change("bull", 70.0, {"adx": 31.5})
    return sink.read()


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_what_is_exported_comes_back_equal(journal, events, form, tmp_path):
    path = journal.export_session_data(form, tmp_path / f"run.{form}")
    assert read_export(path) == events


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_an_export_has_the_same_bytes_each_time(journal, events, form, tmp_path):
    one, two = (journal.export_session_data(form, tmp_path / f"{n}.{form}") for n in (1, 2))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_a_run_without_events_is_an_empty_export(journal, form, tmp_path):
    assert read_export(journal.export_session_data(form, tmp_path / f"run.{form}")) == ()


def test_a_table_has_columns_for_people(journal, events, tmp_path):
    path = journal.export_session_data("csv", tmp_path / "run.csv")
    with path.open(newline="", encoding="utf-8") as stream:
        seen, missed, *_ = csv.DictReader(stream)
    assert (seen["kind"], seen["symbol"], seen["price"]) == ("SetupDetected", "SPY", "1e-08")
    assert missed["reason"].startswith("größer")
    import pyarrow.parquet as pq

    table = pq.read_table(journal.export_session_data("parquet", tmp_path / "run.parquet"))
    assert table["confidence"].to_pylist() == [61.803398874989485, None, None, 70.0]
    assert table.column_names[-1] == "event"


def test_json_is_a_list_that_any_program_reads(journal, events, tmp_path):
    path = journal.export_session_data("json", tmp_path / "run.json")
    assert [e["kind"] for e in json.loads(path.read_text("utf-8"))] == [e.kind for e in events]


def test_what_cannot_be_written_says_so(journal, events, tmp_path):
    with pytest.raises(SinkError, match="cannot be written"):
        journal.export_session_data("json", tmp_path / "absent" / "run.json")
    with pytest.raises(UsageError, match="'json' or 'csv' or 'parquet'"):
        journal.export_session_data("xlsx")


def test_parquet_without_pyarrow_names_the_extra(journal, events, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"tradekit\[parquet\]"):
        journal.export_session_data("parquet", tmp_path / "run.parquet")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.txt", "[]"),
        ("run.json", "{"),
        ("run.json", "3"),
        ("run.json", '[{"kind": "Unheard"}]'),
        ("run.csv", "a,b\n1,2\n"),
        ("run.parquet", "PAR0"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError):
        read_export(path)
    with pytest.raises(UsageError):
        read_export(tmp_path / "absent.json")
