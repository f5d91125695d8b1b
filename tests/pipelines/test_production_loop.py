"""The loop of production, with the files of `docs/production.md`, under load from beginning to end.

Two versions are served with a token and a split of the traffic. The birds that come later are young, a
quarter smaller: DriftMonitor fires, the schedule retrains, ABGate decides, the new version is promoted and
rolled back. No request fails.
"""

from __future__ import annotations

import contextlib
import csv
import http.client
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.scheduling import ScheduleFolder
from penstock.store import MetadataStore

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[2]
FEATURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
TOKEN = "a-token-of-the-test"
YOUNG = 0.75


def guide() -> list:
    """Return the blocks of the guide."""
    spec = importlib.util.spec_from_file_location("pages", REPOSITORY / "tests/docs/pages.py")
    pages = importlib.util.module_from_spec(spec)
    sys.modules["pages"] = pages
    spec.loader.exec_module(pages)
    return pages.blocks(REPOSITORY / "docs/production.md")


class Project:
    """The project of the guide in a folder, and its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK")}
        self.processes: list[subprocess.Popen[str]] = []
        (folder / "pyproject.toml").write_text("[tool.penstock]\n")
        shutil.copytree(REPOSITORY / "data/penguins", folder / "data/penguins")
        for block in guide():
            if block.file:
                (folder / block.file).parent.mkdir(exist_ok=True)
                (folder / block.file).write_text(block.code)
        # The first hidden block makes `training/history`.
        code = next(block.code for block in guide() if block.language == "hidden")
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=120)

    def start(self, *words: str, log: str) -> subprocess.Popen[str]:
        with open(self.folder / log, "w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "penstock", *words],
                cwd=self.folder,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def penstock(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, name: str, *parameters: str) -> dict:
        given = [word for each in parameters for word in ("--param", each)]
        return json.loads(
            self.penstock("run", f"pipelines/{name}.py", "--json", "--seed", "1", *given)
        )

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                process.wait(90)


class Load:
    """Asks the server some twenty times a second, and remembers what it was asked and what came back."""

    def __init__(self, project: Project, port: int) -> None:
        with open(project.folder / "data/penguins/penguins.csv") as file:
            rows = list(csv.DictReader(file))
        self._rows = [row for row in rows if all(row[name] for name in FEATURES)]
        self._port = port
        self._random = random.Random(1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.scale = 1.0
        self.failures: list[str] = []
        self.answers: list[tuple[str, str, int, float]] = []
        """The request's id, the right species, the version that answered, and the scale, of each."""
        self._thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.is_set():
            row, scale = self._random.choice(self._rows), self.scale
            number = len(self.answers) + len(self.failures)
            values = {
                name: round(float(row[name]) * scale * self._random.uniform(0.99, 1.01), 2)
                for name in FEATURES
            }
            headers = {
                "Authorization": f"Bearer {TOKEN}",
                "x-user-id": f"user-{number % 400}",
                "x-request-id": f"bird-{number}",
            }
            try:
                body = json.dumps({"rows": [values]})
                connection.request("POST", "/v1/models/penguins:rows", body, headers)
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if answer.status == 200:
                version = int(answer.headers["x-penstock-version"])
                self.answers.append((f"bird-{number}", row["species"], version, scale))
            else:
                self.failures.append(f"{answer.status} {said!r}")
            self._stop.wait(0.04)
        connection.close()

    def versions_since(self, count: int) -> set[int]:
        return {version for _, _, version, _ in self.answers[count:]}

    def write_labels(self, path: Path) -> None:
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["request_id", "species"])
            writer.writerows((request, species) for request, species, _, _ in self.answers)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def wait_for(true, seconds: float = 240, step: float = 0.25) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(step)


