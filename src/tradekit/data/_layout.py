"""Which file of a folder holds which symbol: paths that are read like a pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NoReturn

import attrs

from .._core.errors import UsageError
from .._core.timeframe import Timeframe

LAYOUTS = ("{symbol}", "{timeframe}/{symbol}", "{timeframe}/*/{symbol}")
_ENDING = r"\.(?:csv|csv\.gz|parquet)"
_FIELDS = {
    "{symbol}": r"(?P<symbol>[^/.][^/]*?)",
    "{timeframe}": r"(?P<timeframe>\d+[A-Za-z]+)",
    "**/": r"(?:.*/)?",
    "*": r"[^/]*",
}
_FIELD = re.compile("|".join(f"({re.escape(field)})" for field in _FIELDS))


@attrs.frozen
class BarsFile:
    """A file, what its place says of it, and the layout that picks no other file of its symbol."""

    path: Path
    place: str
    symbol: str
    timeframe: Timeframe | None
    layout: str


def find_files(folder: Path, layouts: Sequence[str]) -> dict[str, list[BarsFile]]:
    """List the files that fit a layout by their symbol; each counts by the first that it fits."""
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing of that name"
        _refuse(folder, got, "the path of a folder, seen from where the program runs")
    found: dict[Path, BarsFile] = {}
    for layout in layouts:
        pattern, glob = _pattern(layout)
        for path in folder.glob(glob):
            file = _read_place(folder, path, pattern)
            if file is not None and path.is_file():
                found.setdefault(path, file)
    if not found:
        _refuse_misfits(folder, layouts)
    files = defaultdict(list)
    for path in sorted(found):
        files[found[path].symbol].append(found[path])
    return dict(files)


def _pattern(layout: str) -> tuple[re.Pattern[str], str]:
    """A layout as a pattern of paths, and as a glob that finds at least all of them."""
    layout = layout.replace("\\", "/")
    literal = _FIELD.sub("", layout)
    once = layout.count("{symbol}") == 1 and layout.count("{timeframe}") < 2
    inside = not layout.startswith("/") and ".." not in layout.split("/") and ":" not in layout
    if not (once and inside) or set(literal) & set("{}[]?*"):
        raise UsageError(
            f"layout {layout!r} does not say where a symbol's file lies",
            expected="a path in the folder: {symbol} once, {timeframe} at most once, * and **/",
            got=repr(layout),
            hint="'{timeframe}/*/{symbol}.parquet'",
        )
    text = "".join(_FIELDS.get(part, re.escape(part)) for part in _FIELD.split(layout) if part)
    whole = re.search(f"{_ENDING}$", layout, re.IGNORECASE)
    glob = re.sub(r"\{\w+\}", "*", layout)
    # Names ending in .CSV are common where the system does not tell them apart.
    pattern = re.compile(text if whole else text + _ENDING, re.IGNORECASE)
    return pattern, glob if whole else f"{glob}.*"


def _read_place(folder: Path, path: Path, pattern: re.Pattern[str]) -> BarsFile | None:
    place = path.relative_to(folder).as_posix()
    match = pattern.fullmatch(place)
    if match is None:
        return None
    fields = match.groupdict()
    try:
        timeframe = Timeframe(fields["timeframe"]) if "timeframe" in fields else None
    except UsageError:  # digits and letters that are no timeframe: another kind of folder
        return None
    layout = place
    for start, end, name in sorted((*match.span(name), name) for name in fields)[::-1]:
        layout = f"{layout[:start]}{{{name}}}{layout[end:]}"
    return BarsFile(path, place, fields["symbol"], timeframe, layout)


def _refuse_misfits(folder: Path, layouts: Sequence[str]) -> NoReturn:
    kinds = re.compile(f".*{_ENDING}", re.IGNORECASE)
    others = (p for p in sorted(folder.rglob("*")) if kinds.fullmatch(p.name))
    some = [path.relative_to(folder).as_posix() for path in islice(others, 3)]
    if not some:
        empty = not any(folder.iterdir())
        got = "an empty folder" if empty else "no such file in it or below"
        _refuse(folder, got, "another folder, or write files there: bars.to_frame().to_csv(path)")
    _refuse(
        folder,
        f"files elsewhere, such as {', '.join(some)}, which do not fit {' or '.join(layouts)}",
        "layout='folder/{timeframe}/{symbol}.csv', after the place of your files",
    )


def _refuse(folder: Path, got: str, hint: str) -> NoReturn:
    raise UsageError(
        f"{folder.as_posix()} holds no files of bars",
        expected="files ending in .csv, .csv.gz or .parquet, as the layout says",
        got=got,
        hint=hint,
    )
