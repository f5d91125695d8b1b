"""The scheduler, with real runs in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.notifications import VerdictFilter
from penstock.scheduling import Schedule, ScheduleFolder, Scheduler
from penstock.scheduling.state import ScheduleState
from penstock.store import MetadataStore

WATCH = """
import os, time
from penstock.artifacts import String
from penstock.dsl import Component, Output, output


class Watch(Component):
    "Says what was found; waits for a file to be there, if it is to."
    found: str = "drift"
    wait_for: str = ""
    verdict: Output[String] = output()

    def run(self, context):
        open("runs.txt", "a").write("began\\\\n")
        while self.wait_for and not os.path.exists(self.wait_for):
            time.sleep(0.02)
        self.verdict.value = self.found
        context.report_verdict(f"{self.found} in 1 feature", ok=self.found != "drift")
"""
PIPELINE = """
from components.watch import Watch
from penstock.dsl import Pipeline, RuntimeParameter
pipeline = Pipeline("NAME", components=[Watch(
    found=RuntimeParameter("found", str, default="drift"),
    wait_for=RuntimeParameter("wait_for", str, default=""),
)])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> ScheduleFolder:
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    files = {
        "pyproject.toml": "[tool.penstock]\n",
        "components/__init__.py": "",
        "components/watch.py": WATCH,
        "pipelines/monitor.py": PIPELINE.replace("NAME", "monitor"),
        "pipelines/retrain.py": PIPELINE.replace("NAME", "retrain"),
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path / "project")
    return ScheduleFolder(tmp_path / "project")


def hourly(name="monitor", **given) -> Schedule:
    """A schedule that is due now, and then in an hour."""
    fields = {"file": f"pipelines/{name}.py", "pipeline": name}
    if "after" not in given:
        fields |= {"every": 3600, "created": datetime.now(UTC) - timedelta(seconds=3601)}
    return Schedule(name=name, **{**fields, **given})


def run_until_idle(folder: ScheduleFolder) -> list[str]:
    """Return what a scheduler tells, without the times."""
    lines: list[str] = []
    with folder.locked():
        Scheduler(folder, lines.append).run(threading.Event(), until_idle=True)
    return [line[20:] for line in lines]


