"""Datasets from the files of an Examples artifact, as TFX's `fn_args.data_accessor` makes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.io import read_record_batches, read_row_counts, split_files
from penstock.io.examples.formats import file_format_named
from penstock.spelling import names_its_arguments

if TYPE_CHECKING:
    import pyarrow as pa
    import tensorflow as tf
    from tensorflow_metadata.proto.v0 import schema_pb2

_CACHE_LIMIT = 256 << 20


@names_its_arguments
@dataclass(frozen=True)
class TensorFlowDatasetOptions:
    """How a dataset is batched and shuffled; the fields and defaults of tfx-bsl's class of that name.

    Args:
        batch_size: Rows a batch.
        drop_final_batch: Whether a last batch with fewer rows is left out.
        num_epochs: Passes over the data; None repeats it without end.
        shuffle: Whether rows are shuffled, anew in each epoch.
        shuffle_buffer_size: Size of the buffer for shuffling, in rows.
        shuffle_seed: Seed of the shuffling.
        prefetch_buffer_size: Batches to prepare ahead.
        reader_num_threads: Files read at once.
        parser_num_threads: Batches parsed at once.
        sloppy_ordering: Whether the order may depend on timing.
        label_key: The feature to split off as the label: elements become (features, label).
    """

    batch_size: int
    drop_final_batch: bool = False
    num_epochs: int | None = None
    shuffle: bool = True
    shuffle_buffer_size: int = 10_000
    shuffle_seed: int | None = None
    prefetch_buffer_size: int = 1
    reader_num_threads: int = 1
    parser_num_threads: int = 2
    sloppy_ordering: bool = False
    label_key: str | None = None

    @classmethod
    def of(cls, options: Any) -> TensorFlowDatasetOptions:
        """Return `options` as this class; tfx-bsl's own options are accepted, too."""
        if isinstance(options, cls):
            return options
        names = [entry.name for entry in dataclasses.fields(cls)]
        if not hasattr(options, "batch_size"):
            raise TypeError(
                f"TensorFlowDatasetOptions were expected. Received: {type(options).__name__}"
            )
        return cls(**{name: getattr(options, name) for name in names if hasattr(options, name)})


@names_its_arguments
@dataclass(frozen=True)
class RecordBatchesOptions:
    """How record batches are cut; the fields of tfx-bsl's class of that name.

    Args:
        batch_size: Rows a batch.
        drop_final_batch: Whether a last batch with fewer rows is left out.
        num_epochs: Passes over the data; None repeats it without end.
    """

    batch_size: int
    drop_final_batch: bool = False
    num_epochs: int | None = None


class DataAccessor(NamedTuple):
    """Makes datasets of examples.

    Attributes:
        tf_dataset_factory: `(files, options, schema) -> tf.data.Dataset` of dicts of tensors, or of
            (dict, label).
        record_batch_factory: `(files, options, schema) -> Iterator[pa.RecordBatch]`.
        data_view_decode_fn: TFX's hook for data views; always None.

    Example:
        >>> dataset = fn_args.data_accessor.tf_dataset_factory(
        ...     fn_args.train_files, TensorFlowDatasetOptions(batch_size=32, label_key="y"), schema
        ... )
    """

    tf_dataset_factory: Callable[..., Any]
    record_batch_factory: Callable[..., Any]
    data_view_decode_fn: None = None


def create_data_accessor(
    file_format: str = DEFAULT_FILE_FORMAT, payload_format: str = DEFAULT_PAYLOAD_FORMAT
) -> DataAccessor:
    """Return the accessor of an Examples artifact.

    Args:
        file_format: The artifact's `file_format`.
        payload_format: The artifact's `payload_format`.
    """

    def tf_dataset_factory(
        files: str | Sequence[str],
        options: Any,
        schema: schema_pb2.Schema | None = None,
    ) -> tf.data.Dataset:
        if payload_format != DEFAULT_PAYLOAD_FORMAT:
            raise ValueError(
                "Datasets are made from FORMAT_TF_EXAMPLE. Received: "
                f"payload_format={payload_format!r}"
            )
        return _tf_dataset(files, TensorFlowDatasetOptions.of(options), schema, file_format)

    def record_batch_factory(
        files: str | Sequence[str],
        options: Any,
        schema: schema_pb2.Schema | None = None,
    ) -> Iterator[pa.RecordBatch]:
        return _record_batches(files, options, schema, file_format, payload_format)

    return DataAccessor(tf_dataset_factory, record_batch_factory)


