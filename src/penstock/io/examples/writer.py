"""Writing the folders of an Examples artifact: `Split-<name>/data_tfrecord-00000-of-00001.gz`."""

import json
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import pyarrow as pa

from penstock.artifacts import Examples, split_uri
from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.io.examples.formats import MissingAs, file_format_named, payload_format_named
from penstock.io.examples.rows import Rows
from penstock.io.examples.split_shards import SplitShards
from penstock.io.files.filesystem import join, open_binary, open_for_writing
from penstock.io.tfrecord.framing import frame_records

ROW_COUNTS_FILE = "row_counts.json"
QUARANTINE_KEY = "quarantine/"
SHARD_BYTES = 64 << 20

_OF_ONE_ARTIFACT = ("name", "tfx_version", "is_external", "state", "input_fingerprint")
"""Custom properties that say where one artifact came from, not how it is stored."""


class ExamplesWriter:
    """Writes the splits of an Examples artifact and counts their rows.

    After `close`, every split has a shard, even one without rows, and `row_counts.json` beside the
    split folders holds the number of rows in each split. Equal calls give equal bytes.

    Args:
        uri: The artifact's folder, a local path or an fsspec URL; created if it does not exist.
        splits: The names of the splits.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        payload_format: What a record is; only tf.Examples can be written as Parquet.
        name: The shards' name without their number; by default `data_tfrecord`, in Parquet
            `data_parquet`.
        missing: What a null cell becomes, see `serialize_examples`.
        num_shards: How many shards a split gets; its rows are dealt to them one by one. By default,
            rows stay in order and a new shard follows a full one.
        shard_bytes: Uncompressed bytes at which a shard is full.

    Example:
        >>> with ExamplesWriter("/tmp/examples", ["train", "eval"]) as writer:
        ...     writer.write("train", batch)
        >>> writer.row_counts
        {'train': 3, 'eval': 0}
    """

    def __init__(
        self,
        uri: str,
        splits: Sequence[str],
        *,
        file_format: str = DEFAULT_FILE_FORMAT,
        payload_format: str = DEFAULT_PAYLOAD_FORMAT,
        name: str | None = None,
        missing: MissingAs = "empty",
        num_shards: int | None = None,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        stored = file_format_named(file_format)
        self._payload = payload_format_named(payload_format)
        if not stored.holds_records and payload_format != DEFAULT_PAYLOAD_FORMAT:
            raise ValueError(
                f"Parquet holds the columns of tf.Examples. Received: file_format={file_format!r}, "
                f"payload_format={payload_format!r}"
            )
        if num_shards is not None and num_shards < 1:
            raise ValueError(f"num_shards must be 1 or more. Received: num_shards={num_shards}")
        self.quarantined: int | None = None
        self._kinds: dict[tuple[str, str], str] = {}
        self._uri = uri
        self._parquet = not stored.holds_records
        self._missing = missing
        base = name or ("data_parquet" if self._parquet else "data_tfrecord")
        self._shards = {
            split: SplitShards(split_uri(uri, split), base, stored, num_shards, shard_bytes)
            for split in splits
        }

    @classmethod
    def like(
        cls, source: Examples, target: Examples, *, splits: Sequence[str] | None = None
    ) -> "ExamplesWriter":
        """Open a writer that stores rows in the format of another artifact.

        `target` gets the file format, payload format, span, version and other properties of
        `source`. To keep the records byte for byte, write rows from `ExamplesSplit.rows` with
        `write_rows`; `write` takes columns, and refuses payloads that columns cannot express.

        Args:
            source: The artifact to read.
            target: The artifact to write.
            splits: Its splits; by default those of `source`.

        Example:
            >>> with ExamplesWriter.like(self.examples, self.kept) as writer:
            ...     for split in ExamplesSplit.all_of(self.examples):
            ...         for rows in split.rows():
            ...             writer.write_rows(split.name, rows.filter(keep(rows.batch)))
        """
        names = list(source.splits if splits is None else splits)
        target.splits = names
        for key, value in source.properties.items():
            if key != "split_names":
                target.properties[key] = value
        for key, value in source.custom_properties.items():
            if key not in _OF_ONE_ARTIFACT:
                target.custom_properties[key] = value
        target.file_format = source.file_format
        target.payload_format = source.payload_format
        return cls(
            target.uri,
            names,
            file_format=source.file_format,
            payload_format=source.payload_format,
            missing="absent",
        )

    @property
    def row_counts(self) -> dict[str, int]:
        """The rows written to each split so far."""
        return {split: shards.rows for split, shards in self._shards.items()}

    def write(self, split: str, batch: pa.RecordBatch) -> None:
        """Append the rows of a batch to a split.

        Raises:
            ValueError: If the payload format cannot be made from columns, or a column holds values
                of another kind than in an earlier batch of the split.
        """
        self._see_kinds(split, batch.schema)
        if self._parquet:
            self._shards_of(split).write_batch(batch)
        else:
            self.write_records(split, self._payload.serialize(batch, self._missing))

    def _see_kinds(self, split: str, columns: pa.Schema) -> None:
        """Notices a feature of two kinds, which nobody could read."""
        for column in columns:
            kind = _kind_of(column.type)
            known = self._kinds.setdefault((split, column.name), kind) if kind else kind
            if known != kind:
                raise ValueError(
                    f"Column {column.name!r} of split {split!r} holds {kind} here and {known} in an "
                    f"earlier batch. Give all batches the same types, such as by batch.cast(schema)."
                )

    def write_rows(self, split: str, rows: Rows) -> None:
        """Append rows to a split: their records if the format stores records, else their columns.

        Raises:
            ValueError: If the format stores records and the rows, which come from Parquet, have
                none.
        """
        if self._parquet:
            self._shards_of(split).write_batch(rows.batch)
        elif len(rows.records) != rows.batch.num_rows:
            self.write(split, rows.batch)
        else:
            self.write_records(split, rows.records)

    def write_records(self, split: str, records: Sequence[bytes]) -> None:
        """Append serialized records to a split (TFRecord formats only)."""
        self.write_framed(split, frame_records(records))

    def write_framed(self, split: str, framed: pa.LargeBinaryArray) -> None:
        """Append records that `frame_records` has framed to a split (TFRecord formats only)."""
        if self._parquet:
            raise ValueError("Serialized records cannot be written as Parquet; write batches.")
        self._shards_of(split).write_framed(framed)

    def _shards_of(self, split: str) -> SplitShards:
        if split not in self._shards:
            raise ValueError(
                f"ExamplesWriter was opened for the splits {list(self._shards)}. "
                f"Received: split={split!r}"
            )
        return self._shards[split]

    def close(self) -> None:
        """Complete every split and write the row counts.

        If `quarantined` was set, it is among them, under a key that no split can have.
        """
        shards = list(self._shards.values())
        schema = next((each.schema for each in shards if each.schema is not None), pa.schema([]))
        for each in shards:
            each.close(schema)
        counts: dict[str, int] = self.row_counts
        if self.quarantined is not None:
            counts[QUARANTINE_KEY] = self.quarantined
        with open_for_writing(join(self._uri, ROW_COUNTS_FILE)) as file:
            file.write((json.dumps(counts, indent=1, sort_keys=True) + "\n").encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            try:
                self.close()
            except BaseException as failed:
                self._abort(failed)
                raise
        else:
            self._abort(error)

    def _abort(self, error: BaseException) -> None:
        for shards in self._shards.values():
            shards.abort(error)


def _kind_of(column: pa.DataType) -> str | None:
    """Return what a feature of a column holds; None if that is not known."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    while any(test(column) for test in lists):
        column = column.value_type
    if pa.types.is_floating(column):
        return "floats"
    if pa.types.is_integer(column) or pa.types.is_boolean(column):
        return "integers"
    return None if pa.types.is_null(column) or pa.types.is_nested(column) else "strings or bytes"


def read_row_counts(uri: str) -> dict[str, int] | None:
    """Read the row counts beside an artifact's splits; None if another tool wrote it.

    Quarantined rows are in no split and not counted.
    """
    try:
        with open_binary(join(uri, ROW_COUNTS_FILE)) as file:
            counts = json.load(file)
    except FileNotFoundError:
        return None
    return {str(split): int(rows) for split, rows in counts.items() if split != QUARANTINE_KEY}
