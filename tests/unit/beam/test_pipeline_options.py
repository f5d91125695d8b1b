"""From `beam_pipeline_args` to a runner."""

from __future__ import annotations

import subprocess
import sys

import pytest

from penstock.beam import BeamSetup, make_pipeline, runner_name, runs_locally


@pytest.mark.parametrize(
    ("args", "name", "local"),
    [
        ((), None, True),
        (("--project=p",), None, True),
        (("--runner=DirectRunner",), "DirectRunner", True),
        (("--runner", "DataflowRunner", "--project=p"), "DataflowRunner", False),
        (("--runner=DirectRunner", "--runner=FlinkRunner"), "FlinkRunner", False),
        (("--runner=FnApiRunner",), "FnApiRunner", False),
        (("--runner=apache_beam.runners.PrismRunner",), "PrismRunner", False),
    ],
)
def test_runner_of_arguments(args, name, local):
    assert runner_name(args) == name
    assert runs_locally(args) is local


def test_runner_without_a_name():
    with pytest.raises(ValueError, match="ends in --runner without a name"):
        runner_name(["--project=p", "--runner"])


def test_a_runner_that_loses_rows_is_refused():
    with pytest.raises(ValueError, match="--runner=DaskRunner is not offered: it loses rows"):
        runs_locally(["--runner=DaskRunner"])


@pytest.mark.parametrize(
    ("args", "staged"),
    [
        ((), False),
        (("--runner=FnApiRunner",), False),
        (("--runner=FnApiRunner", "--environment_type=EXTERNAL"), True),
        (("--runner=PrismRunner",), False),
        (("--runner=PrismRunner", "--environment_type=DOCKER"), True),
        (("--runner=FlinkRunner", "--flink_master=[local]"), False),
        (("--runner=FlinkRunner", "--flink_master=host:8081"), True),
        (("--runner=FlinkRunner", "--flink_master=h:1", "--environment_type=LOOPBACK"), False),
        (("--runner=PortableRunner", "--job_endpoint=host:1"), True),
        (("--runner=DataflowRunner", "--project=p"), True),
    ],
)
def test_code_is_staged_for_workers_elsewhere(args, staged, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "module.py").write_text("A = 1\n")
    engine = BeamSetup(args, str(tmp_path / "project"), str(tmp_path))
    options = engine.options().get_all_options()
    assert bool(options["files_to_stage"]) is staged
    assert (options["beam_plugins"] == ["penstock.beam.worker_plugin"]) is staged
    if staged:
        (archive,) = options["files_to_stage"]
        assert options["penstock_project"] == archive
        assert archive.startswith(str(tmp_path))


def test_a_job_is_named_and_labelled_after_its_node():
    labels = {"pipeline": "9 Trees", "node": "StatisticsGen", "run": "2026_11"}
    given = ("--runner=DataflowRunner", "--labels=team=a")
    options = BeamSetup(given, labels=labels).options().get_all_options()
    assert options["job_name"] == "p-9-trees-statisticsgen-2026-11"
    assert options["labels"] == [
        "team=a",
        "penstock-pipeline=9-trees",
        "penstock-node=statisticsgen",
        "penstock-run=2026_11",
    ]
    options = BeamSetup((*given, "--job_name=mine"), labels=labels).options().get_all_options()
    assert options["job_name"] == "mine"


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


def test_names_of_jobs_tell_runs_apart():
    from apache_beam.options.pipeline_options import GoogleCloudOptions

    def name(**labels: str) -> str:
        engine = BeamSetup(("--runner=PortableRunner", "--job_endpoint=x:1"), labels=labels)
        return engine.options().view_as(GoogleCloudOptions).job_name

    assert name(pipeline="Forest", node="Trees", run="2026-11-21") == "forest-trees-2026-11-21"
    assert name(pipeline="9_trees") == "p-9-trees"
    long = [name(pipeline="p" * 40, node="n" * 40, run=f"run-{number}") for number in range(2)]
    assert len(set(long)) == 2
    assert [len(each) for each in long] == [63, 63]
    assert name().startswith("penstock-")
    assert name() != name()
