"""Digits, on a cut of the data: from MNIST's files to a served model that takes the bytes of an image."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.cut_run import REPOSITORY, project_of, run_cut

from penstock.io.arrays.array_files import read_array_file
from penstock.io.images.png import encode_png
from penstock.runners.result import RunResult

pytestmark = pytest.mark.tensorflow

ROWS = 1300


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels and the labels that ship."""
    folder = REPOSITORY / "data/digits"
    (pixels,) = read_array_file(str(folder / "digits-images-idx3-ubyte.gz")).values()
    (labels,) = read_array_file(str(folder / "digits-labels-idx1-ubyte.gz")).values()
    return pixels, labels


def write_idx(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        file = folder / f"digits-{name}-ubyte.gz"
        file.write_bytes(gzip.compress(header + array.tobytes(), 1))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = project_of(tmp_path_factory.mktemp("digits") / "project")
    pixels, labels = digits()
    write_idx(folder / "data/digits", pixels[:ROWS], labels[:ROWS])
    return folder


@pytest.fixture(scope="module")
def run(project) -> RunResult:
    return run_cut(project, "digits", {"epochs": 6})


def test_it_beats_logistic_regression_on_the_pixels(run):
    (comparison,) = run["BaselineComparison"].outputs["comparison"]
    found = {metric["name"]: metric for metric in comparison.value["metrics"]}
    # On the cut the margin is the full run's, too; with all the data it is above 0.06.
    assert found["accuracy"]["model"] - found["accuracy"]["baseline"] >= 0.03
    assert comparison.value["rows"]["test"] > 200


def test_the_learning_rate_follows_the_validation_accuracy(run):
    (model_run,) = run["Trainer"].outputs["model_run"]
    history = json.loads(Path(model_run.uri, "history.json").read_text())
    rates, accuracy = history["learning_rate"], history["val_accuracy"]
    for epoch in range(1, len(rates) - 1):
        factor = 0.5 if accuracy[epoch] < accuracy[epoch - 1] else 1.0
        assert rates[epoch + 1] == pytest.approx(rates[epoch] * factor)
    (gap,) = history["final/gap"]
    assert gap == pytest.approx(history["final/train"][0] - history["final/eval"][0])
    # The best epoch is what is exported and measured.
    assert history["final/eval"][0] == pytest.approx(max(accuracy), abs=1e-6)


def test_the_model_takes_the_bytes_of_an_image(run):
    from penstock.serving import load_model

    pixels, labels = (each[ROWS : ROWS + 200] for each in digits())
    (trained,) = run["Trainer"].outputs["model"]
    model = load_model(trained.serving_uri)
    assert model.features == {"image": "string"}
    answers = model.predict([{"image": encode_png(image)} for image in pixels])
    right = np.mean(
        [answer["digit"] == label for answer, label in zip(answers, labels, strict=True)]
    )
    assert right > 0.85
    # A request of one image is answered as in a batch of many.
    (alone,) = model.predict([{"image": encode_png(pixels[0])}])
    np.testing.assert_allclose(
        alone["probabilities"], answers[0]["probabilities"], rtol=1e-3, atol=1e-5
    )


def test_with_mixed_precision_the_layers_compute_in_16_bits_and_the_output_in_32():
    import keras
    from modules.digits import build_model

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_model()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("convolved_4").compute_dtype == "bfloat16"
    assert {str(each.dtype) for each in model.trainable_variables} == {"float32"}
    image = {"pixels": np.zeros((1, 28, 28, 1), "float32")}
    assert model(image, training=False).dtype == "float32"


def test_each_regularizer_may_be_left_out():
    from modules.digits import build_model, regularizers_of

    kinds = {type(layer).__name__ for layer in build_model(regularizers_of("none")).layers}
    assert not kinds & {"Dropout", "BatchNormalization"}
    assert build_model(("l2",)).losses
    assert not build_model(("dropout", "batch_norm")).losses
    with pytest.raises(ValueError, match="Received: regularization=dropuot"):
        regularizers_of("dropuot,l2")


SOURCES = ("folders", "npz", "npy")


@pytest.mark.parametrize("source", SOURCES)
def test_other_sources_give_the_same_examples_to_the_module(project, tmp_path, source):
    """The same images and classes, whether they are read from IDX, folders or NumPy's files."""
    from penstock.components import ImageExampleGen, NumpyExampleGen
    from penstock.io import ExamplesSplit, read_columns
    from penstock.testing import run_component

    pixels, labels = (each[:60] for each in digits())
    folder = tmp_path / "in"
    if source == "folders":
        for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            path = folder / str(label) / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(image))
        gen = ImageExampleGen(input_base=str(folder))
    elif source == "npz":
        folder.mkdir()
        np.savez_compressed(folder / "mnist.npz", x_train=pixels[:40], y_train=labels[:40],
                            x_test=pixels[40:], y_test=labels[40:])  # fmt: skip
        gen = NumpyExampleGen(input_base=str(folder), features={"image": "x_*", "label": "y_*"})
    else:
        folder.mkdir()
        np.save(folder / "image.npy", pixels)
        np.save(folder / "label.npy", labels)
        gen = NumpyExampleGen(input_base=str(folder))
    examples = run_component(gen, tmp_path / "out")["examples"]
    found = {
        image: int(label)
        for split in ("train", "eval")
        for image, label in zip(
            *(read_columns(ExamplesSplit.of(examples, split))[name] for name in ("image", "label")),
            strict=True,
        )
    }
    assert found == dict(zip(map(encode_png, pixels), labels.tolist(), strict=True))


@pytest.mark.slow
def test_the_whole_pipeline_on_folders_of_images(tmp_path):
    """The labels are names of folders here, and the module makes the same numbers of them."""
    from penstock.components import ImageExampleGen

    project = project_of(tmp_path / "project")
    for number, (image, label) in enumerate(zip(*(each[:ROWS] for each in digits()), strict=True)):
        path = project / f"data/my_digits/{label}/{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(image))

    def on_folders(module):
        gen = ImageExampleGen(input_base="data/my_digits", output_config=module.SPLITS)
        return module.digits(gen, name="my_digits")

    run = run_cut(project, "digits", {"epochs": 6}, pipeline_of=on_folders)
    (comparison,) = run["BaselineComparison"].outputs["comparison"]
    found = {metric["name"]: metric for metric in comparison.value["metrics"]}
    # The rows hold names of files here, and fall into other splits than those of the other test.
    assert found["accuracy"]["model"] > 0.85
    assert found["log_loss"]["model"] < found["log_loss"]["baseline"] - 0.1
    (trained,) = run["Trainer"].outputs["model"]
    from penstock.serving import load_model

    (answer,) = load_model(trained.serving_uri).predict([{"image": encode_png(digits()[0][0])}])
    assert answer["digit"] == digits()[1][0]
