"""Reading shards in one process and in several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.io import ExamplesWriter, split_files
from penstock.transform import shards as module
from penstock.transform.shards import Shards, shard_reader

pytestmark = pytest.mark.tensorflow

_SCHEMA = """
feature { name: "number" type: FLOAT }
feature { name: "word" type: BYTES }
feature { name: "never" type: INT }
"""


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    random = np.random.default_rng(1)
    with ExamplesWriter(str(tmp_path), ["train"], missing="absent", shard_bytes=20_000) as writer:
        for _ in range(6):
            numbers = random.normal(size=500)
            words = [f"word {word}" for word in random.integers(0, 900, size=500).tolist()]
            writer.write("train", pa.record_batch({"number": numbers, "word": words}))
    return Shards(split_files(str(tmp_path), "train"))


def test_batches_are_the_same_from_any_number_of_processes(shards: Shards) -> None:
    from penstock.transform.features import RawFeatures

    features = RawFeatures(text_format.Parse(_SCHEMA, schema_pb2.Schema()))
    assert len(shards.files) > 3
    alone = list(shard_reader(features, 300)(shards))
    together = list(shard_reader(features, 300, processes=2)(shards))
    assert sum(batch.num_rows for batch in alone) == 3000
    assert len(together) == len(alone)
    for one, other in zip(together, alone, strict=True):
        assert one.schema.equals(features.arrow_schema)
        assert one.equals(other)


def test_only_shards_that_are_worth_it_and_fit_are_decoded_in_processes(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not module._worth_processes(shards)
    monkeypatch.setattr(module, "_BYTES_WORTH_A_PROCESS", 1_000)
    assert module._worth_processes(shards)
    assert not module._worth_processes(Shards(shards.files[:1]))
    monkeypatch.setattr(module, "_LARGEST_CONTENT", 20_000)
    assert not module._worth_processes(shards)
    monkeypatch.setattr(module, "_LARGEST_CONTENT", 1 << 20)
    monkeypatch.setattr(module, "_LARGEST_FILE", 1_000)
    assert not module._worth_processes(shards)
