"""Bars out of a folder of CSV and Parquet files."""

from __future__ import annotations

import asyncio
import difflib
import logging
import os
import threading
from collections.abc import Callable, Collection, Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._core.bars import Adjustment, Bars
from .._core.clock import Clock, SystemClock
from .._core.errors import NoDataError, SourceError, TradekitError, UsageError
from .._core.faults import ADJUSTMENTS
from .._core.frames import TIME_COLUMNS
from .._core.resample import resample
from .._core.source import BarsRequest, Capabilities, DataSource
from .._core.timeframe import Timeframe
from ._layout import LAYOUTS, BarsFile, find_files

if TYPE_CHECKING:
    import pandas as pd

_ROWS_KEPT = 2_000_000  # about 100 MB
_CURES = "FileSource takes tz=, label=, bad=, time_format=; a subclass mends frames in _read(path)"

_log = logging.getLogger(__name__)


class FileSource(DataSource):
    """Bars out of a folder of CSV files (plain or gzipped) and Parquet files.

    A file holds one symbol at one timeframe. Files are listed once, when the source is made; what
    they hold is read when it is asked for, and again when a file has changed. A longer timeframe
    than any file has is resampled from the longest shorter one that divides it.

    Parameters
    ----------
    folder : path
        Where the files are.
    layout : str or sequence of str
        Paths within the folder: ``{symbol}`` stands for the symbol, ``{timeframe}`` for its
        timeframe as any text that `Timeframe` reads, ``*`` for anything within one name, ``**/``
        for any folders. Without an ending it means all three. Where there is no ``{timeframe}``,
        the rows tell. By default files lie in the folder itself, in a folder for each timeframe,
        or in such a folder's collections: ``SPY.csv``, ``1d/SPY.csv``, ``1d/etfs/SPY.csv``.
    tz : str, optional
        Zone of times that carry none. Dates of daily bars need none.
    label : {"open", "close"}
        Whether times are those of the bars' beginning or end.
    bad : {"drop", "raise"}
        Leave impossible rows out, in time order, counted in ``dropped`` and logged; or refuse the
        file. Nobody mends one row among thousands before a scan, so a file is read as far as it
        is right, and a gap shows where it was not.
    time_format : str, optional
        How times are written (as for `datetime.strptime`), where that may mean two days:
        ``"%m/%d/%Y %H:%M"``. Texts that start with the year need none.
    feed, adjustment, calendar : str, optional
        What is known of the bars: the tape, what prices are adjusted for, the exchange. Else what
        a file says of itself (`Bars.to_frame` keeps it in Parquet), else ``unknown`` and ``XNYS``.
    clock : Clock, optional
        Who says what time it is; later bars are not told. The machine's clock by default.

    Raises
    ------
    UsageError
        When the folder is missing or empty, or holds no file that fits the layout.

    Notes
    -----
    A request's ``adjustment`` does not choose: files are what they are, and their bars say so.

    A symbol that stands in two files of one timeframe is a failure that names both. A ``/`` in a
    symbol is a ``-`` or ``_`` in the file's name. Symbols never become paths, so that none leads
    out of the folder.

    For files of another make (without a header line, with scaled prices), write ``_read(path)``,
    which gives a DataFrame that `Bars.from_frame` can read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> lines = '''date,open,high,low,close,volume
    ... 2024-07-02,543.7,549.0,543.6,549.0,40e6
    ... 2024-07-03,549.0,551.8,548.7,551.5,32e6
    ... 2024-07-05,551.8,555.1,551.1,,41e6'''
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "SPY.csv").write_text(lines)
    ...     fetched = asyncio.run(FileSource(folder).fetch(BarsRequest("SPY", "1Day")))
    >>> fetched["SPY"].close, fetched["SPY"].dropped  # the last row has no close
    (array([549. , 551.5]), 1)
    """

    name = "files"
    batch = True

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        layout: str | Iterable[str] = LAYOUTS,
        tz: str | None = None,
        label: Literal["open", "close"] = "open",
        bad: Literal["drop", "raise"] = "drop",
        time_format: str | None = None,
        feed: str | None = None,
        adjustment: Adjustment | None = None,
        calendar: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check(label=(label, ("open", "close")), bad=(bad, ("drop", "raise")))
        _check(adjustment=(adjustment, (None, *ADJUSTMENTS)))
        self.folder = Path(folder).expanduser()
        self.clock = clock or SystemClock()
        self.capabilities = Capabilities(
            feed=feed or "unknown", adjustments=(adjustment or "unknown",)
        )
        self._options: dict[str, Any] = {"tz": tz, "label": label, "bad": bad}
        self._stated = {"feed": feed, "adjustment": adjustment, "calendar": calendar}
        self._time_format = time_format
        layouts = (layout,) if isinstance(layout, str) else tuple(layout)
        self._files = find_files(self.folder, layouts)
        self._shelf = _Shelf()

    def __repr__(self) -> str:
        return f"FileSource({self.folder.as_posix()!r})"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that has a file, sorted, as the files are named."""
        return tuple(sorted(self._files))

    def timeframes(self, symbol: str) -> tuple[Timeframe, ...]:
        """Tell which timeframes the files of a symbol hold; longer ones are made from them.

        Parameters
        ----------
        symbol : str
            Whose. Its files are read when the layout has no ``{timeframe}``.

        Returns
        -------
        tuple of Timeframe
            Shortest first.

        Raises
        ------
        SourceError
            When the symbol has no file (a `NoDataError`), or its file cannot be read.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "1h").mkdir()
        ...     Path(folder, "1h", "SPY.csv").touch()
        ...     FileSource(folder).timeframes("SPY")
        ('1Hour',)
        """
        return tuple(sorted(self._held(symbol)))

    async def _fetch(self, request: BarsRequest) -> dict[str, Bars | SourceError]:
        answers: dict[str, Bars | SourceError] = {}
        for symbol in request.symbols:
            try:
                # One at a time: threads would only take turns at making Python objects.
                answers[symbol] = await asyncio.to_thread(self._answer, symbol, request.timeframe)
            except SourceError as error:
                answers[symbol] = error
        return answers

    def _read(self, path: Path) -> pd.DataFrame:
        import pandas as pd

        if path.suffix.lower() != ".parquet":
            return _read_csv(path, self._time_format)
        try:
            return pd.read_parquet(path, engine="pyarrow")
        except ImportError as error:
            raise SourceError(
                "Parquet files need pyarrow",
                retryable=False,
                got=str(error).splitlines()[0],
                hint='pip install "tradekit[parquet]"',
            ) from error

    def _answer(self, symbol: str, timeframe: Timeframe) -> Bars:
        held = self._held(symbol)
        if timeframe in held:
            return self._bars(self._only(symbol, timeframe, held[timeframe]), symbol)
        off_grid: SourceError | None = None
        for length in sorted(held, reverse=True):
            if length < timeframe and timeframe.seconds % length.seconds == 0:
                file = self._only(symbol, length, held[length])
                try:
                    return self._bars(file, symbol, timeframe)
                except UsageError as error:  # a shorter one may stand on the session's grid
                    off_grid = off_grid or self._unreadable(file, symbol, error)
        raise off_grid or self._too_short(symbol, timeframe, held)

    def _held(self, symbol: str) -> dict[Timeframe, list[BarsFile]]:
        """The files of a symbol by their timeframe."""
        spellings = dict.fromkeys((symbol, symbol.replace("/", "-"), symbol.replace("/", "_")))
        files = [file for name in spellings for file in self._files.get(name, ())]
        if not files:
            raise self._unknown(symbol)
        held: dict[Timeframe, list[BarsFile]] = {}
        for file in files:
            timeframe = file.timeframe or self._bars(file, symbol).timeframe
            held.setdefault(timeframe, []).append(file)
        return held

    def _bars(self, file: BarsFile, symbol: str, timeframe: Timeframe | None = None) -> Bars:
        """Bars of a file, as they stand there or longer; kept while the file stays as it is."""

        def make() -> Bars:
            if timeframe is None:
                return self._load(file, symbol)
            # The first longer bar may have begun before the file does: then it is left out.
            return resample(self._bars(file, symbol), timeframe, cut=True)

        try:
            stat = file.path.stat()
        except OSError as error:
            raise self._unreadable(file, symbol, error) from error
        key = (file.path, symbol, timeframe)
        return self._shelf.get(key, (stat.st_mtime_ns, stat.st_size), make)

    def _load(self, file: BarsFile, symbol: str) -> Bars:
        try:
            frame = self._read(file.path)
            stated = {"source": frame.attrs.get("source", self.name), **self._stated}
            bars = Bars.from_frame(frame, symbol, file.timeframe, **self._options, **stated)
        except Exception as error:  # pandas, pyarrow, gzip and the system raise their own kinds
            raise self._unreadable(file, symbol, error) from error
        if bars.dropped:
            rows = len(bars) + bars.dropped
            _log.warning("%s: %d of %d rows are no bars, left out", file.place, bars.dropped, rows)
        return bars

    def _only(self, symbol: str, timeframe: Timeframe, files: list[BarsFile]) -> BarsFile:
        if len(files) == 1:
            return files[0]
        raise SourceError(
            f"{len(files)} files hold {timeframe} bars of {symbol}",
            retryable=False,
            expected="one, since no file is better than another",
            got=", ".join(file.place for file in files[:8]),
            hint=f"FileSource(..., layout={files[0].layout!r}), or another of them",
            source=self.name,
            symbol=symbol,
        )

    def _unknown(self, symbol: str) -> NoDataError:
        near = _near(symbol, self._files)
        return NoDataError(
            f"{symbol} has no file in {self.folder.name}",
            expected=f"one of {len(self._files)} symbols",
            got=symbol,
            hint=f"did you mean {' or '.join(near)}?" if near else "source.symbols lists them",
            source=self.name,
            symbol=symbol,
        )

    def _too_short(
        self, symbol: str, timeframe: Timeframe, held: Iterable[Timeframe]
    ) -> NoDataError:
        return NoDataError(
            f"{timeframe} bars of {symbol} cannot be made from its files",
            expected=f"{timeframe} bars, or shorter ones that divide them",
            got=f"bars of {', '.join(sorted(held))}",
            hint="one of these, or a whole multiple",
            source=self.name,
            symbol=symbol,
        )

    def _unreadable(self, file: BarsFile, symbol: str, error: Exception) -> SourceError:
        facts: dict[str, Any] = {"source": self.name, "symbol": symbol, "file": file.place}
        if not isinstance(error, TradekitError):
            problem = f"{file.place} cannot be read, {type(error).__name__}: {error}"
            return SourceError(problem, retryable=False, **facts)
        cures = (error.hint, _CURES if isinstance(error, UsageError) else None)
        facts |= {"expected": error.expected, "got": error.got}
        facts |= {"hint": ". ".join(filter(None, cures)), "retryable": False}
        return SourceError(f"{file.place}: {error.problem}", **facts)


class _Shelf:
    """Bars that were made, kept until their stamp changes; those unused the longest go first."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Hashable, Bars]] = {}
        self._rows = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, stamp: Hashable, make: Callable[[], Bars]) -> Bars:
        with self._lock:
            kept = self._kept.get(key)
        bars = kept[1] if kept and kept[0] == stamp else make()
        with self._lock:
            self._drop(key)
            self._kept[key] = stamp, bars
            self._rows += len(bars)
            while len(self._kept) > 1 and self._rows > _ROWS_KEPT:
                self._drop(next(iter(self._kept)))
        return bars

    def _drop(self, key: Hashable) -> None:
        if key in self._kept:
            self._rows -= len(self._kept.pop(key)[1])


