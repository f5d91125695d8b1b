"""A split of numbered rows in each file format, without TensorFlow."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penstock.io import ExamplesWriter
from penstock.training import FnArgs

SCHEMA = """
feature { name: "id" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "pair" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 2 } } }
feature { name: "words" type: BYTES }
feature { name: "kind" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "label" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "weight" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }
"""
FORMATS = ("parquet", "tfrecords_gzip", "tfrecords")


def rows(ids) -> pa.RecordBatch:
    """Every value of a row follows from its number."""
    lists = {
        "id": ([[i] for i in ids], pa.int64()),
        "pair": ([[i / 2, -i] for i in ids], pa.float32()),
        "words": ([[f"w{i % 7}".encode()] * (i % 3) for i in ids], pa.binary()),
        "kind": ([[f"kind {i % 4}".encode()] for i in ids], pa.binary()),
        "label": ([[i % 2] for i in ids], pa.int64()),
        "weight": ([[1 + i % 5] for i in ids], pa.float32()),
    }
    columns = {name: pa.array(each, pa.large_list(kind)) for name, (each, kind) in lists.items()}
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def write(root: Path, file_format: str, splits: dict[str, list[int]], schema=SCHEMA) -> FnArgs:
    """Write splits as several row groups, or several files, and return what a Trainer would give."""
    folder = str(root / file_format)
    with ExamplesWriter(folder, list(splits), file_format=file_format, shard_bytes=6_000) as writer:
        for split, ids in splits.items():
            for start in range(0, len(ids), 50):
                writer.write(split, rows(ids[start : start + 50]))
    (root / "schema.pbtxt").write_text(schema)
    return FnArgs(
        train_files=[f"{folder}/Split-train/*"],
        eval_files=[f"{folder}/Split-eval/*"],
        schema_path=str(root / "schema.pbtxt"),
        file_format=file_format,
        seed=5,
    )


ROWS = {"train": list(range(503)), "eval": list(range(1000, 1120))}


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> dict[str, FnArgs]:
    root = tmp_path_factory.mktemp("input")
    return {each: write(root, each, ROWS) for each in FORMATS}


@pytest.fixture(params=FORMATS)
def fn_args(request, written) -> FnArgs:
    """A copy, which a test may change."""
    return dataclasses.replace(written[request.param])


@pytest.fixture
def parquet(written) -> FnArgs:
    return dataclasses.replace(written["parquet"])


def ids_of(batches) -> list[int]:
    """The numbers of the rows of some batches, in order."""
    found = [batch[0]["id"][:, 0] for batch in batches]
    return [int(each) for each in np.concatenate(found)] if found else []
