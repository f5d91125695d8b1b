"""What Beam starts itself: the job server of a cluster, from a jar that an argument names."""

from __future__ import annotations

import pytest

from penstock.components import CsvExampleGen
from penstock.io import read_row_counts
from penstock.testing import run_component

from . import job_servers
from .conftest import CLUSTERS, JARS, jar_of

RUNNERS = {
    "flink": ("--runner=FlinkRunner", "--flink_master=[local]", "--flink_job_server_jar="),
    "spark": ("--runner=SparkRunner", "--spark_master_url=local[2]", "--spark_job_server_jar="),
}


# Beam's workers are threads of this process here, and the server hangs up on them; Beam leaves the pipe
# open that it read the server's output from.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", CLUSTERS)
def test_a_runner_starts_the_jar_and_calls_back_into_this_process(name, few_trees, tmp_path):
    *runner, jar = RUNNERS[name]
    counts = []
    for folder, args in (("local", ()), ("cluster", (*runner, f"{jar}{jar_of(name)}"))):
        component = CsvExampleGen(input_base=str(few_trees)).with_beam_pipeline_args(args)
        examples = run_component(component, tmp_path / folder, project_root=few_trees)["examples"]
        counts.append(read_row_counts(examples.uri))
    assert counts[1] == counts[0]


def test_a_variable_may_name_the_jar(tmp_path, monkeypatch):
    monkeypatch.setenv(JARS["flink"], str(tmp_path / "gone.jar"))
    with pytest.raises(FileNotFoundError, match=r"gone\.jar, which is no file"):
        jar_of("flink")
    (tmp_path / "gone.jar").touch()
    assert jar_of("flink") == tmp_path / "gone.jar"


def test_the_manifest_keeps_long_class_paths_in_short_lines():
    modules = [f"module-{number}.jar" for number in range(100)]
    text = job_servers.manifest("a.Main", modules)
    lines = text.split("\r\n")
    assert max(map(len, lines)) <= 72
    assert text.endswith("\r\n\r\n")
    joined = text.replace("\r\n ", "")
    assert f"Class-Path: {' '.join(f'modules/{name}' for name in modules)}\r\n" in joined