def _read_csv(path: Path, time_format: str | None) -> pd.DataFrame:
    import pandas as pd

    first = pd.read_csv(path, header=None, nrows=2, usecols=[0], dtype=str)
    if set(first[0]) == {"Price", "Ticker"}:  # as yfinance's frames are saved
        return pd.read_csv(path, header=[0, 1], index_col=0)
    # In one piece, lest a text in the middle turn only a part of its column into texts.
    frame = pd.read_csv(path, low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):
        raise UsageError(
            "rows are longer than the header line",
            expected=f"{len(frame.columns)} fields a row, as there are names",
            got="more",
            hint="name every column, or take the commas at the ends of lines away",
        )
    return _with_times(frame, time_format)


def _with_times(frame: pd.DataFrame, time_format: str | None) -> pd.DataFrame:
    """Name the column of times as `Bars.from_frame` knows it, and read what it would refuse."""
    import pandas as pd

    named = {str(column).strip().lower(): column for column in frame.columns}
    name = next((named[word] for word in (*TIME_COLUMNS, "unnamed: 0") if word in named), None)
    if name is None or not len(frame):
        return frame  # from_frame tells what is missing
    times = frame[name]
    if time_format is not None:
        zoned = "%z" in time_format
        texts = times.astype("str")  # 20240703 came as a number
        times = pd.to_datetime(texts, format=time_format, utc=zoned, errors="coerce")
        if times.isna().all():
            raise UsageError(
                "no time is written like time_format",
                expected=time_format,
                got=repr(frame[name].iloc[0]),
                hint="the codes of datetime.strptime",
            )
    return frame.drop(columns=name).assign(timestamp=times)


def _near(symbol: str, known: Collection[str]) -> list[str]:
    """Names that one may have meant; they begin alike, so that thousands are not compared."""
    begin_alike = {name.upper(): name for name in known if name[0].upper() == symbol[:1].upper()}
    return [begin_alike[name] for name in difflib.get_close_matches(symbol.upper(), begin_alike)]


def _check(**chosen: tuple[object, Collection[object]]) -> None:
    for name, (value, choices) in chosen.items():
        if value not in choices:
            raise UsageError(
                f"unknown {name}",
                expected=" or ".join(map(repr, choices)),
                got=repr(value),
                hint=f"{name}={next(iter(choices))!r}",
            )
