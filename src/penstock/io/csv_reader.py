"""Reading CSV files as RecordBatches with the types that TFDV's CSV decoder infers."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from penstock.io.arrow_arrays import numbers, to_numpy
from penstock.io.csv_diagnosis import DECOMPRESSION_ERRORS, CsvError, diagnose, read_header
from penstock.io.csv_types import ARROW_TYPES, ColumnType, convert, infer_type
from penstock.io.examples_reader import one_value_lists
from penstock.io.files import open_decompressed

_BLOCK_BYTES = 2 << 20
_KEPT_BYTES = 64 << 20


@dataclass(frozen=True)
class CsvFiles:
    """CSV files of one split and how they are written.

    Args:
        files: Local paths or fsspec URLs, also gzipped (`.gz`) or `.bz2`. All have the same header.
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
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError(
                f"encoding must be one that Python knows. Received: encoding={self.encoding!r}"
            ) from error
        if bool(self.multivalent_columns) != bool(self.secondary_delimiter):
            raise ValueError(
                f"multivalent_columns and secondary_delimiter go together. Received: "
                f"multivalent_columns={list(self.multivalent_columns)}, "
                f"secondary_delimiter={self.secondary_delimiter!r}"
            )

    def read_header(self) -> list[str]:
        """Reads the column names and checks that all files have the same.

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
                    f"All files of a split need the same columns in the same order."
                )
        unknown = sorted(set(self.multivalent_columns) - set(first))
        if unknown:
            raise CsvError(f"{self.files[0]}: no columns {unknown}. Columns: {first}")
        return first

    def infer_types(self) -> dict[str, ColumnType]:
        """Infers the type of every column over all files.

        Raises:
            CsvError: If a file cannot be read or no file has a row.
        """
        types, _ = self._scan(kept_bytes=0)
        return types

    def read(self, types: dict[str, ColumnType] | None = None) -> Iterator[pa.RecordBatch]:
        """Reads the rows; every column is a list of values, null where the cell is missing.

        Args:
            types: The columns' types, from `infer_types` over more files than these; columns
                without a type are left out. By default types are inferred from these files, which
                are then read twice if they are large.

        Raises:
            CsvError: If a file cannot be read, or a cell is not of its column's type.
        """
        kept: list[pa.RecordBatch] | None = None
        if types is None:
            types, kept = self._scan(kept_bytes=_KEPT_BYTES)
        for strings in self._string_batches() if kept is None else kept:
            kept_names = [name for name in strings.schema.names if name in types]
            columns = [
                self._convert_column(name, strings.column(name), types[name]) for name in kept_names
            ]
            yield pa.RecordBatch.from_arrays(columns, kept_names)

    def _scan(self, kept_bytes: int) -> tuple[dict[str, ColumnType], list[pa.RecordBatch] | None]:
        """Infers all types; keeps the batches of strings unless they are too many."""
        types = dict.fromkeys(self.read_header(), ColumnType.UNKNOWN)
        kept: list[pa.RecordBatch] | None = []
        size = rows = 0
        for batch in self._string_batches():
            rows += batch.num_rows
            size += batch.nbytes
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                cells = self._split_cells(column).flatten() if self._splits(name) else column
                types[name] = infer_type(cells, types[name])
            if kept is not None and size <= kept_bytes:
                kept.append(batch)
            else:
                kept = None
        if not rows:
            raise CsvError(
                f"{', '.join(self.files)}: there is a header but no row. Expected rows of data."
            )
        return types, kept

    def _splits(self, name: str) -> bool:
        return name in self.multivalent_columns

    def _split_cells(self, column: pa.Array) -> pa.Array:
        return pc.split_pattern(column, self.secondary_delimiter)

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
        values = convert(lists.values, kind)
        return pa.LargeListArray.from_arrays(numbers(offsets), values, mask=mask)

    def _string_batches(self) -> Iterator[pa.RecordBatch]:
        header = self.read_header()
        for path in self.files:
            yield from self._string_batches_of(path, header)

    def _string_batches_of(self, path: str, header: list[str]) -> Iterator[pa.RecordBatch]:
        with open_decompressed(path) as file:
            try:
                yield from pacsv.open_csv(
                    file,
                    read_options=pacsv.ReadOptions(
                        block_size=_BLOCK_BYTES,
                        encoding=self.encoding,
                        column_names=self.column_names,
                    ),
                    parse_options=pacsv.ParseOptions(
                        delimiter=self.delimiter, newlines_in_values=True
                    ),
                    convert_options=pacsv.ConvertOptions(
                        column_types=dict.fromkeys(header, pa.string()),
                        strings_can_be_null=True,
                        null_values=["", *self.na_values],
                    ),
                )
            except (pa.ArrowInvalid, UnicodeDecodeError, *DECOMPRESSION_ERRORS) as error:
                raise diagnose(path, header, self.delimiter, self.encoding, error) from error


def read_csv(
    files: Sequence[str],
    *,
    delimiter: str = ",",
    multivalent_columns: Sequence[str] = (),
    secondary_delimiter: str | None = None,
    na_values: Sequence[str] = (),
    encoding: str = "utf-8",
) -> Iterator[pa.RecordBatch]:
    """Reads CSV files as RecordBatches whose columns are lists of int64, float32 or bytes.

    Types are inferred per column over all files (see `csv_types`); an empty cell is missing.
    Memory is bounded: files beyond 64 MiB are read twice, a block at a time.

    Args:
        files: Local paths or fsspec URLs, with equal headers.
        delimiter: What separates cells.
        multivalent_columns: Columns whose cells hold several values.
        secondary_delimiter: What separates the values of such a cell.
        na_values: Cells that mean "missing" besides the empty one.
        encoding: The text's encoding.

    Raises:
        CsvError: If a file is empty, ragged, wrongly encoded, or its header is faulty.
        FileNotFoundError: If a file does not exist.

    Example:
        >>> next(read_csv(["taxi.csv"])).schema.field("fare").type
        LargeListType(large_list<item: float>)
    """
    source = CsvFiles(
        files, delimiter, multivalent_columns, secondary_delimiter, na_values, encoding
    )
    return source.read()


__all__ = ["ARROW_TYPES", "ColumnType", "CsvError", "CsvFiles", "read_csv"]
