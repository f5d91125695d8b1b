"""Beam's job servers for Flink and Spark, where somebody has their jars.

With `$PENSTOCK_FLINK_JOB_SERVER` or `$PENSTOCK_SPARK_JOB_SERVER` naming one (and Java on the path), every test
of the engines runs on it, too; this one says so where they do not.
"""

from __future__ import annotations

import pytest

from penstock.beam import BeamSetup
from penstock.components import CsvExampleGen
from penstock.io import read_row_counts
from penstock.testing import run_component

from .conftest import JOB_SERVERS, arguments_of, on_cluster


@pytest.mark.slow
@pytest.mark.parametrize("name", JOB_SERVERS)
def test_a_cluster_ingests_the_rows_of_the_local_driver(name, few_trees, request, tmp_path):
    on_cluster(name)
    args = arguments_of(name, request)
    counts = []
    for folder, each in (("local", ()), ("cluster", args)):
        component = CsvExampleGen(input_base=str(few_trees)).with_beam_pipeline_args(each)
        examples = run_component(component, tmp_path / folder, project_root=few_trees)["examples"]
        counts.append(read_row_counts(examples.uri))
    assert counts[1] == counts[0]


def test_an_embedded_cluster_takes_a_jar_and_worker_pools(tmp_path, monkeypatch):
    """What Beam is told, as far as it can be looked at without the jar."""
    from apache_beam.options.pipeline_options import FlinkRunnerOptions, PortableOptions

    jar = tmp_path / "flink.jar"
    jar.touch()
    monkeypatch.setenv(JOB_SERVERS["flink"], str(jar))
    external = ("--environment_type=EXTERNAL", "--environment_config=localhost:50000")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "module.py").write_text("")
    engine = BeamSetup((*on_cluster("flink"), *external), str(tmp_path / "project"), str(tmp_path))
    options = engine.options()
    assert options.view_as(FlinkRunnerOptions).flink_job_server_jar == str(jar)
    assert options.view_as(PortableOptions).environment_type == "EXTERNAL"
    assert options.get_all_options()["penstock_project"].endswith(".tar.gz")
    monkeypatch.setenv(JOB_SERVERS["flink"], str(tmp_path / "gone.jar"))
    with pytest.raises(FileNotFoundError, match=r"gone\.jar, which is no file"):
        on_cluster("flink")
