from __future__ import annotations

import pytest

from penstock.checks.check_graph import check_graph
from penstock.components import CsvExampleGen
from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline

DATAFLOW = (
    "--runner=DataflowRunner",
    "--project=forest",
    "--region",
    "europe-west4",
    "--temp_location=gs://bucket/temp",
    "--sdk_container_image=registry.example.com/penstock-beam:1",
)


@pytest.mark.parametrize(
    ("args", "level", "message"),
    [
        (("--runner",), "error", "ends in --runner without a name"),
        (("--runner=DaskRunner",), "error", "--runner=DaskRunner is not offered"),
        ((*DATAFLOW, "--no_wait_until_finish"), "error", "the job would go on after its node"),
        ((*DATAFLOW, "--template_location=gs://b/t"), "error", "a template is written"),
        (
            ("--runner=DataflowRunner", "--sdk_container_image=x"),
            "error",
            "--runner=DataflowRunner also needs --project=my-project, --region=europe-west4, "
            "--temp_location=gs://my-bucket/temp",
        ),
        (
            (*DATAFLOW, "--staging_location=/mnt/x"),
            "error",
            "Dataflow's machines reach gs:// alone",
        ),
        (DATAFLOW[:-1], "warning", "Dataflow's own image has no Penstock"),
        (("--runner=PortableRunner",), "error", "needs --job_endpoint=HOST:PORT"),
        (
            ("--runner=FlinkRunner", "--flink_master=jobs:8081"),
            "warning",
            "FlinkRunner starts Beam's own image, which has no Penstock",
        ),
        (
            ("--runner=SparkRunner", "--spark_master_url=spark://jobs:7077"),
            "warning",
            "SparkRunner starts Beam's own image",
        ),
    ],
)
def test_what_would_fail_later_is_found_before(tmp_path, args, level, message):
    found = findings(tmp_path, args)
    assert [(each.level, each.node) for each in found] == [(level, "CsvExampleGen")]
    assert message in found[0].message


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--runner=DirectRunner", "--streaming"),
        DATAFLOW,
        ("--runner=PortableRunner", "--job_endpoint=jobs:8099"),
        ("--runner=FlinkRunner", "--flink_master=[local]"),
        ("--runner=SparkRunner", "--spark_master_url=local[2]"),
        ("--runner=FlinkRunner", "--flink_master=jobs:8081", "--environment_type=EXTERNAL",
         "--environment_config=localhost:50000"),
    ],
)  # fmt: skip
def test_what_is_right(tmp_path, args):
    assert findings(tmp_path, args) == []


def findings(folder, args):
    (folder / "data").mkdir()
    (folder / "data" / "a.csv").write_text("a\n1\n")
    component = CsvExampleGen(input_base="data").with_beam_pipeline_args(args)
    graph = compile_pipeline(Pipeline("p", components=[component]))
    return list(check_graph(graph, str(folder)))
