"""Jobs on clusters: cancelled when the process that waits for them is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from .conftest import CLUSTERS, arguments_of, jar_of

# Writes a mark each 0.2 s, for as long as a forgotten job would run.
ENDLESS = textwrap.dedent(
    """
    import logging, sys, time
    import apache_beam as beam
    from penstock.beam import BeamSetup

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
    assert "Asked PortableRunner to cancel the job, because this process was told to end." in log


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prism", *CLUSTERS])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_job_ends_on_the_cluster(name, number, request, tmp_path):
    ticks = tmp_path / "ticks"
    arguments = arguments_of(name, request)
    if name == "spark":
        # A job server that others started forgets the job, and Spark goes on with it.
        arguments = (
            "--runner=SparkRunner",
            "--spark_master_url=local[2]",
            f"--spark_job_server_jar={jar_of(name)}",
            *(each for each in arguments if each.startswith("--environment")),
        )
    process = start(arguments, ticks)
    process.send_signal(number)
    _, log = process.communicate(timeout=120)
    assert process.returncode == -number, log
    assert "to cancel the job, because this process was told to end." in log
    assert has_ended(ticks)
