"""Labels that come later, joined to the logged requests by their id."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from penstock.io.examples.messages import example_class
from penstock.io.tfrecord.records import TFRecordWriter, read_tfrecords
from penstock.server.request_log.records import PREFIX, REQUEST_ID, ROW

_SHARD_RECORDS = 100_000


@dataclass(frozen=True)
class JoinedLabels:
    """What `join_labels` did.

    Args:
        folder: The folder with the labeled Examples.
        rows: How many logged rows got a label.
        unlabeled: How many got none; they are left out.
        unused: How many labels belong to no logged row: their request was not sampled, or was removed.
    """

    folder: str
    rows: int
    unlabeled: int
    unused: int


def join_labels(
    requests: str | os.PathLike[str],
    labels: Any,
    output: str | os.PathLike[str],
    *,
    keep_answers: bool = True,
) -> JoinedLabels:
    """Add labels to logged requests, and write Examples that `ImportExampleGen` reads.

    Args:
        requests: The folder of a model's logged requests, such as `requests/taxi/served`.
        labels: The labels: the path of a CSV or Parquet file, or rows as `ServedModel.predict` takes
            them. The column `request_id` says which request a label belongs to, the column `row` which
            row of it, counted from 0; without `row`, requests must have one row. Every other column is
            a label, and becomes a feature of its name.
        output: The folder to write to; it must be new or empty.
        keep_answers: Whether the records keep what the server added (`served.version`,
            `served.output.fare`, ...), to compare answers with labels. Without it they hold the features
            and labels only, as the data for training does.

    Returns:
        How many rows were joined, and how many were not.

    Raises:
        FileNotFoundError: If there are no logged requests or no labels.
        FileExistsError: If `output` holds files.
        ValueError: If the labels lack a column, name a row twice, or a label has the name of a feature.

    Example:
        >>> joined = join_labels("requests/taxi/served", "tips.csv", "labeled")
        >>> joined.rows, joined.unlabeled, joined.unused
        (980, 20, 3)
    """
    output = os.fspath(output)
    files = sorted(glob.glob(os.path.join(glob.escape(os.fspath(requests)), "requests-*.gz")))
    if not files:
        raise FileNotFoundError(
            f"There are no logged requests in {os.fspath(requests)}. Expected files "
            "requests-*.tfrecord.gz; the one that a server still writes is hidden until it is complete."
        )
    if os.path.isdir(output) and os.listdir(output):
        raise FileExistsError(f"{output} holds files. Give a new folder.")
    table = _Labels(labels)
    os.makedirs(output, exist_ok=True)
    rows = unlabeled = 0
    with _Shards(output) as shards:
        for record in (record for path in files for record in read_tfrecords(path)):
            labeled = table.added_to(record, keep_answers)
            if labeled is None:
                unlabeled += 1
            else:
                rows += 1
                shards.write(labeled)
    return JoinedLabels(output, rows, unlabeled, table.unused())


class _Labels:
    """Labels by request and row, as features that are ready to be merged into an Example."""

    def __init__(self, labels: Any) -> None:
        batch = _as_batch(labels)
        names = batch.schema.names
        if "request_id" not in names:
            raise ValueError(
                f"The labels have no column request_id. Columns: {', '.join(names) or 'none'}"
            )
        self._names = [name for name in names if name not in ("request_id", "row")]
        if not self._names:
            raise ValueError(
                f"The labels have no column besides {' and '.join(names)}: there is nothing to join."
            )
        if served := [name for name in self._names if name.startswith(PREFIX)]:
            raise ValueError(
                f"A label cannot have a name that starts with {PREFIX!r}. Received: {served[0]!r}"
            )
        self._by_row = "row" in names
        self._rows: dict[tuple[bytes, int], bytes] = {}
        self._used: set[tuple[bytes, int]] = set()
        from penstock.io.examples.serialization import serialize_examples

        features = serialize_examples(batch.select(self._names), missing="absent").to_pylist()
        ids = [_first(each) for each in batch.column("request_id").to_pylist()]
        rows = (
            [_first(each) for each in batch.column("row").to_pylist()]
            if self._by_row
            else [0] * len(ids)
        )
        for place, (request_id, row, feature) in enumerate(zip(ids, rows, features, strict=True)):
            self._add(place, request_id, row, feature)

    def added_to(self, record: bytes, keep_answers: bool) -> bytes | None:
        """Return a record with its labels; None if it has none."""
        example = example_class().FromString(record)
        features = example.features.feature
        key = (features[REQUEST_ID].bytes_list.value[0], features[ROW].int64_list.value[0])
        if not self._by_row and key[1]:
            if (key[0], 0) in self._rows:
                raise ValueError(
                    f"The request {key[0].decode()!r} has several rows. Give the labels a column row, "
                    "counted from 0, that says which row each belongs to."
                )
            return None
        label = self._rows.get(key)
        if label is None:
            return None
        for name in self._names:
            if name in features:
                raise ValueError(
                    f"The label {name!r} has the name of a feature of the requests. Rename its column."
                )
        self._used.add(key)
        if not keep_answers:
            for name in [name for name in features if name.startswith(PREFIX)]:
                del features[name]
        example.MergeFromString(label)
        return bytes(example.SerializeToString(deterministic=True))

    def unused(self) -> int:
        """Return how many labels were added to no record."""
        return len(self._rows) - len(self._used)

    def _add(self, place: int, request_id: Any, row: Any, feature: bytes) -> None:
        if request_id is None or row is None:
            raise ValueError(f"Row {place} of the labels has no request_id or no row.")
        if isinstance(request_id, int | float) or not isinstance(row, int):
            raise ValueError(
                "request_id is text and row is a whole number. "
                f"Received in row {place} of the labels: {request_id!r}, {row!r}"
            )
        key = (request_id.encode() if isinstance(request_id, str) else request_id, row)
        if key in self._rows:
            which = f"row {row} of the request" if self._by_row else "the request"
            raise ValueError(f"The labels have {which} {key[0].decode(errors='replace')!r} twice.")
        self._rows[key] = feature


class _Shards:
    """Writes gzipped TFRecord files of a bounded number of records each; none if it fails."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._writer: TFRecordWriter | None = None
        self._count = 0
        self._paths: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close()
        if kind is not None:
            for path in self._paths:
                os.remove(path)

    def write(self, record: bytes) -> None:
        if self._writer is None:
            name = f"labeled-{len(self._paths):05d}.tfrecord.gz"
            self._paths.append(os.path.join(self._folder, name))
            self._writer = TFRecordWriter(self._paths[-1])
        self._writer.write(record)
        self._count += 1
        if self._count % _SHARD_RECORDS == 0:
            self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _first(cell: Any) -> Any:
    return cell[0] if isinstance(cell, list) and cell else None if cell == [] else cell


def _as_batch(labels: Any) -> Any:
    """Return labels in any form as one Arrow batch."""
    import pyarrow as pa

    from penstock.io.tables.example_columns import example_columns, value_type

    if isinstance(labels, str | os.PathLike):
        table = pa.Table.from_batches(_read_file(os.fspath(labels)))
    else:
        from penstock.serving.rows import rows_of

        columns = rows_of(labels).columns
        table = pa.table({name: pa.array(column) for name, column in columns.items()})
    batches = table.combine_chunks().to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    types = {field.name: value_type(field.name, field.type) for field in batch.schema}
    return example_columns(batch, types)


def _read_file(path: str) -> Iterator[Any]:
    from penstock.io.csv.cell_type import ColumnType
    from penstock.io.csv.reader import CsvFiles
    from penstock.io.tables.parquet_ingest import read_parquet

    if path.lower().endswith(".parquet"):
        return iter(read_parquet([path]))
    source = CsvFiles([path])
    types = source.infer_types()
    # An id of digits is text all the same.
    if "request_id" in types:
        types["request_id"] = ColumnType.STRING
    return source.read(types)