@pytest.fixture
def project(tmp_path) -> Iterator[Project]:
    made = Project(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def served(project) -> Iterator[Load]:
    """Two versions, a server, and its load."""
    for number, (units, alias) in enumerate((("4", "champion"), ("16", "canary")), start=1):
        result = project.run("penguins", f"units={units}")
        assert result["nodes"]["Pusher"]["verdict"]["text"] == f"pushed version {number}"
        project.penstock("promote", "penguins", str(number), "--as", alias)
    (project.folder / "tokens").write_text(TOKEN + "\n")
    config = (project.folder / "serve.toml").read_text()
    (project.folder / "serve.toml").write_text(
        config.replace("file_seconds = 60", "file_seconds = 2")
    )
    project.start("serve", "--config", "serve.toml", "--port", "0", "--no-grpc", log="serve.log")
    log = project.folder / "serve.log"
    wait_for(lambda: "serving at" in log.read_text())
    port = int(log.read_text().split("http://127.0.0.1:")[1].split()[0])

    def is_ready() -> bool:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as asked:
            asked.request("GET", "/v2/health/ready")
            return asked.getresponse().status == 200

    wait_for(is_ready)
    load = Load(project, port)
    try:
        yield load
    finally:
        load.close()


def test_the_loop(project, served, webhook):
    folder = ScheduleFolder(project.folder)
    (project.folder / "notifications.toml").write_text(
        f"[targets.team]\nkind = 'slack'\nurl = '{webhook.url}'\n"
        "on = ['failure', 'verdict']\nverdicts = ['DriftMonitor=drift', 'ABGate=candidate']\n"
    )
    wait_for(lambda: len(served.answers) >= 300)
    assert served.versions_since(0) == {1, 2}
    share = sum(version == 2 for _, _, version, _ in served.answers) / len(served.answers)
    assert 0.2 < share < 0.4, "the split of the config is 0.3"

    # Nothing has drifted yet, and nobody retrains.
    monitored = project.run("monitor")
    assert monitored["nodes"]["DriftMonitor"]["verdict"]["text"].startswith("no drift")

    # The young birds come. What is known of them is labeled.
    grown = len(served.answers)
    served.scale = YOUNG
    wait_for(lambda: len(served.answers) >= grown + 400)
    time.sleep(4)  # a file of the log is complete after two seconds
    served.write_labels(project.folder / "labels.csv")
    label = ("label", "requests/penguins/served", "labels.csv", "-o")
    project.penstock(*label, "training/young", "--features-only")

    # The schedule: the monitor fires, and the retraining comes after it.
    project.penstock("schedule", "pipelines/monitor.py", "--every", "2s")
    project.penstock(
        "schedule", "pipelines/penguins.py", "--name", "retrain", "--after", "monitor",
        "--if", "DriftMonitor=drift",
    )  # fmt: skip
    project.start("scheduler", log="scheduler.log")
    wait_for(lambda: folder.state("retrain").run_id)
    project.penstock("schedules", "--pause", "monitor")
    wait_for(lambda: folder.state("retrain").last_state)
    assert folder.state("retrain").last_state == "COMPLETE"
    with MetadataStore.open(project.folder / ".penstock/metadata.db", create=False) as store:
        retrained = store.get_run(folder.state("retrain").last_run)
        verdicts = store.run_verdicts([retrained.run_id])[retrained.run_id]
    assert verdicts["ABGate"].text.startswith("candidate: log_loss")
    assert verdicts["Pusher"].text == "pushed version 3"
    wait_for(lambda: len(webhook.taken) >= 2)
    told = [each["text"] for each in webhook.taken]
    assert any("DriftMonitor: drift" in text for text in told)
    assert any("ABGate: candidate" in text for text in told)

    # The new version answers a part of the traffic; what it says is labeled and judged.
    project.penstock("promote", "penguins", "3", "--as", "canary")
    wait_for(lambda: served.versions_since(len(served.answers) - 40) == {1, 3})
    began = sum(1 for _ in served.answers)
    wait_for(lambda: len(served.answers) >= began + 400)
    time.sleep(4)
    served.write_labels(project.folder / "labels.csv")
    project.penstock(*label, "labeled")
    compared = project.run("compare", "candidate=3", "baseline=1")
    assert compared["nodes"]["ABGate"]["verdict"]["text"].startswith("candidate: accuracy")

    # Promote, and roll back.
    said = project.penstock("promote", "penguins", "@canary", "--as", "champion")
    assert said == "penguins@champion is now version 3 (before: version 1)\n"
    wait_for(lambda: served.versions_since(len(served.answers) - 40) == {3})
    said = project.penstock("rollback", "penguins", "--as", "champion")
    assert said == "penguins@champion is now version 1 (before: version 3)\n"
    wait_for(lambda: served.versions_since(len(served.answers) - 40) == {1, 3})
    served.close()
    assert served.failures == []
    assert len(served.answers) > 1500

    # Where each version comes from.
    shown = json.loads(project.penstock("models", "penguins", "--json"))
    runs = {each["version"]: each["lineage"]["run"] for each in shown["versions"]}
    assert sorted(runs) == [1, 2, 3]
    assert runs[3] == retrained.run_id
    page = project.penstock("show", runs[3])
    assert "pushed version 3" in page
    assert "candidate: log_loss" in page
