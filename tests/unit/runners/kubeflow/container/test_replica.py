"""What a process in a pod of its own does first."""

from __future__ import annotations

import os
import pickle
from functools import partial
from pathlib import Path

import pytest
from fsspec.config import conf

from penstock.launch.project_archive import upload_project
from penstock.runners.kubeflow.container.replica import prepare_replica


def test_each_pod_enters_the_store_and_unpacks_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/line.py").write_text("x = 1\n")
    archive = upload_project(str(tmp_path / "project"), str(tmp_path / "archives"))
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", "before")  # so that it is as before afterwards
    monkeypatch.setitem(conf, "s3", {})
    root = "s3://bucket/line?endpoint=store:9000&disableSSL=true"
    folder = tmp_path / "pod/project"
    pickle.loads(pickle.dumps(partial(prepare_replica, root, archive, str(folder))))()
    assert os.environ["FSSPEC_S3_ENDPOINT_URL"] == "http://store:9000"
    assert (folder / "line.py").exists()
    prepare_replica(str(tmp_path), None, str(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()
