"""Jobs on clusters: cancelled when the process that waits for them is told to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow.container.task import ContainerTask

from .conftest import CLUSTERS, arguments_of, jar_of

# Writes a mark each 0.2 s, for as long as a forgotten job would run.
ENDLESS = textwrap.dedent(
    """
    import faulthandler, logging, signal, sys, time
    import apache_beam as beam
    from penstock.beam import BeamSetup

    # As a worker of the local runner does.
    faulthandler.register(signal.SIGTERM, file=2, all_threads=True, chain=True)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("penstock.beam").setLevel(logging.INFO)

    class Tick(beam.DoFn):
        def process(self, path):
            for number in range(600):
                with open(path, "a") as file:
                    file.write(".")
                time.sleep(0.2)

    path, *arguments = sys.argv[1:]
    with BeamSetup(arguments).pipeline() as pipeline:
        _ = pipeline | beam.Create([path]) | beam.Reshuffle() | beam.ParDo(Tick())
    """
)


def start(arguments: tuple[str, ...], ticks: Path) -> subprocess.Popen[str]:
    """A process that waits for an endless job, once it runs."""
    (script := ticks.with_suffix(".py")).write_text(ENDLESS)
    command = [sys.executable, str(script), str(ticks), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return started(command, environment, ticks)


def started(command: list[str], environment: dict[str, str], ticks: Path) -> subprocess.Popen[str]:
    """A process whose job has begun to write."""
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 180
    while not (ticks.exists() and ticks.stat().st_size > 2):
        assert process.poll() is None, process.communicate()[1]
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate()[1])
        time.sleep(0.2)
    return process


def has_ended(ticks: Path, seconds: float = 60) -> bool:
    """Whether a job stops writing: nothing for three seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        size = ticks.stat().st_size
        time.sleep(3)
        if ticks.stat().st_size == size:
            return True
    return False


def test_sigterm_cancels_the_job_and_ends_the_process_as_before(tmp_path):
    """On Beam's job service within that process."""
    arguments = ("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK")
    process = start(arguments, tmp_path / "ticks")
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert "PortableRunner: Job state changed to RUNNING" in log
    said, _, stacks = log.partition(
        "Asked PortableRunner to cancel the job, because this process was"
    )
    assert "most recent call first" not in said
    assert "most recent call first" in stacks


def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return (
        "--environment_type=EXTERNAL",
        f"--environment_config={request.getfixturevalue('worker_pool')}",
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prism", *CLUSTERS])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_job_ends_on_the_cluster(name, number, request, tmp_path):
    ticks = tmp_path / "ticks"
    arguments = arguments_of(name, request) if name == "prism" else workers(request)
    if name == "flink":
        master, endpoint = request.getfixturevalue("flink_session")
        arguments += ("--runner=PortableRunner", f"--job_endpoint={endpoint}")
        arguments += (f"--flink_master={master}",)
    if name == "spark":
        # A job server that others started forgets the job, and Spark goes on with it.
        arguments = (
            "--runner=SparkRunner",
            "--spark_master_url=local[2]",
            f"--spark_job_server_jar={jar_of(name)}",
            *arguments,
        )
    process = start(arguments, ticks)
    process.send_signal(number)
    _, log = process.communicate(timeout=120)
    assert process.returncode == -number, log
    assert "to cancel the job, because this process was told to end." in log
    assert has_ended(ticks)


NODE = textwrap.dedent(
    """
    import time
    import apache_beam as beam
    from penstock.beam import BeamSetup
    from penstock.dsl import ExecutionContext, component

    class Tick(beam.DoFn):
        def process(self, path):
            for number in range(600):
                with open(path, "a") as file:
                    file.write(".")
                time.sleep(0.2)

    @component
    def tick(context: ExecutionContext, path: str) -> None:
        with BeamSetup.of(context).pipeline() as pipeline:
            _ = pipeline | beam.Create([path]) | beam.Reshuffle() | beam.ParDo(Tick())
    """
)


@pytest.mark.slow
def test_a_pod_tells_of_its_job_and_cancels_it(request, tmp_path, monkeypatch):
    """The process that a container of Kubeflow runs, the job in Beam's job service."""
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "ticking.py").write_text(NODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    from ticking import tick

    ticks = tmp_path / "ticks"
    node = tick(path=str(ticks)).with_beam_pipeline_args(arguments_of("job-service", request))
    graph = compile_pipeline(Pipeline("pod", components=[node]))
    task = ContainerTask.of(graph, graph["tick"]).to_text()
    given = {"pipeline-root": str(tmp_path / "root"), "run-id": "7"}
    executor_input = {
        "inputs": {"parameterValues": given},
        "outputs": {"outputFile": str(tmp_path / "output.json")},
    }
    command = [sys.executable, "-m", "penstock.launch", "--task", task]
    command += ["--executor-input", json.dumps(executor_input), "--project-root", str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if key != "PENSTOCK_STORE"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    process = started(command, environment, ticks)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 143, log
    assert "INFO penstock.beam: PortableRunner: Job state changed to RUNNING" in log
    assert "WARNING penstock.beam: Asked PortableRunner to cancel the job" in log
