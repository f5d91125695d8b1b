"""What a pass over data holds in memory, by NumPy's and Arrow's own counts."""

import dataclasses
import gc
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from penstock.io import ExamplesWriter
from penstock.training import FnArgs

ROWS, COLUMNS = 100_000, 50
BYTES = 4 * ROWS * COLUMNS
MIB = 1 << 20


@pytest.fixture(scope="module", params=["parquet", "tfrecords"])
def wide(request, tmp_path_factory) -> FnArgs:
    """20 MB of floats, in row groups or files of some thousand rows."""
    root = tmp_path_factory.mktemp("wide")
    random = np.random.default_rng(0)
    names = [f"c{number}" for number in range(COLUMNS)]
    with ExamplesWriter(
        str(root), ["train"], file_format=request.param, shard_bytes=2 * MIB
    ) as writer:
        for _ in range(0, ROWS, 5_000):
            columns = [pa.array(random.random(5_000, np.float32)) for _ in names]
            writer.write("train", pa.RecordBatch.from_arrays(columns, names))
    form = "type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } }"
    (root / "schema.pbtxt").write_text(
        "".join(f'feature {{ name: "{name}" {form} }}\n' for name in names)
    )
    return FnArgs(
        train_files=[f"{root}/Split-train/*"],
        schema_path=str(root / "schema.pbtxt"),
        file_format=request.param,
    )


def peak_of_a_pass(batches) -> int:
    gc.collect()
    pool = pa.default_memory_pool()
    arrow = 0
    tracemalloc.start()
    try:
        rows = 0
        for (features,) in batches:
            rows += len(features["c0"])
            arrow = max(arrow, pool.bytes_allocated())
        assert rows == ROWS
        return tracemalloc.get_traced_memory()[1] + arrow
    finally:
        tracemalloc.stop()


def test_what_does_not_fit_takes_the_limit_and_a_few_windows(wide):
    batches = wide.dataset("train", batch_size=100, cache=MIB)
    batches.order = dataclasses.replace(batches.order, window_bytes=MIB // 2)
    batches.parts.row_bytes = 4 * COLUMNS
    assert BYTES > 19 * MIB
    assert peak_of_a_pass(batches) < 13 * MIB  # as for half or twice the rows
    assert batches.parts.kept_bytes <= MIB
    assert not batches.is_in_memory


def test_what_fits_is_read_once(wide):
    batches = wide.dataset("train", batch_size=100)
    assert sum(len(features["c0"]) for (features,) in batches) == ROWS
    assert batches.is_in_memory
    assert BYTES <= batches.parts.kept_bytes < 1.1 * BYTES
    wide = dataclasses.replace(batches.parts.source, files=["/gone"])
    batches.parts.source = wide
    assert sum(len(features["c0"]) for (features,) in batches) == ROWS
