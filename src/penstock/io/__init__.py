"""Reading and writing data: CSV, Parquet, Avro, SQL and TFRecords; splits, spans, Examples folders.

Importing this package imports none of pyarrow, numpy or tfx-bsl; each name loads its module when
it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.io.avro_rows import read_avro
    from penstock.io.broken_rows import BrokenRow, Quarantine, read_quarantine
    from penstock.io.csv_reader import CsvFiles, read_csv
    from penstock.io.example_gen_config import (
        Input,
        Output,
        RangeConfig,
        RollingRange,
        Split,
        SplitConfig,
        StaticRange,
    )
    from penstock.io.example_serialization import (
        serialize_examples,
        serialize_feature,
    )
    from penstock.io.examples_reader import (
        read_record_batches,
        split_files,
        split_names,
    )
    from penstock.io.examples_writer import ExamplesWriter, read_row_counts
    from penstock.io.hash_split import HashSplitter
    from penstock.io.ingestion import Rows, write_examples
    from penstock.io.parquet_rows import read_parquet
    from penstock.io.query_rows import read_query
    from penstock.io.span_pattern import ResolvedInput, resolve_input
    from penstock.io.tfrecord import TFRecordError, TFRecordWriter, read_tfrecords

_MODULE_OF = {
    "BrokenRow": "broken_rows",
    "CsvFiles": "csv_reader",
    "ExamplesWriter": "examples_writer",
    "HashSplitter": "hash_split",
    "Input": "example_gen_config",
    "Output": "example_gen_config",
    "Quarantine": "broken_rows",
    "RangeConfig": "example_gen_config",
    "ResolvedInput": "span_pattern",
    "RollingRange": "example_gen_config",
    "Rows": "row_blocks",
    "Split": "example_gen_config",
    "SplitConfig": "example_gen_config",
    "StaticRange": "example_gen_config",
    "TFRecordError": "tfrecord",
    "TFRecordWriter": "tfrecord",
    "read_avro": "avro_rows",
    "read_csv": "csv_reader",
    "read_parquet": "parquet_rows",
    "read_quarantine": "broken_rows",
    "read_query": "query_rows",
    "read_record_batches": "examples_reader",
    "read_row_counts": "examples_writer",
    "read_tfrecords": "tfrecord",
    "resolve_input": "span_pattern",
    "serialize_examples": "example_serialization",
    "serialize_feature": "example_serialization",
    "split_files": "examples_reader",
    "split_names": "examples_reader",
    "write_examples": "ingestion",
}

__all__ = [
    "BrokenRow",
    "CsvFiles",
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
    "read_avro",
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


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
