"""The first rows of an artifact, as values that a page, a terminal and JSON can show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.artifacts import (
    Array,
    Artifact,
    Examples,
    InferenceResult,
    SplitArtifact,
    Table,
    TransformGraph,
    location,
)
from penstock.spelling import nearest

if TYPE_CHECKING:
    import pyarrow as pa

_GZIP = b"\x1f\x8b"


class NoRowsError(TypeError):
    """An artifact of this type has no rows."""


@dataclasses.dataclass(frozen=True)
class FirstRows:
    """Some rows, from the first on.

    Args:
        name: What they are of: a split, a vocabulary; empty where there is only one thing.
        columns: The names of the columns.
        rows: JSON values, one for each column.
        total: How many rows there are in all; None if nobody has counted.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    total: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value: the rows as dicts."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"name": self.name, "total": self.total, "rows": rows}


def first_rows(
    artifact: Artifact,
    count: int = 10,
    *,
    split: str | None = None,
    columns: Sequence[str] | None = None,
) -> list[FirstRows]:
    """Return the first rows of Examples (of each split), a Table, an Array, vocabularies, or predictions.

    Only what is needed of the files is read. Bytes are UTF-8 text, with `\\xNN` for what is none; NaN and
    infinity are text, since JSON has no such numbers.

    Args:
        artifact: The artifact.
        count: How many rows at most.
        split: Only this split, or this vocabulary.
        columns: Only these columns.

    Raises:
        NoRowsError: If an artifact of the type has no rows.
        KeyError: If there is no such split or column; the message has the nearest name.
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged.

    Example:
        >>> first_rows(examples, 2, split="train", columns=["species"])[0].rows
        [['Adelie'], ['Gentoo']]
    """
    read = next((read for kind, read in _READERS if isinstance(artifact, kind)), None)
    if read is None:
        raise NoRowsError(f"{artifact.TYPE_NAME} has no rows")
    names = _names(artifact)
    if split is not None and split not in names:
        near = nearest(split, names) or (f" It has {', '.join(names)}." if names else "")
        kind = "vocabulary" if isinstance(artifact, TransformGraph) else "split"
        raise KeyError(f"{artifact.TYPE_NAME} has no {kind} {split!r}.{near}")
    chosen = names if split is None else [split]
    return [_with_columns(each, columns) for each in read(artifact, chosen, count)]


def names_of_splits(artifact: SplitArtifact) -> list[str]:
    """Return the splits that an artifact declares, else those of its folder."""
    if artifact.splits:
        return artifact.splits
    found = (path.partition("/")[0] for path, _ in location.list_files(artifact.uri))
    folders = dict.fromkeys(name for name in found if name.startswith("Split-"))
    return [name.removeprefix("Split-") for name in folders]


def vocabulary_files(artifact: TransformGraph) -> dict[str, str]:
    """Return the URIs of a transform graph's vocabularies by name."""
    folder = f"{artifact.uri.rstrip('/')}/transform_fn/assets"
    if not location.exists(folder):
        return {}
    files = [path for path, _ in location.list_files(folder)]
    return {
        path.removesuffix(".gz").removesuffix(".tfrecord"): f"{folder}/{path}" for path in files
    }


def vocabulary_terms(uri: str, count: int) -> tuple[list[Any], int]:
    """Return the first terms of a vocabulary, and how many there are."""
    from penstock.io import read_tfrecords

    if ".tfrecord" in uri:
        lines = list(read_tfrecords(uri, compression="GZIP" if uri.endswith(".gz") else ""))
    else:
        lines = location.read_bytes(uri).splitlines()
    return [plain(line) for line in lines[:count]], len(lines)


def plain(value: Any) -> Any:
    """Return a value as JSON has it.

    Example:
        >>> plain({"a": [b"x", b"\\xff"], "b": float("nan")})
        {'a': ['x', '\\\\xff'], 'b': 'NaN'}
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return str(value)


def cell_text(value: Any, longest: int = 60) -> str:
    """Return a JSON value as the text of a table's cell: one value of a list stands alone.

    Example:
        >>> cell_text([3]), cell_text(["a", "b"]), cell_text(None), cell_text([0.10000000149])
        ('3', '[a, b]', '-', '0.1')
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = _text(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def is_numeric(values: Sequence[Any]) -> bool:
    """Return whether the JSON values of a column are numbers, one per row, some of them missing.

    Example:
        >>> is_numeric([[1], None, []]), is_numeric([[1, 2]]), is_numeric([None])
        (True, False, False)
    """
    flat = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in values]
    there = [each for each in flat if each is not None and each != []]
    return bool(there) and all(
        isinstance(each, (int, float)) and not isinstance(each, bool) for each in there
    )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(each)}" for key, each in value.items())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def _names(artifact: Artifact) -> list[str]:
    if isinstance(artifact, TransformGraph):
        return list(vocabulary_files(artifact))
    return names_of_splits(artifact) if isinstance(artifact, SplitArtifact) else []


