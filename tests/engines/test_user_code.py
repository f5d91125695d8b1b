"""User code on workers that have no project: what travels, and what runs there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from penstock.io import read_record_batches, split_files
from penstock.testing import run_component


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    folder = tmp_path / "lines"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.txt").write_text("cedar oak\nyew elm\n")
    return folder


def test_workers_import_the_module_its_sibling_and_a_data_file(
    lines, project, worker_python, remote_engine, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(project))
    from forest.lines_example_gen import LinesExampleGen

    component = LinesExampleGen(input_base=str(lines)).with_beam_pipeline_args(remote_engine)
    examples = run_component(component, tmp_path / "out", project_root=project)["examples"]
    files = [file for split in examples.splits for file in split_files(examples.uri, split)]
    columns = {}
    for batch in read_record_batches(files):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            values = [
                v.decode() if isinstance(v, bytes) else v for v in column.flatten().to_pylist()
            ]
            columns.setdefault(name, []).extend(values)
    found = dict(zip(columns["word"], columns["evergreen"], strict=True))
    assert found == {"cedar": 1, "oak": 0, "yew": 1, "elm": 0}
    assert len(columns["word"]) == 32
    # An empty folder, another venv, the wheel, and a module that was unpacked there.
    assert set(columns["folder"]) == {""}
    venv = str(worker_python.parent.parent)
    assert set(columns["python"]) == {venv}
    assert all(path.startswith(venv) for path in columns["penstock"])
    assert all(
        path.endswith("/forest/lines_example_gen.py") and not path.startswith(str(project))
        for path in columns["module"]
    )
    if "--direct_num_workers=2" in remote_engine:
        assert len(set(columns["pid"])) == 2


def test_a_worker_without_the_archive_says_what_is_missing(tmp_path):
    from penstock.beam.worker_plugin import install_user_code

    environment = {
        "PIPELINE_OPTIONS": '{"beam:option:penstock_project:v1": "/gone/abc.tar.gz"}',
        "SEMI_PERSISTENT_DIRECTORY": str(tmp_path),
    }
    with pytest.raises(FileNotFoundError, match=rf"looked for {tmp_path}/staged/abc\.tar\.gz"):
        install_user_code(environment)


def test_a_changed_archive_is_refused(tmp_path):
    from penstock.beam.worker_plugin import install_user_code
    from penstock.launch.project_archive import ArchiveError

    (tmp_path / "staged").mkdir()
    name = hashlib.sha256(b"one").hexdigest() + ".tar.gz"
    (tmp_path / "staged" / name).write_bytes(b"another")
    environment = {
        "PIPELINE_OPTIONS": f'{{"options": {{"penstock_project": "/elsewhere/{name}"}}}}',
        "SEMI_PERSISTENT_DIRECTORY": str(tmp_path),
    }
    with pytest.raises(ArchiveError, match="was changed"):
        install_user_code(environment)
