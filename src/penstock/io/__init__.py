"""Reading and writing data: CSV, Parquet, Avro, SQL, TFRecords, images; splits, spans, Examples folders.

Importing this package imports none of pyarrow, numpy or tfx-bsl; each name loads its module when
it is first used.
"""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.io.csv.reader import CsvFiles, read_csv
    from penstock.io.examples.columns import read_columns
    from penstock.io.examples.reader import (
        read_record_batches,
        split_files,
        split_names,
    )
    from penstock.io.examples.serialization import (
        serialize_examples,
        serialize_feature,
    )
    from penstock.io.examples.split import ExamplesSplit, joined_split
    from penstock.io.examples.writer import ExamplesWriter, read_row_counts
    from penstock.io.images.image_file import image_pixels
    from penstock.io.ingestion.broken_rows import BrokenRow, Quarantine, read_quarantine
    from penstock.io.ingestion.config import (
        Input,
        Output,
        RangeConfig,
        RollingRange,
        Split,
        SplitConfig,
        StaticRange,
    )
    from penstock.io.ingestion.hash_split import HashSplitter
    from penstock.io.ingestion.span_pattern import ResolvedInput, resolve_input
    from penstock.io.ingestion.write_examples import Rows, write_examples
    from penstock.io.pii import personal_features
    from penstock.io.tables.avro_ingest import read_avro
    from penstock.io.tables.parquet_ingest import read_parquet
    from penstock.io.tables.query_ingest import read_query
    from penstock.io.tfrecord.records import TFRecordError, TFRecordWriter, read_tfrecords

_MODULE_OF = {
    "BrokenRow": "ingestion.broken_rows",
    "CsvFiles": "csv.reader",
    "ExamplesSplit": "examples.split",
    "ExamplesWriter": "examples.writer",
    "HashSplitter": "ingestion.hash_split",
    "Input": "ingestion.config",
    "Output": "ingestion.config",
    "Quarantine": "ingestion.broken_rows",
    "RangeConfig": "ingestion.config",
    "ResolvedInput": "ingestion.span_pattern",
    "RollingRange": "ingestion.config",
    "Rows": "examples.rows",
    "Split": "ingestion.config",
    "SplitConfig": "ingestion.config",
    "StaticRange": "ingestion.config",
    "TFRecordError": "tfrecord.records",
    "TFRecordWriter": "tfrecord.records",
    "image_pixels": "images.image_file",
    "joined_split": "examples.split",
    "personal_features": "pii",
    "read_avro": "tables.avro_ingest",
    "read_columns": "examples.columns",
    "read_csv": "csv.reader",
    "read_parquet": "tables.parquet_ingest",
    "read_quarantine": "ingestion.broken_rows",
    "read_query": "tables.query_ingest",
    "read_record_batches": "examples.reader",
    "read_row_counts": "examples.writer",
    "read_tfrecords": "tfrecord.records",
    "resolve_input": "ingestion.span_pattern",
    "serialize_examples": "examples.serialization",
    "serialize_feature": "examples.serialization",
    "split_files": "examples.reader",
    "split_names": "examples.reader",
    "write_examples": "ingestion.write_examples",
}

__all__ = [
    "BrokenRow",
    "CsvFiles",
    "ExamplesSplit",
    "ExamplesWriter",
    "HashSplitter",
    "Input",
    "Output",
    "Quarantine",
    "RangeConfig",
    "ResolvedInput",
    "RollingRange",
    "Rows",
    "Split",
    "SplitConfig",
    "StaticRange",
    "TFRecordError",
    "TFRecordWriter",
    "image_pixels",
    "joined_split",
    "personal_features",
    "read_avro",
    "read_columns",
    "read_csv",
    "read_parquet",
    "read_quarantine",
    "read_query",
    "read_record_batches",
    "read_row_counts",
    "read_tfrecords",
    "resolve_input",
    "serialize_examples",
    "serialize_feature",
    "split_files",
    "split_names",
    "write_examples",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