def _with_columns(found: FirstRows, columns: Sequence[str] | None) -> FirstRows:
    if columns is None:
        return found
    for name in columns:
        if name not in found.columns:
            near = nearest(name, found.columns) or f" Columns: {', '.join(found.columns)}."
            of = f" in {found.name}" if found.name else ""
            raise KeyError(f"There is no column {name!r}{of}.{near}")
    places = [list(found.columns).index(name) for name in columns]
    rows = [[row[place] for place in places] for row in found.rows]
    return FirstRows(found.name, list(columns), rows, found.total)


def _examples(artifact: Any, splits: Sequence[str], count: int) -> Iterator[FirstRows]:
    from penstock.io import ExamplesSplit

    for name in splits:
        split = ExamplesSplit.of(artifact, name)
        try:
            columns, rows = _of_batches(split.batches(batch_size=count), count)
        except RuntimeError as error:  # fewer or more rows than were written
            raise ValueError(str(error)) from error
        yield FirstRows(name, columns, rows, split.row_count)


def _of_batches(batches: Iterator[pa.RecordBatch], count: int) -> tuple[list[str], list[list[Any]]]:
    """Return columns and rows; a column that only later batches have is absent in earlier rows."""
    from penstock.io.examples.formats import SEQUENCE_COLUMN

    found: list[dict[str, Any]] = []
    columns: dict[str, None] = {}
    for batch in batches:
        names = [name for name in batch.schema.names if name != SEQUENCE_COLUMN]
        columns.update(dict.fromkeys(names))
        for row in batch.slice(0, count - len(found)).to_pylist():
            sequences = row.pop(SEQUENCE_COLUMN, None) or {}
            columns.update(dict.fromkeys(f"{name} (sequence)" for name in sequences))
            found.append({**row, **{f"{k} (sequence)": v for k, v in sequences.items()}})
        if len(found) >= count:
            break
    names = list(columns)
    return names, [[plain(row.get(name)) for name in names] for row in found]


def _table(artifact: Any, splits: Sequence[str], count: int) -> Iterator[FirstRows]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from penstock.io.files.filesystem import open_binary

    with open_binary(artifact.value_uri) as file:
        try:
            parquet = pq.ParquetFile(file)
            columns, rows = _of_batches(parquet.iter_batches(count), count)
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{artifact.value_uri}: damaged Parquet file ({error})") from error
        yield FirstRows("", columns or parquet.schema_arrow.names, rows, parquet.metadata.num_rows)


def _array(artifact: Any, splits: Sequence[str], count: int) -> Iterator[FirstRows]:
    try:
        array = artifact.value
    except (ValueError, EOFError) as error:
        raise ValueError(f"{artifact.value_uri}: damaged array ({error})") from error
    total = len(array) if array.ndim else 1
    rows = array[:count].tolist() if array.ndim else [array.tolist()]
    if array.dtype.names:
        columns = list(array.dtype.names)
    elif array.ndim == 2 and array.shape[1]:
        columns = [str(i) for i in range(array.shape[1])]
    else:
        columns, rows = ["value"], [[row] for row in rows]
    yield FirstRows("", columns, [[plain(value) for value in row] for row in rows], total)


def _vocabularies(artifact: Any, names: Sequence[str], count: int) -> Iterator[FirstRows]:
    files = vocabulary_files(artifact)
    for name in names:
        terms, total = vocabulary_terms(files[name], count)
        yield FirstRows(name, ["index", "term"], [[i, term] for i, term in enumerate(terms)], total)


def _predictions(artifact: Any, splits: Sequence[str], count: int) -> Iterator[FirstRows]:
    from penstock.io import read_tfrecords
    from penstock.io.files.filesystem import open_binary

    rows: list[list[Any]] = []
    for path, _ in location.list_files(artifact.uri):
        uri = f"{artifact.uri.rstrip('/')}/{path}"
        with open_binary(uri) as file:
            compression: Any = "GZIP" if file.read(2) == _GZIP else ""
        for record in read_tfrecords(uri, compression=compression):
            if len(rows) == count:
                break
            rows.append([plain(record)])
    yield FirstRows("", ["prediction_log"], rows)


_READERS: Sequence[tuple[type[Artifact], Callable[[Any, Sequence[str], int], Iterator[FirstRows]]]]
_READERS = (
    (Examples, _examples),
    (Table, _table),
    (Array, _array),
    (TransformGraph, _vocabularies),
    (InferenceResult, _predictions),
)
