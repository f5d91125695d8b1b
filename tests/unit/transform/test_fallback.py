"""Analyzers that only Beam can run, and where they go."""

from __future__ import annotations

import logging

import pytest

from penstock.beam import AnalyzeOnBeam
from penstock.io import read_record_batches, split_files
from penstock.transform import AnalysisElsewhere

pytestmark = pytest.mark.tensorflow


def shortest(inputs):
    """A PTransform of the user's own: the length of the shortest word."""
    import apache_beam as beam
    import numpy as np
    import tensorflow as tf
    import tensorflow_transform as tft

    class Shortest(beam.PTransform):
        def expand(self, batches):
            return (
                batches
                | beam.FlatMap(lambda batch: [len(word) for word in batch[0].ravel()])
                | beam.CombineGlobally(min)
                | beam.Map(lambda length: np.array(length, np.int64))
            )

    (length,) = tft.experimental.ptransform_analyzer([inputs["word"]], Shortest(), [tf.int64], [[]])
    return {"over": tf.cast(tf.strings.length(inputs["word"]), tf.int64) - length}


@pytest.fixture
def data(data_set):
    return data_set({"word": "BYTES"}, train={"word": ["ab", "abc", "ab"]})


@pytest.mark.parametrize("fallback", [None, AnalyzeOnBeam(["--runner=DirectRunner"])])
def test_beam_runs_it_and_the_log_says_so(data, run, tmp_path, caplog, fallback):
    with caplog.at_level(logging.INFO, "penstock"):
        result = run(data, shortest, elsewhere=AnalysisElsewhere(fallback))
    assert caplog.text.count("Analyzing on Beam: the analyzer PTransform") == 1
    assert "FnApiRunner" in caplog.text
    assert result.phases is None
    (batch,) = read_record_batches(split_files(str(tmp_path / "out/examples"), "train"))
    assert batch.column("over").flatten().to_pylist() == [0, 1, 0]


def test_compat_v1(data, run, tmp_path):
    import tensorflow_transform as tft

    def fn(inputs):
        return {"word": tft.compute_and_apply_vocabulary(inputs["word"], vocab_filename="words")}

    run(data, fn, elsewhere=AnalysisElsewhere(force_tf_compat_v1=True))
    (batch,) = read_record_batches(split_files(str(tmp_path / "out/examples"), "train"))
    assert batch.column("word").flatten().to_pylist() == [0, 1, 0]
