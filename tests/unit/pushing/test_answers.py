import pickle
import shutil

import pytest

from penstock.pushing import ModelError, check_answers, list_versions, push_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of models: one that answers, one that refuses a made-up row, one without signatures."""
    import tensorflow as tf

    root = tmp_path_factory.mktemp("models")

    class Picky(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="when")])
        def __call__(self, when):
            return {"year": tf.strings.to_number(when)}

    class Fixed(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([3, 2, 2], tf.float32, name="image"),
                tf.TensorSpec([3], tf.int64, name="n"),
                tf.TensorSpec([3, None], tf.bool, name="flags"),
            ]
        )
        def __call__(self, image, n, flags):
            return {"sum": tf.reduce_sum(image, axis=[1, 2]) + tf.cast(n, tf.float32)}

    fixed, picky = Fixed(), Picky()
    tf.saved_model.save(fixed, str(root / "fixed"), signatures=fixed.__call__)
    tf.saved_model.save(picky, str(root / "picky"), signatures=picky.__call__)
    tf.saved_model.save(tf.Module(), str(root / "silent"))
    return root


@pytest.mark.processes
def test_what_loads_and_answers_passes(model, caplog):
    check_answers(model, seconds=120)
    assert not caplog.records


@pytest.mark.slow
def test_a_made_up_row_may_be_refused_and_a_model_may_have_no_signature(models, caplog):
    check_answers(str(models / "silent"), seconds=120)
    check_answers(str(models / "fixed"), seconds=120)
    assert not caplog.records
    check_answers(str(models / "picky"), seconds=120)
    assert "answers a made-up row with an error" in caplog.text


@pytest.mark.processes
def test_what_does_not_load_is_not_pushed(model, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    data = broken / "variables/variables.data-00000-of-00001"
    data.write_bytes(bytes(len(data.read_bytes())))
    with pytest.raises(ModelError, match="does not load in a process of its own: "):
        push_model(broken, tmp_path / "served", answers_within=120)
    assert list_versions(str(tmp_path / "served")) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("import time; time.sleep(60)", "did not load and answer within 2 s"),
        ("raise RuntimeError('no weights')", "RuntimeError: no weights"),
    ],
)
def test_a_model_that_crashes_hangs_or_fails_is_said(code, words, tmp_path, monkeypatch, memory):
    # A pickle runs code when it is loaded.
    (tmp_path / "model").mkdir()

    class Bomb:
        def __reduce__(self):
            return exec, (code,)

    (tmp_path / "model/model.pkl").write_bytes(pickle.dumps(Bomb()))
    for destination in (str(tmp_path / "served"), memory):
        with pytest.raises(ModelError, match=words):
            push_model(tmp_path / "model", destination, answers_within=2 if "sleep" in code else 60)
        assert list_versions(destination) == []


def test_a_worker_of_a_runner_tries_it_itself(models, monkeypatch, caplog):
    monkeypatch.setattr("penstock.pushing.answers.is_disposable", lambda: True)
    check_answers(str(models / "fixed"), seconds=120)
    assert not caplog.records
    check_answers(str(models / "picky"), seconds=120)
    assert "answers a made-up row with an error" in caplog.text
    with pytest.raises(ModelError, match="within 1e-09 s in a process of its own"):
        check_answers(str(models / "fixed"), seconds=1e-9)
