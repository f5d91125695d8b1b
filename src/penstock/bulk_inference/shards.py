"""Inference over one shard: read, predicted and written batch by batch, in order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.bulk_inference.heads import HeadedModel, HeadOutputs, load_heads
from penstock.bulk_inference.joint_rows import JointRows
from penstock.bulk_inference.output_columns import check_new, extended_records, output_columns
from penstock.bulk_inference.prediction_logs import prediction_logs
from penstock.bulk_inference.specs import ModelSpec, OutputColumnsSpec, OutputExampleSpec
from penstock.io import TFRecordWriter, read_record_batches, serialize_examples
from penstock.io.examples.formats import file_format_named
from penstock.io.examples.reader import RecordDecoder
from penstock.io.examples.shard_files import written_whole
from penstock.io.examples.split_shards import ParquetShard
from penstock.io.files.filesystem import file_size
from penstock.io.tfrecord.blocks import read_record_blocks, records_of
from penstock.io.tfrecord.framing import frame_records
from penstock.io.tfrecord.tensor_blocks import read_tensor_blocks
from penstock.serving.serialized_examples import SerializedExamples

if TYPE_CHECKING:
    from penstock.io import ExamplesSplit

DEFAULT_BATCH_SIZE = 8192
DEFAULT_BATCH_BYTES = 32 << 20
# From what size on TensorFlow reads a file sooner than Python.
_BYTES_FOR_TENSORFLOW = 1 << 20


@dataclass(frozen=True)
class InferencePlan:
    """What is inferred by which model, the same for all shards.

    Args:
        model: The model's folder; a path or an fsspec URL.
        model_spec: Its signatures.
        output: The columns for predictions; None for PredictionLogs.
        file_format: How Examples are written; PredictionLogs are gzip TFRecords.
        batch_size: The most rows that the model gets at once.
        batch_bytes: The most serialized bytes that it gets at once, unless a single row has more.
        job: Names the inference, so that a process that loaded a model keeps it to the end.
        columns: The features of the rows with their types, for Parquet: a serialized Arrow schema.
        guessed: Whether these are the features of the first rows of each file.
    """

    model: str
    model_spec: ModelSpec = field(default_factory=ModelSpec)
    output: OutputExampleSpec | None = None
    file_format: str = DEFAULT_FILE_FORMAT
    batch_size: int = DEFAULT_BATCH_SIZE
    batch_bytes: int = DEFAULT_BATCH_BYTES
    job: str = ""
    columns: bytes = b""
    guessed: bool = False

    @property
    def schema(self) -> pa.Schema | None:
        """The features of the rows, if they are known."""
        return pa.ipc.read_schema(pa.py_buffer(self.columns)) if self.columns else None

    @property
    def stored(self) -> Any:
        """The format of the files that are written."""
        return file_format_named(self.file_format if self.output else DEFAULT_FILE_FORMAT)


class InferenceShard(NamedTuple):
    """A file of rows, and the file for its predictions.

    Args:
        split: The split with this one file.
        target: Where the predictions belong; a path or an fsspec URL.
    """

    split: ExamplesSplit
    target: str


class OtherFeatures(Exception):
    """The rows have features, or types of them, that the first rows of the files did not have."""


class _Batch(NamedTuple):
    records: SerializedExamples
    columns: pa.RecordBatch | None
    first_row: int


def infer_shard(plan: InferencePlan, shard: InferenceShard) -> tuple[str, int]:
    """Predict the rows of a shard and write a file with as many, in the same order.

    While the model works on a batch, the next is read and the one before is written.

    Args:
        plan: What to do.
        shard: The shard.

    Returns:
        The name of the split, and the number of rows.

    Raises:
        ValueError: If the model cannot take a row; the message names the file and the row.
    """
    model, specs, joint = _loaded(plan)
    (path,) = shard.split.files
    rows = 0
    with written_whole(shard.target) as target, _Output(plan, specs, target) as output:
        batches = _batches(plan, shard.split, by_tensorflow=model.USES_TENSORFLOW)
        with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
            coming: Future[_Batch | None] = reading.submit(next, batches, None)
            written: Future[None] | None = None
            while (batch := coming.result()) is not None:
                coming = reading.submit(next, batches, None)
                try:
                    found = None
                    if joint is not None and batch.columns is None:
                        found = joint(batch.records, batch.first_row)
                    if found is not None:
                        heads, columns = found
                        batch = batch._replace(columns=columns)
                    else:
                        heads = model.infer(batch.records, batch.first_row)
                except ValueError as error:
                    error.add_note(f"The rows are those of {path}, from 0.")
                    raise
                if written is not None:
                    written.result()
                written = writing.submit(output.write, batch, heads)
                rows += len(batch.records)
            if written is not None:
                written.result()
    return shard.split.name, rows


@functools.lru_cache(maxsize=1)
def _loaded(
    plan: InferencePlan,
) -> tuple[HeadedModel, dict[str, OutputColumnsSpec], JointRows | None]:
    """Load the model once for a process."""
    model = load_heads(plan.model, plan.model_spec)
    schema, joint = plan.schema, None
    if schema is not None:
        decode = RecordDecoder(DEFAULT_PAYLOAD_FORMAT)

        def decoded(records: SerializedExamples, first_row: int) -> pa.RecordBatch:
            return _conformed(decode(records.records, plan.model, first_row), schema)

        joint = JointRows(model, schema, decoded)
    return model, check_heads(model, plan.output), joint


def forget_model() -> None:
    """Let go of the model that this process loaded."""
    _loaded.cache_clear()


def check_heads(
    model: HeadedModel, output: OutputExampleSpec | None
) -> dict[str, OutputColumnsSpec]:
    """Return the columns for each signature, after a check that they fit what the signatures are for.

    Raises:
        ValueError: If they do not, or several signatures are to be logged of which one predicts.
    """
    methods = model.methods()
    if output is None:
        if len(methods) > 1 and "predict" in methods.values():
            name = next(name for name, method in methods.items() if method == "predict")
            raise ValueError(
                f"A PredictionLog holds several signatures only if each classifies or regresses; {name!r} "
                "predicts. Call one signature, or ask for Examples with output_example_spec."
            )
        return {}
    specs = output.by_signature(list(methods))
    for name, spec in specs.items():
        if spec.method != methods[name]:
            raise ValueError(
                f"The OutputColumnsSpec for the signature {name!r} has a {spec.method}_output, but the "
                f"signature is there to {methods[name]}. Give it a {methods[name]}_output."
            )
    return specs


def feature_types(split: ExamplesSplit, plan: InferencePlan) -> pa.Schema:
    """Return the features of a file of records with their types; Arrow's null type where no row has one.

    If the plan's columns are to be guessed, only the first batch is looked at.
    """
    found = pa.schema([])
    decode = RecordDecoder(split.payload_format)
    (path,) = split.files
    for batch in _batches(plan, split):
        types = decode(batch.records.records, path, batch.first_row).schema
        found = joined_types([found, types], path)
        if plan.guessed:
            break
    return found


def joined_types(schemas: Sequence[pa.Schema], path: str) -> pa.Schema:
    """Return the features of all schemas, in the order in which they come.

    Raises:
        ValueError: If a feature has two types.
    """
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for column in schema:
            known = types.get(column.name)
            if known is None or pa.types.is_null(known):
                types[column.name] = column.type
            elif not pa.types.is_null(column.type) and column.type != known:
                raise ValueError(
                    f"The feature {column.name!r} is {known} in some rows and {column.type} in others "
                    f"(up to {path}), so it is no column of Parquet. Write TFRecords."
                )
    return pa.schema(list(types.items()))


def _is_long_and_local(path: str) -> bool:
    return "://" not in path and file_size(path) >= _BYTES_FOR_TENSORFLOW


def _batches(
    plan: InferencePlan, split: ExamplesSplit, *, by_tensorflow: bool = False
) -> Iterator[_Batch]:
    (path,) = split.files
    stored = file_format_named(split.file_format)
    if stored.compression is not None and by_tensorflow and _is_long_and_local(path):
        first_row = 0
        for tensor in read_tensor_blocks(
            path, compression=stored.compression, rows=plan.batch_size, size=plan.batch_bytes
        ):
            yield _Batch(SerializedExamples(tensor), None, first_row)
            first_row += int(tensor.shape[0])
        return
    if stored.compression is not None:
        blocks = read_record_blocks(
            path, compression=stored.compression, rows=plan.batch_size, size=plan.batch_bytes
        )
        for block in blocks:
            yield _Batch(SerializedExamples(records_of(block)), None, block.first_row)
        return
    first_row = 0
    for batch in read_record_batches(
        [path], file_format=split.file_format, batch_size=plan.batch_size
    ):
        records = serialize_examples(batch, missing="absent").to_pylist()
        start = 0
        for count in _counts(records, plan.batch_bytes):
            part = batch.slice(start, count)
            yield _Batch(
                SerializedExamples(records[start : start + count]), part, first_row + start
            )
            start += count
        first_row += batch.num_rows


def _counts(records: Sequence[bytes], most: int) -> Iterator[int]:
    """Yield how many rows each batch has, so that none has more bytes than `most`."""
    count = size = 0
    for record in records:
        if count and size + len(record) > most:
            yield count
            count = size = 0
        count += 1
        size += len(record)
    if count:
        yield count


class _Output:
    """The file that a shard's predictions are written to."""

    def __init__(self, plan: InferencePlan, specs: dict[str, OutputColumnsSpec], path: str) -> None:
        self._plan = plan
        self._specs = specs
        self._path = path
        self._columns = plan.schema
        self._writer: TFRecordWriter | ParquetShard | None = None
        if plan.stored.compression is not None:
            self._writer = TFRecordWriter(path, plan.stored.compression, fast=True)
        self._decode: Callable[..., pa.RecordBatch] = RecordDecoder(DEFAULT_PAYLOAD_FORMAT)

    def write(self, batch: _Batch, heads: Sequence[HeadOutputs]) -> None:
        """Append the predictions of a batch."""
        if self._plan.output is None:
            assert isinstance(self._writer, TFRecordWriter)
            self._writer.write_framed(frame_records(prediction_logs(batch.records.records, heads)))
            return
        columns = output_columns(heads, self._specs)
        if isinstance(self._writer, TFRecordWriter):
            self._writer.write_framed(
                frame_records(extended_records(batch.records.records, columns))
            )
            return
        rows = batch.columns
        if rows is None:
            rows = self._decode(batch.records.records, self._path, batch.first_row)
            if self._columns is not None and self._plan.guessed:
                _check_known(rows.schema, self._columns)
        if self._columns is not None:
            rows = _conformed(rows, self._columns)
        check_new(list(columns), rows.schema.names)
        rows = pa.RecordBatch.from_arrays(
            [*rows.columns, *columns.values()], [*rows.schema.names, *columns]
        )
        if self._writer is None:
            self._writer = ParquetShard(self._path, rows.schema)
        self._writer.write_batch(rows)

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._writer is None:
            if error[0] is not None:
                return
            # A file without rows: what the model would return is not known.
            self._writer = ParquetShard(self._path, self._columns or pa.schema([]))
        self._writer.__exit__(*error)


def _check_known(found: pa.Schema, schema: pa.Schema) -> None:
    for column in found:
        index = schema.get_field_index(column.name)
        if index < 0 or (
            not pa.types.is_null(column.type) and schema.field(index).type != column.type
        ):
            raise OtherFeatures(column.name)


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of a schema; a feature that no row of the batch has is null."""
    arrays = []
    for column in schema:
        index = batch.schema.get_field_index(column.name)
        known = index >= 0 and not pa.types.is_null(batch.schema.field(index).type)
        arrays.append(batch.column(index) if known else pa.nulls(batch.num_rows, column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
