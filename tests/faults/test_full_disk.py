"""A disk that fills up: under the artifacts, under the store, under both."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from fault_lab import Site

from penstock.runners.result import RunFailed
from penstock.store import MetadataStore, RunState


def fail(site: Site, *nodes, in_process: bool = False):
    with pytest.raises(RunFailed) as caught:
        # One after another: what runs beside on a full disk may fail for want of space, too.
        site.runner(in_process=in_process, max_parallel=1).run(
            site.pipeline(*nodes), project_root=site.project, run_id="r1"
        )
    return caught.value.result


def check_recorded(site: Site, node_id: str) -> str:
    site.check()
    with MetadataStore.open(site.store) as store:
        assert store.get_run("r1").state is RunState.FAILED
        record = store.run_states("r1")[node_id]
        assert record.state.name == "FAILED"
        assert record.error is not None
        return record.error


@pytest.mark.parametrize("in_process", [True, False], ids=["in-process", "workers"])
@pytest.mark.parametrize("shared", [True, False], ids=["store-on-it", "store-elsewhere"])
def test_a_node_fills_the_disk(tmp_path, nodes, small_disk, shared, in_process) -> None:
    disk = small_disk("disk", 4096)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    site = Site(disk, store=disk if shared else elsewhere)
    good, full = nodes.number(value=3), nodes.fills_disk()
    after, beside = nodes.reads_size(artifact=full), nodes.number(value=4).with_id("beside")
    beside.add_upstream_node(good)
    result = fail(site, good, full, after, beside, in_process=in_process)
    states = {node.id: node.state.value for node in result.nodes.values()}
    assert states.pop("fills_disk") == "FAILED"
    assert states == {"number": "COMPLETE", "reads_size": "SKIPPED", "beside": "COMPLETE"}
    assert "No space left on device" in check_recorded(site, "fills_disk")
    assert result["fills_disk"].error.startswith("OSError: [Errno 28] No space left on device")


def test_it_resumes_when_there_is_space(tmp_path, nodes, small_disk) -> None:
    disk = small_disk("disk", 4096)
    site = Site(disk)
    large = nodes.writes_file(size=6_000_000)
    size = nodes.reads_size(artifact=large)
    assert fail(site, large, size)["writes_file"].state.value == "FAILED"
    assert "No space left on device" in check_recorded(site, "writes_file")
    subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
    result = site.runner().resume("r1", project_root=site.project)
    assert result.artifact("reads_size", "result").value == 6_000_000
    site.check()


@pytest.mark.parametrize("in_process", [True, False], ids=["in-process", "workers"])
def test_the_store_cannot_grow(tmp_path, nodes, small_disk, in_process) -> None:
    """The artifacts have space, the store has none: nothing is published, FAILED is recorded."""
    disk = small_disk("disk", 4096)
    site = Site(tmp_path / "elsewhere", store=disk)
    filler = nodes.fills_folder(folder=str(disk))
    result = fail(site, filler, nodes.process(a=filler), in_process=in_process)
    assert result["fills_folder"].state.value == "FAILED"
    assert not any(node.outputs for node in result.nodes.values())
    os.remove(disk / "filler")
    assert "No space left for the store" in check_recorded(site, "fills_folder")
    assert not list(Path(site.root).glob("fills_folder/result/*"))


def test_the_log_cannot_be_written(tmp_path, nodes, small_disk) -> None:
    """A node that writes nothing but its log, on a disk without space, fails by no more than that."""
    disk = small_disk("disk", 64)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    site = Site(disk, store=elsewhere)
    with pytest.raises(OSError, match="No space left"):
        with open(disk / "filler", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    result = fail(site, nodes.talks(a=1))
    assert "No space left on device" in result["talks"].error
    assert "No space left on device" in check_recorded(site, "talks")
