"""A transform graph and transformed examples, small enough to trace in a second."""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf import text_format

from penstock.io import ExamplesSplit, ExamplesWriter, split_files

SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "note" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "kind" type: BYTES }
feature { name: "label" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
"""


@dataclasses.dataclass(frozen=True)
class Data:
    root: Path

    @property
    def graph(self) -> str:
        return str(self.root / "graph")

    @property
    def raw(self) -> list[str]:
        return split_files(str(self.root / "raw"), "train")

    @property
    def transformed(self) -> str:
        return f"{self.root}/transformed/Split-train/*"


def preprocessing_fn(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    kind = inputs["kind"]
    kind = tf.SparseTensor(kind.indices, kind.values, [kind.dense_shape[0], 1])
    return {
        "x_xf": tft.scale_to_z_score(inputs["x"]),
        "kind_xf": tft.compute_and_apply_vocabulary(
            tf.sparse.to_dense(kind, ""), num_oov_buckets=1, vocab_filename="kind"
        ),
        "label_xf": tft.compute_and_apply_vocabulary(inputs["label"], vocab_filename="label"),
    }


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Data:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.transform import TransformFolders, transform

    root = tmp_path_factory.mktemp("data")
    columns = {
        "x": pa.array([[float(i)] for i in range(50)], pa.large_list(pa.float32())),
        "note": pa.array([[b"n"]] * 50, pa.large_list(pa.binary())),
        "kind": pa.array(
            [[[b"a"], [b"b"], [], [b"a"]][i % 4] for i in range(50)], pa.large_list(pa.binary())
        ),
        "label": pa.array(
            [[b"low" if i < 30 else b"high"] for i in range(50)], pa.large_list(pa.binary())
        ),
    }
    with ExamplesWriter(str(root / "raw"), ["train"]) as writer:
        writer.write("train", pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    shards = [ExamplesSplit("train", split_files(str(root / "raw"), "train"))]
    transform(
        preprocessing_fn=preprocessing_fn,
        schema=text_format.Parse(SCHEMA, schema_pb2.Schema()),
        analyze=shards,
        transform=shards,
        folders=TransformFolders(str(root / "graph"), str(root / "transformed")),
    )
    return Data(root)
