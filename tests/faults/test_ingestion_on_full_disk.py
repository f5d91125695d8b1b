"""An ExampleGen whose disk fills up: the error names the file, and nothing is left behind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from penstock.components import CsvExampleGen, QueryExampleGen
from penstock.testing import ComponentFailed, run_component


def left_behind(disk: Path) -> list[str]:
    return [path.name for path in disk.rglob("*") if path.is_file() and path.name != "log.txt"]


@pytest.fixture
def numbers(tmp_path) -> str:
    """A folder with a CSV file that packs badly."""
    rng = random.Random(7)
    folder = tmp_path / "numbers"
    folder.mkdir()
    rows = "".join(f"{n},{rng.getrandbits(60)},{rng.random()}\n" for n in range(200_000))
    (folder / "rows.csv").write_text("n,a,b\n" + rows)
    return str(folder)


@pytest.mark.parametrize("kibibytes", [40, 1000, 3000])
@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
@pytest.mark.parametrize("num_shards", [None, 3])
def test_the_shard_is_named(numbers, small_disk, kibibytes, file_format, num_shards) -> None:
    disk = small_disk("disk", kibibytes)
    component = CsvExampleGen(
        input_base=numbers, output_file_format=file_format, num_shards=num_shards
    )
    with pytest.raises(ComponentFailed) as caught:
        run_component(component, disk)
    (said,) = [line for line in str(caught.value).splitlines() if "Errno 28" in line][:1]
    assert "No space left on device: '" in said
    assert f"{disk}/CsvExampleGen/examples/1/Split-" in said
    assert left_behind(disk) == []


def test_where_queries_are_spooled_is_told(tmp_path, small_disk, monkeypatch) -> None:
    disk = small_disk("disk", 500)
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    query = (
        "WITH RECURSIVE g(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM g WHERE id < 100000) "
        "SELECT id, random() AS r FROM g"
    )
    component = QueryExampleGen(database="sqlite://", query=query)
    with pytest.raises(ComponentFailed, match=f"No space left on device: '{disk}'"):
        run_component(component, tmp_path / "root")
