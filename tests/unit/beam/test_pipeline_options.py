"""From `beam_pipeline_args` to a runner."""

from __future__ import annotations

import subprocess
import sys

import pytest

from penstock.beam import make_pipeline, runner_name, runs_locally


@pytest.mark.parametrize(
    ("args", "name", "local"),
    [
        ((), None, True),
        (("--project=p",), None, True),
        (("--runner=DirectRunner",), "DirectRunner", True),
        (("--runner", "DataflowRunner", "--project=p"), "DataflowRunner", False),
        (("--runner=DirectRunner", "--runner=FlinkRunner"), "FlinkRunner", False),
    ],
)
def test_runner_of_arguments(args, name, local):
    assert runner_name(args) == name
    assert runs_locally(args) is local


def test_runner_without_a_name():
    with pytest.raises(ValueError, match="ends in --runner without a name"):
        runner_name(["--project=p", "--runner"])


def test_local_work_runs_in_memory():
    import apache_beam as beam
    from apache_beam.testing.util import assert_that, equal_to

    with make_pipeline(["--runner=DirectRunner", "--direct_num_workers=1"]) as pipeline:
        assert type(pipeline.runner).__name__ == "FnApiRunner"
        assert_that(pipeline | beam.Create([1, 2]) | beam.Map(lambda x: x + 1), equal_to([2, 3]))


def test_named_runner_is_taken():
    pipeline = make_pipeline(["--runner=FlinkRunner", "--flink_master=localhost:1"])
    assert type(pipeline.runner).__name__ == "FlinkRunner"


def test_importing_the_room_imports_no_beam():
    code = "import sys, penstock.beam; print('apache_beam' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
