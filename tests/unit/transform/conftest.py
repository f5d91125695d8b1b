"""Small data sets on disk, and both engines over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.io import ExamplesSplit, ExamplesWriter, split_files
from penstock.transform import TransformFolders, transform

Rows = Mapping[str, Sequence[Any]]

_ARROW = {"FLOAT": pa.float32(), "INT": pa.int64(), "BYTES": pa.binary()}


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Splits of examples with a schema.

    `features` maps a name to "FLOAT", "INT" or "BYTES"; a trailing "?" means that cells may be
    missing or hold several values.
    """

    root: Path
    schema: schema_pb2.Schema

    def splits(self, *names: str) -> list[ExamplesSplit]:
        return [ExamplesSplit(name, split_files(str(self.root), name)) for name in names]


def make_schema(features: Mapping[str, str]) -> schema_pb2.Schema:
    text = ""
    for name, kind in features.items():
        shape = (
            "" if kind.endswith("?") else "presence { min_fraction: 1 } shape { dim { size: 1 } }"
        )
        text += f'feature {{ name: "{name}" type: {kind.rstrip("?")} {shape} }}\n'
    return text_format.Parse(text, schema_pb2.Schema())


@pytest.fixture
def data_set(tmp_path: Path) -> Callable[..., DataSet]:
    def make(features: Mapping[str, str], **splits: Rows) -> DataSet:
        root = tmp_path / "examples"
        with ExamplesWriter(str(root), list(splits), missing="absent") as writer:
            for split, columns in splits.items():
                arrays = [
                    pa.array(
                        [
                            cell if cell is None or isinstance(cell, list) else [cell]
                            for cell in columns[name]
                        ],
                        pa.large_list(_ARROW[kind.rstrip("?")]),
                    )
                    for name, kind in features.items()
                ]
                writer.write(split, pa.RecordBatch.from_arrays(arrays, list(features)))
        return DataSet(root, make_schema(features))

    return make


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """Runs a Transform on the splits of a data set; analyzes the first unless told otherwise."""

    def run_transform(
        data: DataSet, preprocessing_fn: Callable[..., Any], name: str = "out", **kwargs: Any
    ) -> Any:
        splits = kwargs.pop("splits", ("train",))
        return transform(
            preprocessing_fn=preprocessing_fn,
            schema=data.schema,
            analyze=data.splits(*kwargs.pop("analyze", splits[:1])),
            transform=data.splits(*splits),
            folders=TransformFolders(
                str(tmp_path / name / "graph"),
                str(tmp_path / name / "examples"),
                kwargs.pop("earlier_caches", ()),
                kwargs.pop("updated_cache", None),
                file_format=kwargs.pop("file_format", "tfrecords_gzip"),
            ),
            **kwargs,
        )

    return run_transform
