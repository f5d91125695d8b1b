import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from penstock.components import NumpyExampleGen
from penstock.io import Input, Split, read_record_batches, split_files
from penstock.io.arrays.array_files import ArrayFileError, read_array_file
from penstock.io.arrays.idx import parse_idx
from penstock.io.arrays.ingest import read_arrays
from penstock.io.images.png import encode_png
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

REPOSITORY = Path(__file__).resolve().parents[4]
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (40, 5, 4), np.uint8)
LABELS = RANDOM.integers(0, 10, 40, np.uint8)


def idx(array, code=0x08) -> bytes:
    big = array.astype(array.dtype.newbyteorder(">"))
    header = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + big.tobytes()


@pytest.fixture
def mnist(tmp_path) -> Path:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, rows in (("train", slice(30)), ("t10k", slice(30, None))):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[rows])))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(LABELS[rows]))
    return folder


FEATURES = {"image": "*-images-*", "label": "*-labels-*"}


def columns(examples, split):
    batches = list(read_record_batches(split_files(examples.uri, split)))
    return {
        name: [value for batch in batches for (value,) in batch[name].to_pylist()]
        for name in batches[0].schema.names
    }


def test_the_contract(mnist, tmp_path):
    check_component(NumpyExampleGen(input_base=str(mnist), features=FEATURES), tmp_path / "work")


def test_idx_files_become_images_with_their_labels(mnist, tmp_path):
    component = NumpyExampleGen(
        input_base=str(mnist),
        input_config=Input([Split("train", "train-*"), Split("test", "t10k-*")]),
        features=FEATURES,
    )
    examples = run_component(component, tmp_path / "out")["examples"]
    found = columns(examples, "test")
    assert found["label"] == LABELS[30:].tolist()
    assert found["image"] == [encode_png(image) for image in IMAGES[30:]]


def test_the_splits_of_one_npz_file(tmp_path):
    arrays = {"x_train": IMAGES[:30], "y_train": LABELS[:30]}
    np.savez(tmp_path / "m.npz", **arrays, x_test=IMAGES[30:], y_test=LABELS[30:])
    component = NumpyExampleGen(
        input_base=str(tmp_path),
        input_config=Input([Split("train", "m.npz"), Split("test", "m.npz")]),
        features={"image": "x_{SPLIT}", "label": "y_{SPLIT}"},
    )
    examples = run_component(component, tmp_path / "out")["examples"]
    assert columns(examples, "train")["label"] == LABELS[:30].tolist()
    assert columns(examples, "test")["image"] == [encode_png(image) for image in IMAGES[30:]]


def test_npy_files_are_features_of_their_names(tmp_path):
    np.save(tmp_path / "size.npy", np.array([[1.5, 2], [3, 4]]))
    np.save(tmp_path / "name.npy", np.array(["ö", "ab"]))
    np.save(tmp_path / "flag.npy", np.array([True, False]))
    (batch,) = read_arrays(sorted(map(str, tmp_path.glob("*.npy"))))
    assert batch.to_pydict() == {
        "flag": [[1], [0]],
        "name": [["ö".encode()], [b"ab"]],
        "size": [[1.5, 2.0], [3.0, 4.0]],
    }


def test_pixels_may_stay_numbers(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES[:2])
    (batch,) = read_arrays([str(tmp_path / "x.npy")], encode_images=False)
    assert batch["x"].to_pylist() == IMAGES[:2].reshape(2, -1).tolist()


def test_large_arrays_come_in_batches(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(25_000, dtype=np.int32))
    batches = list(read_arrays([str(tmp_path / "x.npy")]))
    assert [batch.num_rows for batch in batches] == [10_000, 10_000, 5_000]
    assert batches[-1]["x"].to_pylist()[-1] == [24_999]


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")],
)
def test_every_type_of_idx(code, dtype):
    values = np.arange(-6, 6).reshape(2, 3, 2).astype(dtype)
    found = parse_idx(idx(values, code))
    np.testing.assert_array_equal(found, values)
    assert found.dtype == np.dtype(dtype)


def test_the_digits_that_ship_are_600_of_each():
    folder = REPOSITORY / "data/digits"
    (images,) = read_array_file(str(folder / "digits-images-idx3-ubyte.gz")).values()
    (labels,) = read_array_file(str(folder / "digits-labels-idx1-ubyte.gz")).values()
    assert (images.shape, images.dtype) == ((6000, 28, 28), np.uint8)
    assert np.bincount(labels).tolist() == [600] * 10
    assert len({image.tobytes() for image in images}) == 6000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", idx(LABELS)[:-1], "the header says 40 values of type uint8.* Received: 47 bytes"),
        ("a.npz", b"PK\3\4rubbish", "a.npz: "),
        ("a.npy", b"\x93NUMPY\1\0", "a.npy: damaged: "),
        ("a.txt", b"words", "a.txt: neither IDX nor NumPy's"),
        ("a.gz", b"\x1f\x8brubbish", "a.gz: "),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArrayFileError, match=message):
        list(read_arrays([str(path)]))


def test_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object))
    np.savez(tmp_path / "b.npz", o=np.array([{}], object))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(ArrayFileError, match="Python objects, which are not read"):
            list(read_arrays([str(tmp_path / name)]))


@pytest.mark.parametrize(
    ("arrays", "features", "message"),
    [
        ({"x": IMAGES, "y": LABELS[:5]}, None, "equal numbers of rows. Received: x: 40 .* y: 5"),
        ({"x": IMAGES}, {"image": "z*"}, r"no array matches 'z\*'. Arrays: \['x'\]"),
        ({"x": IMAGES, "x2": IMAGES, "y": LABELS}, {"x": "x*", "y": "y"}, "as many arrays"),
        ({"x1": IMAGES, "x2": IMAGES[:, :2]}, {"x": "x*"}, "need one shape"),
        ({"x": np.float64(3)}, None, "one value, not rows"),
        ({"x": np.array([1e300])}, None, "beyond the floats"),
        ({"x": np.array([2**64 - 1], np.uint64)}, None, "beyond 64-bit integers"),
        ({"x": np.array([1j])}, None, "type complex128 do not fit"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, features, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ArrayFileError, match=message):
        list(read_arrays([str(tmp_path / "a.npz")], features))


def test_rows_are_not_skipped(mnist, tmp_path):
    with pytest.raises(ValueError, match="leaves out no rows"):
        NumpyExampleGen(input_base=str(mnist), on_error="skip")
    with pytest.raises(ComponentFailed, match="no array matches"):
        run_component(
            NumpyExampleGen(input_base=str(mnist), features={"image": "pixels"}), tmp_path / "out"
        )
