"""Events as files for other programs: JSON, CSV, Parquet; and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .._core.errors import SinkError, UsageError
from .._core.event import Event

_FIRST = ("id", "kind", "time", "seen_at", "run", "mode", "setup", "seq", "symbol")
_NESTED = (dict, list)
_Row = dict[str, Any]
_text = json.JSONEncoder(separators=(",", ":")).encode


def write_export(events: Iterable[Event], kind: str, path: Path) -> Path:
    """Write events to a file, the same bytes for the same events."""
    if kind not in _WRITERS:
        raise UsageError(
            "no such format", expected=" or ".join(map(repr, _WRITERS)), got=repr(kind)
        )
    content = _WRITERS[kind](list(events))
    try:
        path.write_bytes(content)
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written",
            got=f"{type(error).__name__}: {error.strerror}",
            hint="another path, in a folder that is there and may be written to",
        ) from error
    return path


def read_export(path: str | Path) -> tuple[Event, ...]:
    """Read events back from what `ComprehensiveLogger.export_session_data` wrote.

    Parameters
    ----------
    path : path
        A file that ends in ``.json``, ``.csv`` or ``.parquet``.

    Returns
    -------
    tuple of Event
        Equal to those that were exported, in the same order.

    Raises
    ------
    UsageError
        When the file is none of these, or holds something else; for Parquet, when pyarrow is
        absent.

    Examples
    --------
    >>> import tempfile
    >>> from tradekit.journal import ComprehensiveLogger, MemorySink
    >>> journal = ComprehensiveLogger(sinks=[MemorySink()])
    >>> event = journal.log_system_error("data", "no route to host")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = journal.export_session_data("csv", f"{folder}/errors.csv")
    ...     read_export(file) == (event,)
    True
    """
    path = Path(path)
    read = _READERS.get(path.suffix.removeprefix("."))
    if read is None or not path.is_file():
        hint = "what export_session_data gave"
        raise UsageError("no export", expected="a json, csv or parquet file", got=path, hint=hint)
    try:
        return tuple(map(Event.from_dict, read(path)))
    except UsageError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        got = f"{type(error).__name__}: {error}"
        hint = "what export_session_data wrote"
        raise UsageError(f"{path} is no export", got=got, hint=hint) from error


def _json(events: list[Event]) -> bytes:
    """One event a line, so that two exports can be compared by eye."""
    lines = ",\n".join(_text(event.to_dict()) for event in events)
    return f"[\n{lines}\n]\n".encode() if lines else b"[]\n"


def _csv(events: list[Event]) -> bytes:
    rows = _rows(events)
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, _columns(rows), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return stream.getvalue().encode("utf-8", "backslashreplace")


def _parquet(events: list[Event]) -> bytes:
    pa, pq = _pyarrow()
    rows = _rows(events)
    columns = {name: _column(pa, [row.get(name) for row in rows]) for name in _columns(rows)}
    stream = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), stream)
    return bytes(stream.getvalue())


def _rows(events: list[Event]) -> list[_Row]:
    """Flat columns for people, and the whole event as JSON in the last one."""
    return [
        {**{k: v for k, v in said.items() if not isinstance(v, _NESTED)}, "event": _text(said)}
        for said in (event.to_dict() for event in events)
    ]


def _columns(rows: list[_Row]) -> list[str]:
    found = {name for row in rows for name in row} - {*_FIRST, "event"}
    return [*_FIRST, *sorted(found), "event"]


def _column(pa: Any, values: list[Any]) -> Any:
    """Truth values, numbers or texts; what differs from event to event is text."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds and kinds <= {int, float}:
        return pa.array([v if v is None else float(v) for v in values], pa.float64())
    return pa.array([v if v is None else _unicode(str(v)) for v in values], pa.string())


def _unicode(text: str) -> str:
    """Show half of a surrogate pair as its code: no file format takes it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _read_json(path: Path) -> list[Any]:
    return list(json.loads(path.read_text("utf-8")))


def _read_csv(path: Path) -> list[Any]:
    with path.open(newline="", encoding="utf-8") as stream:
        return [json.loads(row["event"]) for row in csv.DictReader(stream)]


def _read_parquet(path: Path) -> list[Any]:
    _, pq = _pyarrow()
    return [json.loads(text) for text in pq.read_table(path)["event"].to_pylist()]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow",
            got=f"{type(error).__name__}: {error}",
            hint="pip install 'tradekit[parquet]', or the format 'json'",
        ) from error
    return pa, pq


_WRITERS: dict[str, Callable[[list[Event]], bytes]] = {
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
_READERS: dict[str, Callable[[Path], list[Any]]] = {
    "json": _read_json,
    "csv": _read_csv,
    "parquet": _read_parquet,
}
