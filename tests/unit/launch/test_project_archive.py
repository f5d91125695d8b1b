from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.launch import project_archive
from penstock.launch.project_archive import (
    ArchiveError,
    pack_project,
    unpack_project,
    unpack_project_once,
    upload_project,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in (
        "pyproject.toml", "pipelines/taxi.py", "modules/tests/kept.py", "data/rows.csv",
        "tests/test_taxi.py", ".penstock/metadata.db", ".env", "modules/__pycache__/m.pyc",
    ):  # fmt: skip
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return root


def _files(folder: str) -> list[str]:
    return sorted(
        str(each.relative_to(folder)) for each in Path(folder).rglob("*") if each.is_file()
    )


def test_what_is_in_an_archive(project: Path, tmp_path: Path) -> None:
    url = upload_project(str(project), str(tmp_path / "archives"))
    unpacked = unpack_project(url, str(tmp_path / "unpacked"))
    assert _files(unpacked) == [
        "data/rows.csv", "modules/tests/kept.py", "pipelines/taxi.py", "pyproject.toml",
    ]  # fmt: skip
    assert Path(unpacked, "pipelines/taxi.py").read_text() == "pipelines/taxi.py"


def test_times_and_places_do_not_change_it(project: Path, tmp_path: Path) -> None:
    first = pack_project(str(project))
    os.utime(project / "pyproject.toml", (1, 1))
    moved = project.rename(tmp_path / "moved")
    assert pack_project(str(moved)) == first


def test_content_changes_its_name(project: Path, tmp_path: Path) -> None:
    before = upload_project(str(project), str(tmp_path))
    (project / "pipelines" / "taxi.py").write_text("changed")
    assert upload_project(str(project), str(tmp_path)) != before


def test_a_changed_archive_is_refused(project: Path, tmp_path: Path) -> None:
    url = upload_project(str(project), str(tmp_path))
    with open(url, "ab") as file:
        file.write(b"x")
    with pytest.raises(ArchiveError, match="was changed: its content has the digest"):
        unpack_project(url)


def test_an_archive_is_not_written_twice(project: Path, tmp_path: Path) -> None:
    url = upload_project(str(project), str(tmp_path))
    os.utime(url, (1, 1))
    assert upload_project(str(project), str(tmp_path)) == url
    assert os.stat(url).st_mtime == 1


def test_a_project_that_holds_its_data(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_archive, "LARGEST_BYTES", 30)
    with pytest.raises(ArchiveError, match=r"more than 0 MiB \(at .*Keep data outside it"):
        pack_project(str(project))


def test_an_archive_is_unpacked_once_at_a_place(project: Path, tmp_path: Path) -> None:
    url = upload_project(str(project), str(tmp_path / "archives"))
    folder = tmp_path / "machine/project"
    unpack_project_once(url, str(folder))
    assert (folder / "pipelines/taxi.py").exists()
    (folder / "mark").touch()
    unpack_project_once(url, str(folder))
    assert (folder / "mark").exists()
    assert [each.name for each in folder.parent.iterdir()] == ["project"]
