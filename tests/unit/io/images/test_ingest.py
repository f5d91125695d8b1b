import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from penstock.components import ImageExampleGen
from penstock.io import Input, Output, Split, SplitConfig, read_record_batches, split_files
from penstock.io.images.image_file import ImageError, read_image
from penstock.io.images.ingest import read_image_folders
from penstock.io.images.table import read_image_table
from penstock.io.ingestion.broken_rows import read_quarantine
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

RANDOM = np.random.default_rng(0)


def picture(folder: Path, name: str, size=(4, 6), mode="L", **options) -> Path:
    shape = size if mode == "L" else (*size, {"RGB": 3, "RGBA": 4}[mode])
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, shape, np.uint8)).save(path, **options)
    return path


@pytest.fixture
def animals(tmp_path) -> Path:
    folder = tmp_path / "animals"
    for number in range(6):
        picture(folder, f"cat/{number}.png")
        picture(folder, f"dog/{number}.jpg", mode="RGB")
    return folder


def rows_of(examples, *splits):
    return [
        {name: value[0] if value else None for name, value in row.items()}
        for split in splits
        for batch in read_record_batches(split_files(examples.uri, split))
        for row in batch.to_pylist()
    ]


def test_the_contract(animals, tmp_path):
    check_component(ImageExampleGen(input_base=str(animals)), tmp_path / "work")


def test_each_file_is_a_row_with_its_bytes_and_the_name_of_its_folder(animals, tmp_path):
    examples = run_component(ImageExampleGen(input_base=str(animals)), tmp_path / "out")["examples"]
    rows = sorted(rows_of(examples, "train", "eval"), key=lambda row: row["file_name"])
    assert [row["file_name"].decode() for row in rows] == sorted(
        f"{file.parent.name}/{file.name}" for file in animals.glob("*/*")
    )
    for row in rows:
        file = animals / row["file_name"].decode()
        assert row["image"] == file.read_bytes()
        assert row["label"].decode() == file.parent.name
        expected = (4, 6, 3 if file.parent.name == "dog" else 1)
        assert (row["height"], row["width"], row["channels"]) == expected


def test_folders_of_splits_stay_splits(animals, tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / "split" / split, "a/1.png")
    component = ImageExampleGen(
        input_base=str(tmp_path / "split"),
        input_config=Input([Split("train", "train/*/*"), Split("test", "test/*/*")]),
        label_from_folder=False,
    )
    examples = run_component(component, tmp_path / "out")["examples"]
    assert set(examples.splits) == {"train", "test"}
    (row,) = rows_of(examples, "test")
    assert "label" not in row


@pytest.mark.parametrize("file", ["a.bmp", "a.gif", "a.tiff", "a.webp"])
def test_other_formats_become_png(tmp_path, file):
    path = picture(tmp_path, file, mode="RGB", **({"lossless": True} if "webp" in file else {}))
    found = read_image(path)
    assert found.content.startswith(b"\x89PNG")
    kept = np.asarray(Image.open(io.BytesIO(found.content)).convert("RGB"))
    with Image.open(path) as image:
        np.testing.assert_array_equal(kept, np.asarray(image.convert("RGB")))


def test_broken_images_are_an_error_or_are_kept_apart(animals, tmp_path):
    sound = (animals / "dog/1.jpg").read_bytes()
    (animals / "dog/short.jpg").write_bytes(sound[: len(sound) // 2])
    (animals / "dog/notes.txt").write_text("woof")
    with pytest.raises(ComponentFailed, match=r"dog/notes.txt: not an image that Pillow can read"):
        run_component(ImageExampleGen(input_base=str(animals)), tmp_path / "raise")
    component = ImageExampleGen(input_base=str(animals), on_error="skip")
    examples = run_component(component, tmp_path / "skip")["examples"]
    assert len(rows_of(examples, "train", "eval")) == 12
    broken = {entry["file"]: entry["reason"] for entry in read_quarantine(examples.uri)}
    assert broken["dog/notes.txt"].startswith("not an image")
    assert "damaged" in broken["dog/short.jpg"]


def test_many_images_come_in_blocks(tmp_path):
    content = picture(tmp_path, "one.png").read_bytes()
    files = []
    for number in range(300):
        path = tmp_path / f"c{number % 3}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        files.append(str(path))
    blocks = list(read_image_folders(files))
    assert [rows.batch.num_rows for rows in blocks] == [256, 44]
    assert [label for rows in blocks for (label,) in rows.batch["label"].to_pylist()] == [
        f"c{number % 3}".encode() for number in range(300)
    ]


@pytest.fixture
def flats(tmp_path) -> Path:
    folder = tmp_path / "flats"
    lines = ["picture,rooms,owner"]
    for number in range(9):
        picture(folder, f"pictures/{number}.png", mode="RGB")
        lines.append(f"pictures/{number}.png,{(number + 1) % 4 or ''},o{number % 3}")
    (folder / "flats.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_table_s_rows_get_their_images(flats, tmp_path):
    component = ImageExampleGen(
        input_base=str(flats),
        path_column="picture",
        output_config=Output(
            SplitConfig(
                [Split("train", hash_buckets=1), Split("test", hash_buckets=1)],
                partition_feature_name="owner",
            )
        ),
    )
    examples = run_component(component, tmp_path / "out")["examples"]
    rows = rows_of(examples, "train", "test")
    assert len(rows) == 9
    for row in rows:
        file = flats / row["picture"].decode()
        assert row["image"] == file.read_bytes()
        assert row["rooms"] == ((int(file.stem) + 1) % 4 or None)
    owners = [{row["owner"] for row in rows_of(examples, split)} for split in ("train", "test")]
    assert not owners[0] & owners[1]
    check_component(component, tmp_path / "work")


def test_parquet_tables_too(flats):
    paths = [f"pictures/{number}.png" for number in range(3)]
    pq.write_table(pa.table({"picture": paths, "price": [1.5, None, 3.0]}), flats / "p.parquet")
    (rows,) = read_image_table([str(flats / "p.parquet")], "picture")
    assert rows.batch["price"].to_pylist() == [[1.5], None, [3.0]]
    assert rows.batch["height"].to_pylist() == [[4]] * 3


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("pictures/none.png", "there is no such file"),
        ("../outside.png", "paths must lead into the folder of the table"),
        ("", "a row has no path in column 'picture'"),
    ],
)
def test_a_row_whose_image_is_missing_is_broken(flats, path, reason):
    with open(flats / "flats.csv", "a") as file:
        file.write(f"{path},1,o\n")
    with pytest.raises(ImageError, match=reason):
        list(read_image_table([str(flats / "flats.csv")], "picture"))
    broken = []
    (rows,) = read_image_table([str(flats / "flats.csv")], "picture", on_broken=broken.append)
    assert (rows.batch.num_rows, len(rows.records)) == (9, 9)
    assert [reason in row.reason for row in broken] == [True]


def test_the_cache_key_holds_the_images_of_a_table(flats):
    component = ImageExampleGen(input_base=str(flats), path_column="picture")
    found = component.external_files(lambda path: path)
    assert found["single_split/pictures/3.png"] == f"{flats}/pictures/3.png"
    assert "single_split/flats.csv" in found


@pytest.mark.parametrize(
    ("column", "message"),
    [("image", r"has no column 'image'\. Columns: "), ("rooms", "must hold paths. Received: 1")],
)
def test_a_wrong_column_is_an_error_with_the_columns(flats, column, message):
    with pytest.raises(ValueError, match=message):
        list(read_image_table([str(flats / "flats.csv")], column))
