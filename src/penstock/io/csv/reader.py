"""Reading CSV files as RecordBatches with the types that TFDV's CSV decoder infers."""

import codecs
import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import numbers, one_value_lists, to_numpy
from penstock.io.arrow.list_columns import repeated
from penstock.io.csv.cell_type import ColumnType
from penstock.io.csv.header import CsvError, read_header
from penstock.io.csv.string_columns import (
    CsvDialect,
    DoubtfulCsvError,
    exact_batches,
    fast_batches,
    split_cells,
)
from penstock.io.csv.type_inference import ARROW_TYPES, convert, infer_type
from penstock.io.examples.rows import WrongGuessError
from penstock.io.files.filesystem import FilePath, file_paths
from penstock.io.ingestion.broken_rows import OnBroken, leave_out

_KEPT_BYTES = 64 << 20
_GUESSED_BYTES = 16 << 20


@dataclass(frozen=True)
class CsvFiles:
    """CSV files of one split, and their format.

    Args:
        files: Local paths or fsspec URLs, possibly gzipped (`.gz`) or `.bz2`. All must have the
            same header.
        delimiter: What separates cells; one character.
        multivalent_columns: Columns whose cells hold several values.
        secondary_delimiter: What separates the values of such a cell.
        na_values: Cells that mean "missing" besides the empty one, such as "NA".
        encoding: The text's encoding.
        column_names: The columns' names, for files without a header line.

    Example:
        >>> source = CsvFiles(["data/penguins.csv"], na_values=["NA"])
        >>> types = source.infer_types()
        >>> for batch in source.read(types):
        ...     print(batch.num_rows)
    """

    files: Sequence[str]
    delimiter: str = ","
    multivalent_columns: Sequence[str] = ()
    secondary_delimiter: str | None = None
    na_values: Sequence[str] = ()
    encoding: str = "utf-8"
    column_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("CsvFiles needs at least one file. Received: files=[]")
        if len(self.delimiter) != 1:
            raise ValueError(
                f"delimiter must be one character. Received: delimiter={self.delimiter!r}"
            )
        if twice := repeated(list(self.column_names or ())):
            raise ValueError(
                f"column_names: {twice} come more than once. Name each column differently."
            )
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError(
                "encoding must be an encoding that Python knows. Received: "
                f"encoding={self.encoding!r}"
            ) from error
        if bool(self.multivalent_columns) != bool(self.secondary_delimiter):
            raise ValueError(
                f"multivalent_columns and secondary_delimiter go together. Received: "
                f"multivalent_columns={list(self.multivalent_columns)}, "
                f"secondary_delimiter={self.secondary_delimiter!r}"
            )

    def read_header(self) -> list[str]:
        """Read the column names and check that all files have the same.

        Raises:
            CsvError: If a header is missing, faulty or differs from the first file's.
        """
        if self.column_names is not None:
            return list(self.column_names)
        first = read_header(self.files[0], self.delimiter, self.encoding)
        for path in self.files[1:]:
            other = read_header(path, self.delimiter, self.encoding)
            if other != first:
                raise CsvError(
                    f"{path}: its header {other} differs from that of {self.files[0]}: {first}. "
                    f"All files of a split must have the same columns in the same order."
                )
        unknown = sorted(set(self.multivalent_columns) - set(first))
        if unknown:
            raise CsvError(f"{self.files[0]}: no columns {unknown}. Columns: {first}")
        return first

    def infer_types(self) -> dict[str, ColumnType]:
        """Infer the type of every column over all files.

        Raises:
            CsvError: If a file cannot be read or no file has a row.
        """
        return self._scan(kept_bytes=0, on_broken=None).types

    def read(
        self,
        types: dict[str, ColumnType] | None = None,
        *,
        on_broken: OnBroken | None = None,
        needs_rows: bool = True,
    ) -> Iterator[pa.RecordBatch]:
        """Read the rows; every column is a list of values, null where the cell is missing.

        Args:
            types: The columns' types, for example from `infer_types` over more files; columns
                without a type are left out. By default types are inferred from these files, which
                are then read twice if they are large.
            on_broken: Called with each broken row, which is left out; by default the first one is
                an error.
            needs_rows: Whether it is an error if no file has a row.

        Raises:
            CsvError: If a file cannot be read, or a cell is not of its column's type.
        """
        cells = self.read_cells(types, on_broken=on_broken, needs_rows=needs_rows)
        for batch in cells.batches:
            yield self.convert(batch, cells.types)

    def read_cells(
        self,
        types: dict[str, ColumnType] | None = None,
        *,
        on_broken: OnBroken | None = None,
        needs_rows: bool = True,
    ) -> "CsvCells":
        """Infer types as `read` does, and read the rows as strings; `convert` does the rest.

        Args:
            types: See `read`.
            on_broken: See `read`.
            needs_rows: See `read`.

        Example:
            >>> cells = source.read_cells()
            >>> [source.convert(batch, cells.types) for batch in cells.batches]
        """
        exact: Set[str] = frozenset()
        kept: list[pa.RecordBatch] | None = None
        if types is None or on_broken is not None:
            scan = self._scan(_KEPT_BYTES if types is None else 0, on_broken, needs_rows)
            types = types or scan.types
            exact, kept = scan.exact, scan.kept
        return CsvCells(types, self._string_batches(exact) if kept is None else iter(kept))

    def guess_cells(self) -> "CsvCells":
        """Infer types from the first 16 MiB of cells, and read each file once.

        `convert` with `guessed=True` checks whether the types hold for all rows.

        Raises:
            WrongGuessError: At once or while batches are read: the files need `read_cells`.
        """
        batches = self._fast_batches()
        types = dict.fromkeys(self.read_header(), ColumnType.UNKNOWN)
        first: deque[pa.RecordBatch] = deque()
        size = 0
        while size < _GUESSED_BYTES and (batch := next(batches, None)) is not None:
            types = self.infer_more(batch, types)
            first.append(batch)
            size += batch.nbytes
        if not first:
            raise WrongGuessError("no row")
        return CsvCells(types, itertools.chain(_emptying(first), batches))

    def infer_more(
        self, cells: pa.RecordBatch, types: Mapping[str, ColumnType]
    ) -> dict[str, ColumnType]:
        """Return the columns' types, given more of their cells and the types of the earlier ones."""
        inferred = dict(types)
        for name, column in zip(cells.schema.names, cells.columns, strict=True):
            values = self._split_cells(column).flatten() if self._splits(name) else column
            inferred[name] = infer_type(values, types[name])
        return inferred

    def convert(
        self, cells: pa.RecordBatch, types: dict[str, ColumnType], *, guessed: bool = False
    ) -> pa.RecordBatch:
        """Convert cells to lists of values; a column without a type is left out.

        Args:
            cells: Rows as strings.
            types: The columns' types.
            guessed: Whether the types may be wrong, see `guess_cells`.

        Raises:
            CsvError: If a cell is not of its column's type.
            WrongGuessError: If the cells need other types than the guessed ones.
        """
        if guessed and self.infer_more(cells, types) != types:
            raise WrongGuessError("column types")
        columns = {
            name: self._convert_column(name, column, types[name])
            for name, column in zip(cells.schema.names, cells.columns, strict=True)
            if name in types
        }
        return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))

    def _scan(
        self, kept_bytes: int, on_broken: OnBroken | None, needs_rows: bool = True
    ) -> "_Scan":
        """Read all files once: infer types, find broken rows, keep the cells unless there are too many."""
        header = self.read_header()
        scan = _Scan(dict.fromkeys(header, ColumnType.UNKNOWN), [] if kept_bytes else None)
        for path in self.files:
            before = replace(scan)
            batches_before = len(scan.kept or ())
            try:
                for batch in fast_batches(path, header, self.dialect):
                    self._look_at(batch, scan, kept_bytes)
            except DoubtfulCsvError:
                scan = before
                scan.exact.add(path)
                if scan.kept is not None:
                    del scan.kept[batches_before:]
                for batch in exact_batches(path, header, self.dialect, on_broken):
                    self._look_at(batch, scan, kept_bytes)
        if not scan.rows and needs_rows:
            which = "row" if on_broken is None else "sound row"
            raise CsvError(
                f"{', '.join(self.files)}: there is a header but no {which}. Expected rows of data."
            )
        return scan

    def _look_at(self, batch: pa.RecordBatch, scan: "_Scan", kept_bytes: int) -> None:
        scan.rows += batch.num_rows
        scan.size += batch.nbytes
        scan.types = self.infer_more(batch, scan.types)
        if scan.kept is not None and scan.size <= kept_bytes:
            scan.kept.append(batch)
        else:
            scan.kept = None

    @property
    def dialect(self) -> CsvDialect:
        """The files' format."""
        return CsvDialect(self.delimiter, self.na_values, self.encoding, self.column_names)

    def _splits(self, name: str) -> bool:
        return name in self.multivalent_columns

    def _split_cells(self, column: pa.Array) -> pa.Array:
        assert self.secondary_delimiter is not None
        return split_cells(column, self.secondary_delimiter)

    def _convert_column(self, name: str, cells: pa.Array, kind: ColumnType) -> pa.Array:
        if kind is ColumnType.UNKNOWN:
            return pa.nulls(len(cells))
        try:
            return self._converted(name, cells, kind)
        except ValueError as error:
            raise CsvError(
                f"{', '.join(self.files)}: column {name!r} has a cell that is not of its type "
                f"{kind.name}: {error}"
            ) from error

    def _converted(self, name: str, cells: pa.Array, kind: ColumnType) -> pa.Array:
        if not self._splits(name):
            return one_value_lists(convert(cells, kind))
        lists = self._split_cells(cells)
        offsets = to_numpy(lists.offsets).astype(np.int64)
        mask = lists.is_null() if lists.null_count else None
        if kind is not ColumnType.STRING and pc.any(pc.equal(lists.values, "")).as_py():
            raise ValueError(
                f"there is no value beside a {self.secondary_delimiter!r}; leave one of the two out"
            )
        values = convert(lists.values, kind)
        return pa.LargeListArray.from_arrays(numbers(offsets), values, mask=mask)

    def _fast_batches(self) -> Iterator[pa.RecordBatch]:
        header = self.read_header()
        try:
            for path in self.files:
                yield from fast_batches(path, header, self.dialect)
        except DoubtfulCsvError as error:
            raise WrongGuessError(str(error)) from error

    def _string_batches(self, exact: Set[str]) -> Iterator[pa.RecordBatch]:
        """Read the cells; broken rows of the files named `exact` are known and left out."""
        header = self.read_header()
        for path in self.files:
            if path in exact:
                yield from exact_batches(path, header, self.dialect, leave_out)
                continue
            rows = 0
            try:
                for batch in fast_batches(path, header, self.dialect):
                    yield batch
                    rows += batch.num_rows
            except DoubtfulCsvError:
                # What Arrow has read before it failed is sound.
                for batch in exact_batches(path, header, self.dialect, None):
                    if batch.num_rows > rows:
                        yield batch.slice(rows)
                    rows = max(0, rows - batch.num_rows)