def penstock(*words: str) -> None:
    command = [sys.executable, "-m", "penstock", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def began(folder: ScheduleFolder) -> int:
    return Path(folder.project_root, "runs.txt").read_text().count("began")


def wait_until(true) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def states(folder: ScheduleFolder, pipeline: str) -> list[str]:
    with MetadataStore.open(folder.project_root / ".penstock/metadata.db", create=False) as store:
        return [str(run.state) for run in store.list_runs(pipeline)]


def test_a_verdict_makes_another_pipeline_run_and_people_are_told(folder, webhook):
    (folder.project_root / "notifications.toml").write_text(
        f"[targets.ops]\nkind = 'webhook'\nurl = '{webhook.url}'\non = ['verdict', 'success']\n"
    )
    drifted = VerdictFilter.parse("Watch=drift")
    folder.add(hourly("monitor"))
    folder.add(hourly("retrain", after="monitor", condition=drifted, parameters={"found": "ok"}))
    told = run_until_idle(folder)
    monitored, retrained = folder.state("monitor"), folder.state("retrain")
    assert monitored.last_state == retrained.last_state == "COMPLETE"
    assert f"monitor: run {monitored.last_run} begins" in told
    assert f"retrain: comes after run {monitored.last_run} of monitor" in told
    assert "monitor: Watch: drift in 1 feature" in told
    assert [each["pipeline"] for each in webhook.taken] == ["monitor", "retrain"]
    assert webhook.taken[0]["words"] == {"Watch": "drift"}
    assert f"monitor: ops told of run {monitored.last_run}" in told

    assert run_until_idle(folder) == [], "an hour has not passed, and the verdict was acted on"
    # The next one finds the same verdict in the cache, which is no news.
    penstock("run", "pipelines/monitor.py", "--in-process")
    assert run_until_idle(folder) == []


def test_a_file_that_is_wrong_is_a_failure_that_people_are_told_of(folder, webhook):
    (folder.project_root / "notifications.toml").write_text(
        f"[targets.ops]\nkind = 'slack'\nurl = '{webhook.url}'\n"
    )
    folder.add(hourly("monitor"))
    (folder.project_root / "pipelines/monitor.py").write_text("pipeline = Pipelin()\n")
    run_until_idle(folder)
    state = folder.state("monitor")
    assert (state.run_id, state.last_state, state.notice) == ("", "FAILED", "")
    assert "monitor failed: " in webhook.taken[0]["text"]
    assert "Pipelin" in webhook.taken[0]["text"]


def test_a_run_outlives_a_scheduler_that_is_killed_and_the_next_one_waits_for_it(folder):
    folder.add(hourly("monitor", parameters={"wait_for": "go"}))
    killed = subprocess.Popen(
        [sys.executable, "-m", "penstock", "scheduler"], stdout=subprocess.DEVNULL
    )
    wait_until(lambda: (folder.project_root / "runs.txt").exists())
    killed.kill()
    killed.wait()
    run_id = folder.state("monitor").run_id
    assert run_id

    lines: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(target=Scheduler(folder, lines.append).run, args=(stop,))
    thread.start()
    (folder.project_root / "go").touch()
    wait_until(lambda: folder.state("monitor").last_state)
    stop.set()
    thread.join()
    assert folder.state("monitor").last_run == run_id
    assert folder.state("monitor").last_state == "COMPLETE"
    assert began(folder) == 1
    assert states(folder, "monitor") == ["COMPLETE"]


def test_what_a_scheduler_stops_the_next_one_resumes(folder):
    folder.add(hourly("monitor", parameters={"wait_for": "go"}))
    first = subprocess.Popen(
        [sys.executable, "-m", "penstock", "scheduler"], stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: (folder.project_root / "runs.txt").exists())
    assert main(["scheduler"]) == 4, "there is one already"
    os.kill(first.pid, signal.SIGTERM)
    said, _ = first.communicate()
    assert first.returncode == 143
    assert "its run is asked to stop, and resumed by the next scheduler" in said
    assert states(folder, "monitor") == ["CANCELED"]

    (folder.project_root / "go").touch()
    folder.remove("monitor")
    folder.add(hourly("monitor", parameters={"wait_for": "go"}, enabled=False))
    told = run_until_idle(folder)
    run_id = folder.state("monitor").last_run
    assert told[0] == f"monitor: run {run_id} goes on"
    assert states(folder, "monitor") == ["COMPLETE"]
    assert began(folder) == 2


def test_what_a_scheduler_could_not_tell_the_next_one_tells(folder, webhook):
    (folder.project_root / "notifications.toml").write_text(
        f"[targets.ops]\nkind = 'webhook'\nurl = '{webhook.url}'\n"
    )
    folder.add(hourly("monitor", enabled=False))
    penstock("run", "pipelines/monitor.py", "--in-process", "--run-id", "r1")
    folder.write_state("monitor", ScheduleState(last_run="r1", untold="r1"))
    assert run_until_idle(folder) == ["monitor: ops told of run r1"]
    (event,) = webhook.taken
    assert (event["run_id"], event["schedule"]) == ("r1", "monitor")
    assert folder.state("monitor").untold == ""
    assert run_until_idle(folder) == []

    # Nobody can be told: that stands with the schedule.
    webhook.codes = [500] * 3
    folder.write_state("monitor", ScheduleState(last_run="r1", untold="r1"))
    run_until_idle(folder)
    assert folder.state("monitor").notice.startswith("ops: it answered 500")


def test_a_damaged_schedule_is_told_once_and_the_others_go_on(folder):
    folder.add(hourly("monitor"))
    folder.add(hourly("retrain"))
    folder.write_state("retrain", ScheduleState())
    (folder.path / "states/retrain.json").write_text("{")
    told = run_until_idle(folder)
    assert folder.state("monitor").last_state == "COMPLETE"
    assert sum("retrain.json is damaged" in line for line in told) == 1
