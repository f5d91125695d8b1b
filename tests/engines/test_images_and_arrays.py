"""Ingestion of images, arrays and prepared folders: the local driver against Beam, and folders behind URLs."""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np
import pytest

from penstock.components import ImageExampleGen, NumpyExampleGen, TfdsExampleGen
from penstock.io import read_row_counts, read_tfrecords, split_files
from penstock.io.images.png import encode_png
from penstock.testing import run_component

TINY = Path(__file__).resolve().parents[1] / "golden/tfds_tiny"
PIXELS = np.random.default_rng(0).integers(0, 256, (30, 5, 4), np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    lines = ["file,age"]
    for number, pixels in enumerate(PIXELS):
        path = folder / "images" / f"k{number % 3}" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(pixels))
        lines.append(f"k{number % 3}/{number:02}.png,{number}")
    (folder / "images/table.csv").write_text("\n".join(lines) + "\n")
    (folder / "arrays").mkdir()
    np.savez(folder / "arrays/a.npz", x=PIXELS, y=np.arange(30))
    return folder


COMPONENTS = {
    "folders": lambda base: ImageExampleGen(input_base=f"{base}/images"),
    "table": lambda base: ImageExampleGen(input_base=f"{base}/images", path_column="file"),
    "arrays": lambda base: NumpyExampleGen(input_base=f"{base}/arrays"),
    "tfds": lambda base: TfdsExampleGen(input_base=f"{base}/tiny"),
    "tfds names": lambda base: TfdsExampleGen(input_base=f"{base}/tiny", label_names=True),
}


def records(examples) -> dict[str, list[bytes]]:
    return {
        split: [row for file in split_files(examples.uri, split) for row in read_tfrecords(file)]
        for split in examples.splits
    }


@pytest.fixture(scope="module")
def url(data) -> str:
    """The same data behind a URL."""
    memory = fsspec.filesystem("memory")
    memory.put(str(data), "/pictures", recursive=True)
    memory.put(str(TINY), "/pictures/tiny", recursive=True)
    return "memory://pictures"


@pytest.mark.parametrize("kind", list(COMPONENTS))
def test_behind_a_url_and_on_beam_the_rows_are_the_same(kind, data, url, tmp_path):
    if not (data / "tiny").exists():
        (data / "tiny").symlink_to(TINY)
    local = run_component(COMPONENTS[kind](str(data)), tmp_path / "local")["examples"]
    remote = run_component(COMPONENTS[kind](url), tmp_path / "remote")["examples"]
    on_beam = COMPONENTS[kind](str(data)).with_beam_pipeline_args(("--runner=FnApiRunner",))
    beam = run_component(on_beam, tmp_path / "beam")["examples"]
    expected = records(local)
    assert sum(map(len, expected.values())) == (12 if "tfds" in kind else 30)
    assert records(remote) == expected
    assert {split: sorted(rows) for split, rows in records(beam).items()} == {
        split: sorted(rows) for split, rows in expected.items()
    }
    assert read_row_counts(beam.uri) == read_row_counts(local.uri)
