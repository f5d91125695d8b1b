"""How many passes over the data the analyzers of a function need."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def plan(tmp_path):
    def plan_of(preprocessing_fn):
        import tensorflow as tf

        from penstock.transform import import_tensorflow_transform
        from penstock.transform.phases import plan_phases
        from penstock.transform.tracing import trace

        import_tensorflow_transform()
        specs = {name: tf.TensorSpec([None, 1], tf.float32) for name in ("x", "y")}
        return plan_phases(trace(preprocessing_fn, specs, str(tmp_path)))

    return plan_of


def test_no_analyzers(plan):
    assert plan(dict) == []


def test_independent_analyzers_share_a_phase(plan):
    import tensorflow_transform as tft

    phases = plan(lambda inputs: {n: tft.scale_to_z_score(v) for n, v in inputs.items()})
    assert [(len(phase.sinks), len(phase.sources)) for phase in phases] == [(4, 2)]


def test_dependent_analyzers_take_a_phase_each(plan):
    import tensorflow_transform as tft

    def fn(inputs):
        x = tft.scale_to_0_1(tft.bucketize(tft.scale_to_z_score(inputs["x"]), 3))
        return {"x": x, "y": inputs["y"] - tft.mean(inputs["y"])}

    phases = plan(fn)
    assert [len(phase.sources) for phase in phases] == [2, 1, 1]
    names = [name for phase in phases for source in phase.sources for name in source.tensor_names]
    assert len(names) == len(set(names))


def test_analyzer_behind_a_vocabulary_table(plan):
    import tensorflow as tf
    import tensorflow_transform as tft

    def fn(inputs):
        word = tf.strings.as_string(inputs["x"])
        index = tft.compute_and_apply_vocabulary(word)
        return {"x": tft.scale_to_0_1(index)}

    assert [len(phase.sources) for phase in plan(fn)] == [1, 1]


def test_each_accumulation_is_made_once(plan):
    import tensorflow as tf
    import tensorflow_transform as tft

    def fn(inputs):
        # The vocabulary's file and both of its sizes come from one accumulation.
        path = tft.vocabulary(tf.strings.as_string(inputs["x"]), top_k=2, vocab_filename="v")
        return {"x": tft.apply_vocabulary(tf.strings.as_string(inputs["x"]), path)}

    (phase,) = plan(fn)
    assert len(phase.sinks) == 3
    assert len(phase.sources) == 1