class CsvCells(NamedTuple):
    """The rows of CSV files as strings, null where a cell is missing, and the columns' types."""

    types: dict[str, ColumnType]
    batches: Iterator[pa.RecordBatch]


def _emptying(batches: deque[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while batches:
        yield batches.popleft()


@dataclass
class _Scan:
    types: dict[str, ColumnType]
    kept: list[pa.RecordBatch] | None
    exact: set[str] = field(default_factory=set)
    rows: int = 0
    size: int = 0


def read_csv(
    files: FilePath | Sequence[FilePath],
    *,
    delimiter: str = ",",
    multivalent_columns: Sequence[str] = (),
    secondary_delimiter: str | None = None,
    na_values: Sequence[str] = (),
    encoding: str = "utf-8",
    on_broken: OnBroken | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read CSV files as RecordBatches whose columns are lists of int64, float32 or bytes.

    Types are inferred per column over all files (see `csv_types`); an empty cell is missing. Memory
    is bounded: files over 64 MiB are read twice, one block at a time.

    Args:
        files: Local paths or fsspec URLs, one or several with equal headers.
        delimiter: What separates cells.
        multivalent_columns: Columns whose cells hold several values.
        secondary_delimiter: What separates the values of such a cell.
        na_values: Cells that mean "missing" besides the empty one.
        encoding: The text's encoding.
        on_broken: Called with each broken row, which is left out; by default a broken row is an
            error.

    Raises:
        CsvError: If a file is empty, ragged, wrongly encoded, or its header is faulty.
        FileNotFoundError: If a file does not exist.

    Example:
        >>> next(read_csv(["taxi.csv"])).schema.field("fare").type
        LargeListType(large_list<item: float>)
    """
    source = CsvFiles(
        file_paths(files), delimiter, multivalent_columns, secondary_delimiter, na_values, encoding
    )
    return source.read(on_broken=on_broken)


__all__ = ["ARROW_TYPES", "ColumnType", "CsvError", "CsvFiles", "read_csv"]
