from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.tensorflow


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    read = EventAccumulator(str(folder))
    read.Reload()
    return {
        tag: [(e.step, float(make_ndarray(e.tensor_proto))) for e in read.Tensors(tag)]
        for tag in read.Tags()["tensors"]
        if "histogram" not in tag
    }


@pytest.fixture
def fitted():
    import keras
    import numpy as np

    def fit(callbacks, epochs=2):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.125), "mse", metrics=["mae"])
        x = np.ones((8, 2), "float32")
        y = np.ones((8, 1), "float32")
        return model.fit(
            x, y, validation_data=(x, y), epochs=epochs, batch_size=4, verbose=0,
            callbacks=callbacks,
        )  # fmt: skip

    return fit


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_it_writes_what_keras_s_own_callback_writes(tmp_path, fitted) -> None:
    import keras

    from penstock.training import TensorBoardLog

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    history = fitted(
        [TensorBoardLog(str(ours)), keras.callbacks.TensorBoard(str(theirs), write_graph=False)]
    ).history
    assert scalars(ours / "train") == scalars(theirs / "train")
    validation = scalars(theirs / "validation")
    assert scalars(ours / "validation") == {
        tag: values for tag, values in validation.items() if tag.startswith("epoch_")
    }
    assert scalars(ours / "train")["epoch_learning_rate"] == [(0, 0.125), (1, 0.125)]
    assert [value for _, value in scalars(ours / "train")["epoch_loss"]] == pytest.approx(
        history["loss"]
    )


def test_what_an_earlier_attempt_wrote_is_written_again(tmp_path, fitted) -> None:
    from penstock.training import TensorBoardLog

    first = TensorBoardLog(str(tmp_path / "first"))
    fitted([first])
    again = TensorBoardLog(str(tmp_path / "first"))
    again.set_state(first.get_state())
    again.on_epoch_end(2, {"loss": 0.5})
    assert [step for step, _ in scalars(tmp_path / "first/train")["epoch_loss"]] == [0, 1, 2]
    second = TensorBoardLog(str(tmp_path / "second"))
    second.set_state(again.get_state())
    second.set_state(again.get_state())
    second.on_epoch_end(3, {"loss": 0.75, "val_loss": 0.25})
    for folder in ("train", "validation"):
        before, after = scalars(tmp_path / "first" / folder), scalars(tmp_path / "second" / folder)
        for tag, values in before.items():
            assert after[tag][: len(values)] == values
    assert scalars(tmp_path / "second" / "train")["epoch_loss"][2:] == [(2, 0.5), (3, 0.75)]


def test_only_the_chief_writes(tmp_path, fitted) -> None:
    from penstock.training import TensorBoardLog

    fitted([TensorBoardLog(str(tmp_path / "log"), is_chief=False)], epochs=1)
    assert not (tmp_path / "log").exists()
    with pytest.raises(ValueError, match="histogram_freq"):
        TensorBoardLog(str(tmp_path), histogram_freq=-1)


def test_fit_logs_by_itself_and_a_second_fit_beside_the_first(tmp_path) -> None:
    import keras
    import numpy as np

    from penstock.training import FnArgs, TensorBoardLog, fit

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    run_dir, checkpoints = tmp_path / "run", tmp_path / "checkpoints"
    fn_args = FnArgs(seed=1, model_run_dir=str(run_dir), checkpoint_dir=str(checkpoints))
    fit(model, data, validation_data=data, epochs=2, fn_args=fn_args)
    fit(model, data, fn_args=fn_args)
    assert len(scalars(run_dir / "train")["epoch_loss"]) == 2
    assert len(scalars(run_dir / "validation")["epoch_loss"]) == 2
    assert len(scalars(run_dir / "fit-2" / "train")["epoch_loss"]) == 1
    fit(model, data, fn_args=fn_args, callbacks=[TensorBoardLog(str(tmp_path / "own"))])
    assert not (run_dir / "fit-3").exists()
    worker = FnArgs(seed=1, model_run_dir=str(tmp_path / "worker"), is_chief=False)
    fit(model, data, fn_args=worker)
    assert not (tmp_path / "worker").exists()


_ON_JAX = """
import sys
import keras, numpy as np
from penstock.training import TensorBoardLog, TrainingProgress
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
model.compile("sgd", "mse")
x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
callbacks = [TensorBoardLog(sys.argv[1], histogram_freq=1), TrainingProgress()]
model.fit(x, y, epochs=2, verbose=0, callbacks=callbacks)
assert keras.backend.backend() == "jax"
assert "tensorflow" not in sys.modules
"""


def test_on_jax_it_imports_no_tensorflow(tmp_path) -> None:
    pytest.importorskip("jax")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", _ON_JAX, str(tmp_path)], env=environment, check=True)
    assert [step for step, _ in scalars(tmp_path / "train")["epoch_loss"]] == [0, 1]
