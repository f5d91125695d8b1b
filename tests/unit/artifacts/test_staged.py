"""Local places that processes on other machines fill and empty themselves."""

from pathlib import Path

import pytest

from penstock.artifacts import location
from penstock.artifacts.staged import NOTHING_STAGED, StagedPlaces


@pytest.fixture
def places(tmp_path):
    """The places of one machine; the URLs are of memory."""
    root = f"memory://{tmp_path.name}"
    location.write_bytes(f"{root}/gen/examples/1/Split-train/rows", b"a b")
    location.write_bytes(f"{root}/schema.pbtxt", b"s")

    def of(machine: str) -> StagedPlaces:
        here = f"{tmp_path}/{machine}"
        return StagedPlaces(
            {
                f"{here}/examples/1": f"{root}/gen/examples/1",
                f"{here}/schema.pbtxt": f"{root}/schema.pbtxt",
            },
            {f"{here}/model/3": f"{root}/train/model/3", f"{here}/run/3": f"{root}/train/run/3"},
        )

    return of


def test_inputs_are_copied_once_and_outputs_travel_through_the_url(places, tmp_path):
    worker, node = places("worker"), places("node")
    worker.fetch_inputs()
    rows = tmp_path / "worker/examples/1/Split-train/rows"
    assert rows.read_bytes() == b"a b"
    assert (tmp_path / "worker/schema.pbtxt").read_bytes() == b"s"
    rows.write_bytes(b"kept")
    worker.fetch_inputs()
    assert rows.read_bytes() == b"kept"
    assert not list(tmp_path.glob("worker/**/*unfinished*"))
    worker.clear_outputs()
    (tmp_path / "worker/model/3/half").touch()
    worker.clear_outputs()  # the process starts again
    Path(tmp_path, "worker/model/3/weights").write_bytes(b"w")
    worker.send_outputs()
    node.receive_outputs()
    assert [each.name for each in (tmp_path / "node/model/3").iterdir()] == ["weights"]
    assert not (tmp_path / "node/run/3").exists()


def test_without_urls_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NOTHING_STAGED.fetch_inputs()
    NOTHING_STAGED.clear_outputs()
    NOTHING_STAGED.send_outputs()
    NOTHING_STAGED.receive_outputs()
    assert list(tmp_path.iterdir()) == []
