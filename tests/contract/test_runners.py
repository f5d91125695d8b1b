"""The same pipelines on every runner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from penstock.artifacts import location
from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow import KubeflowConfig, SecretKey, compile_to_yaml
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import RunResult
from penstock.store import ExecutionState, MetadataStore
from penstock.testing import runner_pipelines
from penstock.testing.kubeflow import CompiledPipeline, Processes
from penstock.testing.runners import RunnerContract, fingerprints

pytest.importorskip("kfp", reason="kfp is not installed")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)


class TestLocalInProcess(RunnerContract):
    def run(
        self,
        pipeline: Pipeline,
        project: Path,
        *,
        parameters: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> RunResult:
        runner = LocalDagRunner(in_process=True, progress="none")
        return runner.run(
            pipeline, parameters=parameters, project_root=str(project), seed=seed, cache=False
        )


class TestLocalWorkers(RunnerContract):
    def run(
        self,
        pipeline: Pipeline,
        project: Path,
        *,
        parameters: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> RunResult:
        runner = LocalDagRunner(max_parallel=2, progress="none")
        return runner.run(
            pipeline, parameters=parameters, project_root=str(project), seed=seed, cache=False
        )


class TestKubeflow(RunnerContract):
    """The compiled pipeline, each node a process that is given Kubeflow's ExecutorInput."""

    remembers: ClassVar[bool] = False
    store: ClassVar[SecretKey | None] = None

    def run(
        self,
        pipeline: Pipeline,
        project: Path,
        *,
        parameters: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> RunResult:
        config = KubeflowConfig(seed=seed, store=self.store)
        compiled = CompiledPipeline(
            compile_to_yaml(compile_pipeline(pipeline), config),
            project / "kubeflow",
            Processes(project),
            secrets={("metadata", "url"): str(project / "metadata.db")},
        )
        root = str(project / ".penstock" / pipeline.name)
        return compiled.run({"pipeline_root": root, **(parameters or {})})


class TestKubeflowWithStore(TestKubeflow):
    remembers = True
    store = SecretKey("metadata", "url")

    def test_containers_share_the_store_and_its_cache(self, tmp_path: Path) -> None:
        first = self.run(runner_pipelines.values(), tmp_path)
        again = self.run(runner_pipelines.values(), tmp_path)
        assert Path(again["summarize"].log_path or "").read_text().startswith("summarize: CACHED")
        assert fingerprints(first) == fingerprints(again)
        uris = [each.artifact("write_examples", "examples").uri for each in (first, again)]
        assert uris[0] == uris[1]

    def test_the_store_knows_the_whole_run(self, tmp_path: Path) -> None:
        result = self.run(runner_pipelines.values(), tmp_path, parameters={"rows": 2})
        with MetadataStore.open(tmp_path / "metadata.db") as store:
            run = store.get_run(result.run_id)
            states = [each.state for each in store.run_executions(result.run_id)]
        graph = compile_pipeline(runner_pipelines.values())
        assert (run.graph_json, run.graph_digest) == (graph.to_text(), graph.digest)
        assert run.parameters == {"rows": 2, "scale": 2.0}
        assert states == [ExecutionState.COMPLETE] * 2


@pytest.mark.parametrize("name", ["values", "several", "seeded"])
def test_artifacts_have_the_same_fingerprints_on_every_runner(tmp_path: Path, name: str) -> None:
    found = {}
    for runner in (TestLocalInProcess(), TestLocalWorkers(), TestKubeflow()):
        project = tmp_path / type(runner).__name__
        project.mkdir()
        (project / "pyproject.toml").write_text("[tool.penstock]\n")
        pipeline = getattr(runner_pipelines, name)()
        found[type(runner).__name__] = fingerprints(runner.run(pipeline, project, seed=7))
    local = found.pop("TestLocalInProcess")
    assert all(key for node in local.values() for key in node.values())
    assert found == dict.fromkeys(found, local)


def test_kubeflow_s_cache_is_hit_until_what_is_read_changes(tmp_path: Path) -> None:
    file = tmp_path / "outside" / "words"
    location.write_bytes(str(file), b"a b")
    compiled = CompiledPipeline(
        compile_to_yaml(compile_pipeline(runner_pipelines.outside("outside"))),
        tmp_path / "kubeflow",
        Processes(tmp_path),
        cache={},
    )
    arguments = {"pipeline_root": str(tmp_path / "root")}

    def states() -> dict[str, str]:
        return {node.id: node.state.value for node in compiled.run(arguments).nodes.values()}

    assert set(states().values()) == {"COMPLETE"}
    assert set(states().values()) == {"CACHED"}
    file.write_text("a c")
    assert states() == dict.fromkeys(("read_words", "Importer", "join"), "COMPLETE")
    assert set(states().values()) == {"CACHED"}
