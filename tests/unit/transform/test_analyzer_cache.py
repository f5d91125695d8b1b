"""The analyzer cache: what is analyzed again, and what must be."""

from __future__ import annotations

import json

import pytest

from penstock.io import read_record_batches, split_files
from penstock.transform import TransformFolders, transform

pytestmark = pytest.mark.tensorflow

WORDS = {"one": ["a", "b", "a", "c"], "two": ["c", "c", "d", "c"]}
NUMBERS = {"one": [1.0, 2.0, 4.0, 9.0], "two": [16.0, 20.0, -3.0, 0.5]}


def single_phase(inputs):
    """One analyzer of each kind of accumulator."""
    import tensorflow as tf
    import tensorflow_transform as tft

    x, key = inputs["x"], tf.reshape(inputs["w"], [-1])
    return {
        "z": tft.scale_to_z_score(x),
        "bucket": tft.bucketize(x, 3),
        "unit": tft.scale_to_0_1(x),
        "spread": tf.matmul(x, tft.covariance(x, tf.float32)),
        "word": tft.compute_and_apply_vocabulary(inputs["w"], vocab_filename="words"),
        "key": tft.scale_to_z_score_per_key(tf.reshape(x, [-1]), key)[:, tf.newaxis],
    }


@pytest.fixture
def data(data_set):
    return data_set(
        {"x": "FLOAT", "w": "BYTES"},
        one={"x": NUMBERS["one"], "w": WORDS["one"]},
        two={"x": NUMBERS["two"], "w": WORDS["two"]},
    )


@pytest.fixture
def analyze(data, tmp_path):
    def run_transform(fn, name, splits, caches=()):
        result = transform(
            preprocessing_fn=fn,
            schema=data.schema,
            analyze=data.splits(*splits),
            transform=data.splits("one", "two"),
            folders=TransformFolders(
                str(tmp_path / name / "graph"),
                str(tmp_path / name / "examples"),
                earlier_caches=[str(tmp_path / cache / "cache") for cache in caches],
                updated_cache=str(tmp_path / name / "cache"),
            ),
        )
        return result, content(tmp_path / name / "examples")

    return run_transform


def content(folder):
    return {
        split: next(read_record_batches(split_files(str(folder), split))).to_pydict()
        for split in ("one", "two")
    }


def test_new_span_analyzes_only_itself(analyze):
    _, expected = analyze(single_phase, "fresh", ["one", "two"])
    first, _ = analyze(single_phase, "first", ["one"])
    assert first.rows_analyzed == {"one": 4}
    second, found = analyze(single_phase, "second", ["one", "two"], ["first"])
    assert second.rows_analyzed == {"two": 4}
    third, again = analyze(single_phase, "third", ["one", "two"], ["second"])
    assert third.rows_analyzed == {}
    for got in (found, again):
        assert got.keys() == expected.keys()
        for split, columns in expected.items():
            for name, cells in columns.items():
                assert got[split][name] == [pytest.approx(cell, rel=1e-5) for cell in cells], name


def test_later_phases_read_the_data(analyze):
    import tensorflow_transform as tft

    def fn(inputs):
        return {"x": tft.bucketize(tft.scale_to_z_score(inputs["x"]), 3)}

    _, expected = analyze(fn, "first", ["one"])
    second, found = analyze(fn, "second", ["one"], ["first"])
    assert second.phases == 2
    assert second.rows_analyzed == {"one": 4}
    assert found == expected


def test_changed_data_or_analyzers_are_analyzed_again(analyze, data, tmp_path):
    import tensorflow_transform as tft

    def buckets(number, epsilon):
        return lambda inputs: {"x": tft.bucketize(inputs["x"], number, epsilon)}

    analyze(buckets(3, 0.1), "first", ["one"])
    same, _ = analyze(buckets(3, 0.1), "same", ["one"], ["first"])
    assert same.rows_analyzed == {}
    finer, _ = analyze(buckets(3, 0.01), "finer", ["one"], ["first"])
    assert finer.rows_analyzed == {"one": 4}

    (file,) = (data.root / "Split-one").iterdir()
    (other,) = (data.root / "Split-two").iterdir()
    file.write_bytes(other.read_bytes())
    changed, _ = analyze(buckets(3, 0.1), "changed", ["one"], ["first"])
    assert changed.rows_analyzed == {"one": 4}


def test_what_the_graph_does_not_show_is_not_kept(analyze, tmp_path):
    import tensorflow as tf
    import tensorflow_transform as tft

    variable = tf.Variable(2.0)

    def captured(inputs):
        return {"x": tft.scale_to_0_1(inputs["x"] * variable), "y": tft.scale_to_0_1(inputs["x"])}

    def python(inputs):
        doubled = tf.numpy_function(lambda x: x * 2, [inputs["x"]], tf.float32)
        return {"x": inputs["x"] - tft.mean(doubled)}

    for name, fn, kept in (("captured", captured, 1), ("python", python, 0)):
        analyze(fn, name, ["one"])
        manifests = list((tmp_path / name / "cache").glob("*/MANIFEST.json"))
        assert sum(len(json.loads(each.read_text())) for each in manifests) == kept


def test_folder_of_another_tool_is_passed_over(analyze, tmp_path):
    folder = tmp_path / "foreign/cache/pipeline-Split-train"
    folder.mkdir(parents=True)
    (folder / "MANIFEST").write_bytes(b"\x80")
    result, _ = analyze(single_phase, "run", ["one"], ["foreign", "absent"])
    assert result.rows_analyzed == {"one": 4}


def test_counts_are_encoded_as_by_the_coder_of_vocabularies():
    import numpy as np
    from tensorflow_transform import analyzer_nodes, analyzers

    from penstock.transform.analyzer_cache import decode, encode

    operation = analyzer_nodes.VocabularyAccumulate(
        vocab_ordering_type=analyzers._VocabOrderingType.FREQUENCY
    )
    state = {b"": 1, b"caf\xc3\xa9\n": 2**40, b"weighted": 0.1, b"numpy": float(np.float32(0.5))}
    records = list(encode(operation, state))
    assert records == [operation.cache_coder.encode_cache(item) for item in state.items()]
    assert decode(operation, iter(records)) == state


def test_what_cannot_be_written_down_is_left_out(analyze, tmp_path):
    import tensorflow_transform as tft

    def fn(inputs):
        x = inputs["x"]
        return {
            "gaussian": tft.scale_to_gaussian(x),
            "tukey": x - tft.tukey_location(x),
            "unit": tft.scale_to_0_1(x),
        }

    first, expected = analyze(fn, "first", ["one", "two"])
    (manifest, _) = sorted((tmp_path / "first/cache").rglob("MANIFEST.json"))
    kept = [each["analyzer"] for each in json.loads(manifest.read_text()).values()]
    assert len(kept) == 2
    assert not any("tukey" in analyzer for analyzer in kept)
    again, found = analyze(fn, "again", ["one", "two"], ["first"])
    assert again.rows_analyzed == first.rows_analyzed == {"one": 4, "two": 4}
    assert found == expected


def test_nothing_to_keep(analyze):
    import tensorflow_transform as tft

    def fn(inputs):
        return {"x": tft.scale_to_gaussian(inputs["x"])}

    analyze(fn, "first", ["one"])
    again, _ = analyze(fn, "again", ["one"], ["first"])
    assert again.rows_analyzed == {"one": 4}