def _tf_dataset(
    patterns: str | Sequence[str],
    options: TensorFlowDatasetOptions,
    schema: schema_pb2.Schema | None,
    file_format: str,
) -> tf.data.Dataset:
    import tensorflow as tf

    from penstock.training.parsing import feature_spec

    if schema is None:
        raise ValueError("A dataset of tf.Examples needs a schema to parse them by.")
    spec = feature_spec(schema)
    if options.label_key is not None and options.label_key not in spec:
        raise ValueError(
            f"label_key={options.label_key!r} is not a feature of the schema. "
            f"Features: {', '.join(sorted(spec))}"
        )
    files = matching_files(patterns)
    dataset = _records(files, options, file_format)
    if options.shuffle:
        dataset = dataset.shuffle(options.shuffle_buffer_size, seed=options.shuffle_seed)
    if options.num_epochs != 1:
        dataset = dataset.repeat(options.num_epochs)
    dataset = dataset.batch(options.batch_size, drop_remainder=options.drop_final_batch)

    def parse(serialized: tf.Tensor) -> Any:
        features = tf.io.parse_example(serialized, spec)
        if options.label_key is None:
            return features
        return features, features.pop(options.label_key)

    parsed = dataset.map(
        tf.autograph.experimental.do_not_convert(parse),
        num_parallel_calls=options.parser_num_threads,
        deterministic=not options.sloppy_ordering,
    )
    batches = _num_batches(files, options)
    if batches is not None:
        # Keras warns at the end of every pass over a dataset whose length it does not know.
        parsed = parsed.apply(tf.data.experimental.assert_cardinality(batches))
    return parsed.prefetch(options.prefetch_buffer_size)


def _num_batches(files: list[str], options: TensorFlowDatasetOptions) -> int | None:
    """Return the length of the dataset, if the counts beside the splits are known."""
    rows = None if options.num_epochs is None else known_rows(files)
    if rows is None:
        return None
    rows *= options.num_epochs or 1
    return (
        rows // options.batch_size if options.drop_final_batch else -(-rows // options.batch_size)
    )


def _records(
    files: list[str], options: TensorFlowDatasetOptions, file_format: str
) -> tf.data.Dataset:
    """Return serialized tf.Examples; small data stay in memory after the first epoch."""
    import tensorflow as tf

    compression = file_format_named(file_format).compression
    if compression is None:
        reading = _parquet_records(files)
    else:
        threads = options.reader_num_threads
        reading = tf.data.TFRecordDataset(
            files,
            compression_type=compression,
            num_parallel_reads=threads if threads > 1 else None,
        )
    size = sum(tf.io.gfile.stat(file).length for file in files)
    if options.num_epochs != 1 and size * (1 if compression == "" else 8) < _CACHE_LIMIT:
        return reading.cache()
    return reading


def _parquet_records(files: list[str]) -> tf.data.Dataset:
    import tensorflow as tf

    from penstock.io import serialize_examples

    def batches() -> Iterator[Any]:
        for batch in read_record_batches(files, file_format="parquet"):
            records = serialize_examples(batch, missing="absent")
            yield records.to_numpy(zero_copy_only=False)

    # A batch at a time: the way from Python to TensorFlow costs as much for one record as for all.
    serialized = tf.data.Dataset.from_generator(
        batches, output_signature=tf.TensorSpec(shape=(None,), dtype=tf.string)
    )
    return serialized.flat_map(tf.data.Dataset.from_tensor_slices)


def _record_batches(
    patterns: str | Sequence[str],
    options: Any,
    schema: schema_pb2.Schema | None,
    file_format: str,
    payload_format: str,
) -> Iterator[pa.RecordBatch]:
    files = matching_files(patterns)
    epochs = 0
    while options.num_epochs is None or epochs < options.num_epochs:
        epochs += 1
        for batch in read_record_batches(
            files,
            file_format=file_format,
            payload_format=payload_format,
            schema=schema,
            batch_size=options.batch_size,
        ):
            if not options.drop_final_batch or batch.num_rows == options.batch_size:
                yield batch


def matching_files(patterns: str | Sequence[str]) -> list[str]:
    """Return the files that match one or several patterns, in order.

    Raises:
        FileNotFoundError: If a pattern matches nothing.
    """
    from penstock.io.files.filesystem import list_matching

    files = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = list_matching(pattern)
        if not found:
            raise FileNotFoundError(f"No file matches {pattern!r}.")
        files += found
    return files


def known_rows(files: Sequence[str]) -> int | None:
    """Return the rows of files, if they are whole splits with row counts beside them."""
    rows = 0
    for folder in dict.fromkeys(file.rpartition("/")[0] for file in files):
        parent, _, split = folder.rpartition("/Split-")
        counts = read_row_counts(parent) if parent else None
        if counts is None or split not in counts:
            return None
        shards = split_files(parent, split)
        if not shards or not set(shards) <= set(files):
            return None
        rows += counts[split]
    return rows
