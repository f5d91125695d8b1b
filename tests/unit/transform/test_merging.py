"""Data cut into batches and splits in any way gives the result of the whole."""

from __future__ import annotations

import random

import pytest

from penstock.io import read_record_batches, split_files
from penstock.transform import TransformFolders, transform

pytestmark = pytest.mark.tensorflow

ROWS = 60


def analyzers(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    x, w, y = inputs["x"], inputs["w"], inputs["y"]
    key = tf.reshape(w, [-1])
    tft.vocabulary(
        key,
        labels=tf.reshape(y, [-1]),
        min_diff_from_avg=0.0,
        vocab_filename="informative",
    )
    return {
        "z": tft.scale_to_z_score(x),
        "bucket": tft.bucketize(x, 4),
        "word": tft.compute_and_apply_vocabulary(w, vocab_filename="words", store_frequency=False),
        "weighted": tft.compute_and_apply_vocabulary(w, weights=tf.abs(x), vocab_filename="heavy"),
        "key": tft.scale_to_0_1_per_key(tf.reshape(x, [-1]), key)[:, tf.newaxis],
        "key_bucket": tft.bucketize_per_key(tf.reshape(x, [-1]), key, 2)[:, tf.newaxis],
        "unit": tft.scale_to_0_1(tft.scale_to_z_score(x) * x),
    }


@pytest.mark.parametrize(("cuts", "batch_size"), [((1, 2), 1), ((20, 20), 7), ((59, 59), 100)])
def test_parts_against_the_whole(data_set, tmp_path, cuts, batch_size):
    rng = random.Random(3)
    rows = {
        # Eighths, so that sums do not depend on their order.
        "x": [rng.randrange(-80, 80) / 8 for _ in range(ROWS)],
        "w": [rng.choice("abcde") for _ in range(ROWS)],
        "y": [rng.randrange(3) for _ in range(ROWS)],
    }
    bounds = (0, *cuts, ROWS)
    parts = {
        f"part{i}": {name: cells[bounds[i] : bounds[i + 1]] for name, cells in rows.items()}
        for i in range(len(bounds) - 1)
    }
    data = data_set({"x": "FLOAT", "w": "BYTES", "y": "INT"}, whole=rows, **parts)
    found = {}
    for name, splits, size in (("whole", ["whole"], ROWS), ("parts", list(parts), batch_size)):
        transform(
            preprocessing_fn=analyzers,
            schema=data.schema,
            analyze=data.splits(*splits),
            transform=data.splits("whole"),
            folders=TransformFolders(
                str(tmp_path / name / "graph"), str(tmp_path / name / "examples")
            ),
            batch_size=size,
        )
        assets = tmp_path / name / "graph/transform_fn/assets"
        batches = read_record_batches(split_files(str(tmp_path / name / "examples"), "whole"))
        found[name] = (
            {path.name: path.read_bytes() for path in assets.iterdir()},
            next(batches).to_pydict(),
        )
    assert found["whole"][0] == found["parts"][0]
    assert sorted(found["whole"][0]) == ["heavy", "informative", "words"]
    for name, cells in found["whole"][1].items():
        assert found["parts"][1][name] == [pytest.approx(cell, abs=1e-5) for cell in cells], name
