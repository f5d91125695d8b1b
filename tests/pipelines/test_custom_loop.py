"""The loop of one's own: as good as Keras's `fit`, and with the same options the same to the digit."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

STATES = 4


@pytest.fixture
def module(copied_project):
    import modules.custom_loop

    return modules.custom_loop


def test_it_is_as_good_as_fit(copied_project, run_pipeline):
    with gzip.open("data/shuttle/shuttle.csv.gz", "rt") as file:
        head = list(itertools.islice(file, 6001))
    (copied_project / "data").unlink()
    (copied_project / "data/shuttle").mkdir(parents=True)
    (copied_project / "data/shuttle/rows.csv").write_text("".join(head))
    result = run_pipeline("custom_loop")
    scores = result["nodes"]["BaselineComparison"]["metrics"]
    # Six of 1,200 rows.
    assert scores["model/accuracy"] > scores["baseline/accuracy"] - 0.005
    history = result["nodes"]["Trainer"]["metrics"]
    assert {"loss", "gradient_norm", "macro_recall", "val_macro_recall"} <= set(history)

    from penstock.serving import load_model

    model = load_model("serving_model/custom_loop")
    names = ["time", *(f"sensor_{n}" for n in range(1, 9))]
    rows = [(53, 0, 82, 0, 52, -5, 29, 30, 2), (55, 0, 92, 0, 0, 26, 36, 92, 56)]
    answers = model.predict([dict(zip(names, row, strict=True)) for row in rows])
    assert [answer["state"] for answer in answers] == ["Rad Flow", "High"]


def rows_of(module, count):
    generator = np.random.default_rng(3)
    values = generator.normal(size=(count, len(module.SENSORS))).astype("float32")
    labels = (values[:, :1] > 0).astype("int64") + 2 * (values[:, 1:2] > 0.5)
    features = {module.transformed(name): values[:, [i]] for i, name in enumerate(module.SENSORS)}
    return features, labels


class Batches:
    """Arrays as the batches of a pass, always in the same order."""

    def __init__(self, features, labels, size):
        import tensorflow as tf

        self.data = tf.data.Dataset.from_tensor_slices((features, labels)).batch(size)
        self.steps_per_epoch = len(labels) // size

    def as_tf_dataset(self, first_epoch=0):
        return self.data


def trained(module, strategy, epochs=2, callbacks=()):
    """Return the weights and the history of the loop on one batch order, from one initialization."""
    import keras

    features, labels = rows_of(module, 512)
    with strategy.scope():
        keras.utils.set_random_seed(5)
        model = module.build_model(STATES)
        optimizer = keras.optimizers.Adam(0.01)
        optimizer.build(model.trainable_variables)
        metrics = [module.MacroRecall(STATES)]
        loop = module.Loop(model, optimizer, module.SparseFocalLoss(), metrics, strategy)
        batches = Batches(features, labels, module.BATCH_SIZE)
        history = loop.fit(batches, batches, epochs, list(callbacks))
    return [np.array(weight) for weight in model.get_weights()], history


def test_the_same_batches_give_the_same_weights_as_fit(module):
    import keras
    import tensorflow as tf

    weights, history = trained(module, tf.distribute.get_strategy())
    features, labels = rows_of(module, 512)
    keras.utils.set_random_seed(5)
    model = module.build_model(STATES)
    model.compile(
        keras.optimizers.Adam(
            0.01,
            global_clipnorm=module.CLIP_NORM,
            gradient_accumulation_steps=module.ACCUMULATED,
        ),
        loss=module.SparseFocalLoss(),
        metrics=[module.MacroRecall(STATES)],
    )
    told = model.fit(
        features, labels, batch_size=module.BATCH_SIZE, epochs=2, shuffle=False, verbose=0
    )
    for mine, kept in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, kept, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(history["loss"], told.history["loss"], rtol=1e-4)
    np.testing.assert_allclose(history["macro_recall"], told.history["macro_recall"], rtol=1e-5)


ON_TWO_DEVICES = """
import runpy, sys
import numpy as np
import tensorflow as tf

devices = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
sys.path.insert(0, ".")
import modules.custom_loop as module

trained = runpy.run_path(sys.argv[1])["trained"]
one, told = trained(module, tf.distribute.get_strategy())
two, told_by_two = trained(module, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
for first, second in zip(one, two, strict=True):
    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-4)
for name, values in told.items():
    np.testing.assert_allclose(values, told_by_two[name], rtol=1e-3)
"""


@pytest.mark.slow
def test_two_replicas_give_the_same_weights_as_one_device(copied_project):
    """Clipping, the loss and the metrics are those of the whole batch, not of a replica's part."""
    words = [sys.executable, "-c", ON_TWO_DEVICES, __file__]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_a_killed_loop_goes_on_after_its_last_epoch(module, tmp_path):
    import tensorflow as tf

    from penstock.training import Checkpoints, FnArgs

    def kept():
        return [Checkpoints(FnArgs(checkpoint_dir=str(tmp_path / "kept")), every="epoch")]

    strategy = tf.distribute.get_strategy()
    whole, _ = trained(module, strategy, epochs=3)
    trained(module, strategy, epochs=2, callbacks=kept())
    resumed, history = trained(module, strategy, epochs=3, callbacks=kept())
    for first, second in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert len(history["val_loss"]) == 3


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_what_it_is_made_of_survives_a_keras_file(module, tmp_path):
    import keras

    model = module.build_model(STATES)
    model.compile(
        keras.optimizers.Adam(module.WarmUpThenCosine(0.1, 10, 100)),
        loss=module.SparseFocalLoss(2.0),
        metrics=[module.MacroRecall(STATES)],
    )
    features, labels = rows_of(module, 32)
    model.train_on_batch(features, labels)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        model.predict(features, verbose=0), again.predict(features, verbose=0), rtol=1e-6
    )
    assert again.loss.gamma == 2.0
    rates = [float(module.WarmUpThenCosine(0.1, 10, 100)(step)) for step in (0, 5, 10, 55, 100)]
    np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.05, 0], atol=1e-6)


def test_recall_is_the_mean_over_the_classes_that_occur(module):
    metric = module.MacroRecall(4)
    metric.update_state([0, 0, 0, 2], np.eye(4)[[0, 0, 1, 2]])
    metric.update_state([2], np.eye(4)[[3]])
    assert float(metric.result()) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_the_focal_loss_is_cross_entropy_at_gamma_0(module):
    import keras

    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], "float32")
    labels = np.array([0, 1])
    expected = keras.losses.SparseCategoricalCrossentropy()(labels, probabilities)
    assert float(module.SparseFocalLoss(0.0)(labels, probabilities)) == pytest.approx(
        float(expected)
    )
    halved = -(0.3 * np.log(0.7) + 0.9 * np.log(0.1)) / 2
    assert float(module.SparseFocalLoss(1.0)(labels, probabilities)) == pytest.approx(
        halved, rel=1e-5
    )
