"""The local runner: a pipeline on this machine."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import os
import secrets
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from penstock.checks.check_graph import check_graph, require
from penstock.dsl import Pipeline
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.importing import stop_if_imported
from penstock.dsl.main_module import install_main, is_defined
from penstock.dsl.references import import_from
from penstock.graph import Graph, compile_pipeline
from penstock.launch import provenance
from penstock.launch.attempt import RunSettings
from penstock.launch.cache_key import CacheKeys
from penstock.launch.code_folder import code_folder
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.project import Project, absolute
from penstock.launch.recovery import idle_since, recover
from penstock.runners.local.accelerators import AcceleratorTokens, installed_accelerators
from penstock.runners.local.base_run import find_base_run
from penstock.runners.local.lease_renewal import LeaseRenewal
from penstock.runners.local.progress import ProgressKind
from penstock.runners.local.resume import adopted, graph_of
from penstock.runners.local.session import RunSession
from penstock.runners.local.stop import StopRequest
from penstock.runners.protocol import Abilities, Limit
from penstock.runners.result import RunFailed, RunResult
from penstock.spelling import names_its_arguments
from penstock.store import Lease, MetadataStore, RunRecord

_LAST_WORDS_SECONDS = 3.0
_log = logging.getLogger("penstock")


@names_its_arguments
class LocalDagRunner:
    """Runs a pipeline on this machine, independent nodes at once.

    Args:
        max_parallel: How many nodes run at once; by default as many as there are processors.
        in_process: Whether everything runs in this process, one node after another: for a debugger.
            A timeout cannot be enforced then.
        store: URL or file of the metadata store, before the pipeline's and the project's.
        progress: What is shown on standard error: `live` redraws a line a node, `plain` prints a line a
            change, `none` nothing, `auto` chooses by whether it is a terminal.

    Example:
        LocalDagRunner().run(pipeline, parameters={"epochs": 5})
    """

    NAME: ClassVar = "local"
    ABILITIES: ClassVar = Abilities(executes=True, resumes=True, uses_this_machine=True)
    OPTIONS: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Self:
        """Return a runner with its defaults; `run` and `resume` have arguments for all else."""
        del options
        return cls()

    def limits(self, graph: Graph) -> Sequence[Limit]:
        """Return nothing: what this machine lacks is checked when a run begins."""
        del graph
        return ()

    def __init__(
        self,
        *,
        max_parallel: int | None = None,
        in_process: bool = False,
        store: str | None = None,
        progress: ProgressKind = "auto",
    ) -> None:
        if max_parallel is not None and max_parallel < 1:
            raise ValueError(f"max_parallel must be 1 or more. Received: {max_parallel!r}")
        self._max_parallel = max_parallel or available_processors()
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
            project_root: Folder that user code is imported from; by default the project of the user's
                code (the script that runs, the files of the components, the caller), else of the current
                folder.
            run_id: Name of the run; by default the time and a random suffix.
            seed: Seed for everything random.
            deterministic: Whether equal inputs must give bit-equal outputs.
            cache: Whether earlier results are reused.
            base_run: Run (id, beginning of it, or `latest`) from which nodes outside the pipeline are
                read; by default the latest execution of each.
            command: What was typed to start it.

        Raises:
            RunFailed: If a node failed or the run was stopped; `result` says how far it came.
            ParameterError: For a wrong runtime parameter.
            CheckFailed: If something is wrong that can be known before the run, such as a syntax error in
                a module file or data that is not there; nothing was run.
            penstock.dsl.DefinitionError: If workers cannot be given what a notebook defines.
            AcceleratorMissing: If a node asks for more GPUs or TPUs than the machine has.
            penstock.store.StoreError: If the store cannot be used.
        """
        stop_if_imported()
        graph = pipeline if isinstance(pipeline, Graph) else compile_pipeline(pipeline)
        self._check_main(graph)
        values = graph.values(parameters or {})
        project = Project.find(project_root or code_folder(graph))
        settings = RunSettings(
            run_id=run_id or new_run_id(),
            pipeline=graph.name,
            pipeline_root=project.pipeline_root(graph),
            project_root=project.root,
            seed=seed,
            deterministic=deterministic,
        ).with_main(graph.main)
        location = absolute(self._store, os.getcwd()) if self._store else project.store_of(graph)
        # Components are looked up here, too, not only where they run.
        import_from(project.root)
        bound = graph.bind(values)
        accelerators = check_accelerators(bound)
        _check(bound, project.root, accelerators)
        stop = StopRequest()
        with stop.on_signals(), MetadataStore.open(location) as store:
            recover(store)
            base_run = find_base_run(store, graph.name, base_run)
            with store.acquire_lease(settings.run_id) as lease, LeaseRenewal(lease, stop):
                commit, dirty = provenance.code_version(project.root)
                code_version = provenance.version_text(commit, dirty)
                settings = dataclasses.replace(settings, code_version=code_version)
                fingerprint, environment = provenance.environment()
                store.create_run(
                    RunRecord(
                        run_id=settings.run_id,
                        pipeline=graph.name,
                        started=time.time(),
                        graph_digest=graph.digest,
                        graph_json=graph.to_text(),
                        parameters=values,
                        command=command or shlex.join(sys.argv),
                        commit=commit,
                        dirty=dirty,
                        environment_fingerprint=fingerprint,
                        environment=environment,
                        seed=seed,
                        deterministic=deterministic,
                        root=settings.pipeline_root,
                        project=project.root,
                        labels={"cache": cache, "base_run": base_run},
                    )
                )
                session = self._session(
                    store, bound, settings, stop, project.memo, accelerators, lease
                )
                result = session.run(cache=cache, base_run=base_run)
        if result.state != "COMPLETE":
            raise RunFailed(result)
        return result

    def resume(self, run_id: str, *, project_root: str | None = None) -> RunResult:
        """Resume a run that failed, was stopped or was killed: run only what is missing.

        The run keeps its graph, parameters, seed and switches. What its nodes published is taken over
        where it still lies there unchanged, and so does what they read from outside.

        Args:
            run_id: The run, or the beginning of its name that no other run has.
            project_root: Folder that user code is imported from; by default that of the run.

        Raises:
            RunFailed: As `run`.
            penstock.store.RecordNotFound: If there is no such run.
            penstock.store.LeaseHeld: If it is running.
        """
        stop_if_imported()
        project = Project.find(project_root or code_folder())
        location = absolute(self._store, os.getcwd()) if self._store else project.store
        stop = StopRequest()
        with stop.on_signals(), MetadataStore.open(location, create=False) as store:
            record = store.get_run(run_id)
            _wait_for_its_end(store, record.run_id)
            since = idle_since(store, record)
            recover(store)
            if project_root is None and record.project:
                project = Project.find(record.project)
            import_from(project.root)
            graph = graph_of(record)
            self._check_main(graph)
            graph = graph.bind(record.parameters)
            accelerators = check_accelerators(graph)
            settings = RunSettings(
                run_id=record.run_id,
                pipeline=record.pipeline,
                pipeline_root=record.root,
                project_root=project.root,
                seed=record.seed,
                deterministic=record.deterministic,
                code_version=provenance.version_text(record.commit, record.dirty),
            ).with_main(graph.main)
            keys = CacheKeys(settings, DigestMemo(project.memo))
            done = list(adopted(store, graph, record.run_id, keys))
            missing = {node.id for node in graph.nodes} - {each.id for each in done}
            left = tuple(node for node in graph.nodes if node.id in missing)
            if left:
                _check(dataclasses.replace(graph, nodes=left), project.root, accelerators)
            with store.acquire_lease(record.run_id) as lease, LeaseRenewal(lease, stop):
                store.reopen_run(record.run_id, idle_since=since)
                session = self._session(
                    store, graph, settings, stop, project.memo, accelerators, lease
                )
                result = session.run(
                    cache=bool(record.labels.get("cache", True)),
                    base_run=record.labels.get("base_run"),
                    adopt=done,
                )
        if result.state != "COMPLETE":
            raise RunFailed(result)
        return result

    def _check_main(self, graph: Graph) -> None:
        """Have what a notebook defines ready, or say why it cannot run here."""
        if graph.main is None:
            return
        refusal = graph.main.refusal()
        missing = any(not is_defined(name) for name in graph.main.names)
        if refusal and (missing or not self._in_process):
            raise DefinitionError(refusal)
        if missing:
            install_main(graph.main.text)

    def _session(
        self,
        store: MetadataStore,
        graph: Graph,
        settings: RunSettings,
        stop: StopRequest,
        memo: str,
        accelerators: Sequence[str],
        lease: Lease,
    ) -> RunSession:
        return RunSession(
            store,
            graph,
            settings,
            stop,
            DigestMemo(memo),
            max_parallel=0 if self._in_process else self._max_parallel,
            progress=self._progress,
            store_option=self._store,
            accelerators=accelerators,
            lease=lease.descriptor,
        )


def _check(graph: Graph, project_root: str, accelerators: Sequence[str]) -> None:
    """Refuse a graph that would fail, before anything runs; tell what may be wrong.

    Raises:
        CheckFailed: It names everything that is wrong.
    """
    found = check_graph(graph, project_root, accelerators=accelerators)
    for each in require(graph, found):
        _log.warning("warning: %s", each)


def check_accelerators(graph: Graph) -> list[str]:
    """Return the accelerators of this machine, where it is time to ask for them.

    Args:
        graph: The pipeline, bound.

    Raises:
        AcceleratorMissing: If a node asks for more than there is.
    """
    if not any(node.uses_tensorflow or node.resources for node in graph.nodes):
        return []
    installed = installed_accelerators()
    AcceleratorTokens(installed).check(graph)
    return installed


def new_run_id() -> str:
    """Return a name for a run that sorts by time: `20261121-093012-4f2a`."""
    return f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def available_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _wait_for_its_end(store: MetadataStore, run_id: str) -> None:
    """Wait a little for the processes of a run that was killed just now: they hold its lease, too."""
    deadline = time.monotonic() + _LAST_WORDS_SECONDS
    while store.is_held(run_id) and time.monotonic() < deadline:
        time.sleep(0.02)
