"""The local runner: a pipeline on this machine."""

from __future__ import annotations

import datetime
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from penstock.dsl import Pipeline
from penstock.graph import Graph, compile_pipeline
from penstock.launch import provenance
from penstock.launch.attempt import RunSettings
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.launcher import Launcher
from penstock.launch.project import Project, absolute
from penstock.runners.local.executor import Executor, InProcessExecutor
from penstock.runners.local.scheduler import Progress, Scheduler
from penstock.runners.result import NodeResult, NodeState, RunFailed, RunResult
from penstock.store import MetadataStore, RunRecord, RunState


class LocalDagRunner:
    """Runs a pipeline on this machine, independent nodes at once.

    Args:
        max_parallel: How many nodes run at once; by default as many as there are processors.
        in_process: Whether everything runs in this process, one node after another: for a debugger.
            A timeout cannot be enforced then.
        store: URL or file of the metadata store, before the pipeline's and the project's.

    Example:
        LocalDagRunner().run(pipeline, parameters={"epochs": 5})
    """

    def __init__(
        self,
        *,
        max_parallel: int | None = None,
        in_process: bool = False,
        store: str | None = None,
        progress: Literal["auto", "live", "plain", "none"] = "auto",
    ) -> None:
        self._max_parallel = max_parallel or len(os.sched_getaffinity(0))
        self._in_process = in_process
        self._store = store
        self._progress = progress

    def run(
        self,
        pipeline: Pipeline | Graph,
        *,
        parameters: Mapping[str, Any] | None = None,
        project_root: str | None = None,
        run_id: str | None = None,
        seed: int | None = None,
        deterministic: bool = False,
        cache: bool = True,
        base_run: str | None = None,
        command: str | None = None,
    ) -> RunResult:
        """Run a pipeline to its end.

        Args:
            pipeline: The pipeline, or its graph.
            parameters: Values of runtime parameters.
            project_root: Folder that user code is imported from; by default the project of the script
                that runs, else of the current folder.
            run_id: Name of the run; by default the time and a random suffix.
            seed: Seed for everything random.
            deterministic: Whether equal inputs must give bit-equal outputs.
            cache: Whether earlier results are reused.
            base_run: Run from which nodes outside the pipeline are read; by default the latest of each.
            command: What was typed to start it.

        Raises:
            RunFailed: If a node failed; `result` says how far it came.
            ParameterError: For a wrong runtime parameter.
            penstock.store.StoreError: If the store cannot be used.
        """
        graph = pipeline if isinstance(pipeline, Graph) else compile_pipeline(pipeline)
        values = graph.values(parameters or {})
        project = Project.find(project_root or _script_folder())
        settings = RunSettings(
            run_id=run_id or new_run_id(),
            pipeline=graph.name,
            pipeline_root=project.pipeline_root(graph),
            project_root=project.root,
            seed=seed,
            deterministic=deterministic,
        )
        location = absolute(self._store, os.getcwd()) if self._store else project.store_of(graph)
        with MetadataStore.open(location) as store:
            commit, dirty = provenance.code_version(project.root)
            fingerprint, environment = provenance.environment()
            store.create_run(
                RunRecord(
                    run_id=settings.run_id,
                    pipeline=graph.name,
                    started=time.time(),
                    graph_digest=graph.digest,
                    graph_json=graph.to_text(),
                    parameters=values,
                    command=command or " ".join(sys.argv),
                    commit=commit,
                    dirty=dirty,
                    environment_fingerprint=fingerprint,
                    environment=environment,
                    seed=seed,
                    deterministic=deterministic,
                    root=settings.pipeline_root,
                    project=project.root,
                )
            )
            memo = DigestMemo(project.memo)
            launcher = Launcher(
                store, graph.bind(values), settings, memo, cache=cache, base_run=base_run
            )
            result = self._schedule(graph.bind(values), launcher, settings, store)
            memo.save()
        if result.state != "COMPLETE":
            raise RunFailed(result)
        return result

    def _schedule(
        self, graph: Graph, launcher: Launcher, settings: RunSettings, store: MetadataStore
    ) -> RunResult:
        started = time.monotonic()
        executor: Executor = InProcessExecutor()
        if settings.project_root not in sys.path:
            sys.path.insert(0, settings.project_root)
        stop: Callable[[], str | None] = lambda: None  # noqa: E731
        scheduler = Scheduler(graph, launcher, executor, _Silent(), stop)
        try:
            stopped = scheduler.run()
        finally:
            executor.close()
        failed = [each for each in scheduler.results.values() if each.state is NodeState.FAILED]
        state = RunState.CANCELED if stopped else RunState.FAILED if failed else RunState.COMPLETE
        error = stopped or (failed[0].error if failed else None)
        store.finish_run(settings.run_id, state, error)
        return RunResult(
            settings.run_id, state.value, scheduler.results, time.monotonic() - started
        )


class _Silent(Progress):
    def changed(self, node: NodeResult) -> None:
        return


def new_run_id() -> str:
    """Return a name for a run that sorts by time: `20261121-093012-4f2a`."""
    return f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _script_folder() -> str:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(os.path.abspath(main)) if main else os.getcwd()
