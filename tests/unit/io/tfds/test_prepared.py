"""Against `tests/golden/tfds_tiny`, which tensorflow-datasets 4.9.10 wrote."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penstock.components import TfdsExampleGen
from penstock.io import ExamplesSplit, Input, Split, read_columns
from penstock.io.tfds.prepared import PreparedFolderError, read_prepared_folder
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

GOLDEN = Path(__file__).resolve().parents[3] / "golden/tfds_tiny"


@pytest.fixture
def tiny(tmp_path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "tiny"))


def pixels(number: int) -> np.ndarray:
    """Return the pixels that the example of this number was made with."""
    return np.random.default_rng(number).integers(0, 256, (8, 8, 1), np.uint8)


def read(component, folder) -> dict[str, dict[str, np.ndarray]]:
    examples = run_component(component, folder)["examples"]
    return {split: read_columns(ExamplesSplit.of(examples, split)) for split in examples.splits}


def test_the_contract(tiny, tmp_path):
    check_component(TfdsExampleGen(input_base=str(tiny)), tmp_path / "work")


def test_what_the_folder_says():
    folder = read_prepared_folder(str(GOLDEN))
    assert folder.splits == {"train": [9], "test": [3]}
    assert folder.files["test"] == ["tiny-test.tfrecord-00000-of-00001"]
    assert folder.class_labels == {
        "label": "label.labels.txt",
        "measures/kinds": "measures-kinds.labels.txt",
    }
    assert folder.names_of("label") == ["none", "one", "two"]


def test_its_splits_and_images(tiny, tmp_path):
    found = read(TfdsExampleGen(input_base=str(tiny), splits=["train", "test"]), tmp_path / "out")
    assert {split: len(columns["label"]) for split, columns in found.items()} == {
        "train": 9,
        "test": 3,
    }
    made = {float(pixels(number).mean()): number for number in range(9, 12)}
    for image, label, ink in zip(
        *(found["test"][name] for name in ("image", "label", "measures/ink")), strict=True
    ):
        number = made[float(ink)]
        assert label == number % 3
        with Image.open(io.BytesIO(image)) as opened:
            np.testing.assert_array_equal(np.asarray(opened), pixels(number)[:, :, 0])


def test_all_rows_may_be_divided_anew(tiny, tmp_path):
    found = read(TfdsExampleGen(input_base=str(tiny)), tmp_path / "out")
    assert set(found) == {"train", "eval"}
    assert sum(len(columns["label"]) for columns in found.values()) == 12


def test_classes_become_names(tiny, tmp_path):
    component = TfdsExampleGen(input_base=str(tiny), splits=["test"], label_names=True)
    columns = read(component, tmp_path / "out")["test"]
    assert sorted(columns["label"]) == [b"none", b"one", b"two"]
    kinds = {
        label: [] if several is None else list(np.atleast_1d(several))
        for label, several in zip(columns["label"], columns["measures/kinds"], strict=True)
    }
    # Example 9 has no kind, 10 has one, 11 has two.
    assert kinds == {b"none": [], b"one": [b"thin"], b"two": [b"thick", b"thick"]}
    check_component(component, tmp_path / "work")


def test_a_split_with_a_missing_file_is_refused(tiny, tmp_path):
    info = json.loads((tiny / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["9", "8"]
    (tiny / "dataset_info.json").write_text(json.dumps(info))
    (tiny / "tiny-train.tfrecord-00000-of-00001").rename(
        tiny / "tiny-train.tfrecord-00000-of-00002"
    )
    with pytest.raises(ComponentFailed, match=r"1 of the 2 files of split 'train' are not there"):
        run_component(TfdsExampleGen(input_base=str(tiny)), tmp_path / "out")


def test_other_rows_than_the_folder_says_are_an_error(tiny, tmp_path):
    info = json.loads((tiny / "dataset_info.json").read_text())
    info["splits"][1]["shardLengths"] = ["4"]
    (tiny / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(ComponentFailed, match=r"says 4 rows, and its files hold 3\. Copy"):
        run_component(TfdsExampleGen(input_base=str(tiny), splits=["test"]), tmp_path / "out")


def test_files_with_names_of_their_own(tiny, tmp_path):
    info = json.loads((tiny / "dataset_info.json").read_text())
    info["splits"][1]["filepathTemplate"] = "{SPLIT}_{SHARD_INDEX}.{FILEFORMAT}"
    (tiny / "dataset_info.json").write_text(json.dumps(info))
    (tiny / "tiny-test.tfrecord-00000-of-00001").rename(tiny / "test_00000.tfrecord")
    component = TfdsExampleGen(
        input_base=str(tiny),
        input_config=Input([Split("test", "test_*"), Split("train", "tiny-train*")]),
    )
    assert len(read(component, tmp_path / "out")["test"]["label"]) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "features.json").unlink(), "there is no features.json. Expected"),
        (lambda folder: (folder / "dataset_info.json").write_text("{"), "not JSON"),
        (
            lambda folder: (folder / "dataset_info.json").write_text('{"fileFormat": "riegeli"}'),
            "of the format riegeli. Expected tfrecord",
        ),
    ],
)
def test_what_is_no_prepared_folder_is_refused(tiny, change, message):
    change(tiny)
    with pytest.raises(PreparedFolderError, match=message):
        read_prepared_folder(str(tiny))


def test_names_that_are_not_there_are_missed(tiny, tmp_path):
    (tiny / "label.labels.txt").unlink()
    assert len(read(TfdsExampleGen(input_base=str(tiny)), tmp_path / "out")) == 2
    component = TfdsExampleGen(input_base=str(tiny), label_names=True)
    with pytest.raises(ComponentFailed, match="there is no label.labels.txt"):
        run_component(component, tmp_path / "named")


def test_files_are_chosen_once(tiny):
    with pytest.raises(ValueError, match="splits and input_config both choose files"):
        TfdsExampleGen(input_base=str(tiny), splits=["test"], input_config=Input([Split("a", "*")]))
