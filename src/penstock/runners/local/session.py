"""From a run that is recorded to its result: scheduling, and writing down how it ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterable, Sequence

from penstock.artifacts import location
from penstock.graph import Graph
from penstock.launch.attempt import RunSettings
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.launcher import Launcher
from penstock.launch.project import HOME
from penstock.runners.local.accelerators import AcceleratorTokens
from penstock.runners.local.executor import Executor, InProcessExecutor
from penstock.runners.local.progress import ProgressKind, make_progress
from penstock.runners.local.scheduler import Scheduler
from penstock.runners.local.stop import StopRequest
from penstock.runners.result import NodeResult, NodeState, RunResult, short_error
from penstock.store import MetadataStore, RunState, StoreError


class RunSession:
    """One go at a run, whose lease this process holds.

    Args:
        store: The metadata store.
        graph: The pipeline, bound.
        settings: Of the run.
        stop: Says when the run should stop.
        memo: Remembers digests of files.
        max_parallel: How many worker processes run at once; 0 to run in this process.
        progress: As in `LocalDagRunner`.
        store_option: What `--store` says, for the command that resumes.
        accelerators: Those of the machine.
        lease: Descriptor of the run's lease, or None.
    """

    def __init__(
        self,
        store: MetadataStore,
        graph: Graph,
        settings: RunSettings,
        stop: StopRequest,
        memo: DigestMemo,
        *,
        max_parallel: int,
        progress: ProgressKind = "none",
        store_option: str | None = None,
        accelerators: Sequence[str] = (),
        lease: int | None = None,
    ) -> None:
        self._store = store
        self._graph = graph
        self._settings = settings
        self._stop = stop
        self._memo = memo
        self._max_parallel = max_parallel
        # A debugger and what components print need the terminal for themselves.
        in_process = not max_parallel
        self._progress = make_progress("plain" if in_process and progress == "auto" else progress)
        self._store_option = store_option
        self._accelerators = accelerators
        self._lease = lease

    def run(
        self, *, cache: bool, base_run: str | None, adopt: Iterable[NodeResult] = ()
    ) -> RunResult:
        """Run what is not adopted, and record how the run ended.

        Args:
            cache: Whether earlier results are reused.
            base_run: Run from which nodes outside the graph are read.
            adopt: Nodes that are done.
        """
        began = time.monotonic()
        launcher = Launcher(
            self._store,
            self._graph,
            self._settings,
            self._memo,
            cache=cache,
            base_run=base_run,
            system_root=self._system_root(),
        )
        executor = self._executor()
        executor.on_epoch = launcher.epoch_reported
        tokens = AcceleratorTokens(self._accelerators)
        scheduler = Scheduler(self._graph, launcher, executor, self._progress, self._stop, tokens)
        self._progress.began(self._graph, self._settings.run_id)
        self._say_limits()
        try:
            for node in adopt:
                launcher.adopt(
                    self._graph[node.id],
                    node.execution_id or 0,
                    node.state.value,
                    node.outputs,
                    node.metrics,
                )
                node.outputs = launcher.published[node.id]
                scheduler.adopt(node)
            scheduler.run()
        except BaseException as error:
            executor.close()
            self._progress.close()
            with contextlib.suppress(StoreError):
                self._finish(RunState.FAILED, f"{type(error).__name__}: {error}")
            raise
        state, reason = self._outcome(scheduler)
        self._finish(state, reason)
        executor.close()
        self._memo.save()
        result = RunResult(
            self._settings.run_id,
            state.value,
            scheduler.results,
            time.monotonic() - began,
            error=reason,
            resume_command=self._resume_command(),
            run_command=self._run_command(),
            told=self._progress.tells,
        )
        self._progress.ended(result)
        return result

    def _system_root(self) -> str:
        """Return where logs and scratch folders lie: they are local, wherever the artifacts are."""
        settings = self._settings
        if location.is_local(settings.pipeline_root):
            return settings.pipeline_root
        return os.path.join(settings.project_root, HOME, settings.pipeline)

    def _executor(self) -> Executor:
        if not self._max_parallel:
            return InProcessExecutor()
        from penstock.runners.local.worker_pool import WorkerPool

        return WorkerPool(
            self._settings.project_root,
            self._max_parallel,
            accelerators=self._accelerators,
            lease=self._lease,
        )

    def _say_limits(self) -> None:
        if self._max_parallel:
            return
        timed = [node.id for node in self._graph.nodes if node.policy.timeout_seconds is not None]
        if timed:
            self._progress.note(
                f"timeouts are not enforced in this process (--in-process): {', '.join(timed)}"
            )

    def _outcome(self, scheduler: Scheduler) -> tuple[RunState, str | None]:
        if self._stop.reason is not None:
            return RunState.CANCELED, self._stop.reason
        for node in scheduler.results.values():
            if node.state is NodeState.FAILED:
                return RunState.FAILED, f"{node.id}: {short_error(node)}"
        return RunState.COMPLETE, None

    def _finish(self, state: RunState, reason: str | None) -> None:
        if not self._stop.lost:
            self._store.finish_run(self._settings.run_id, state, reason)

    def _run_command(self) -> str:
        """Return what was typed to start the run, under another name, if it was the verb `run`."""
        words = shlex.split(self._store.get_run(self._settings.run_id).command)
        if words[:2] != ["penstock", "run"]:
            return ""
        if "--run-id" in words:
            place = words.index("--run-id")
            del words[place : place + 2]
        return shlex.join(word for word in words if not word.startswith("--run-id="))

    def _resume_command(self) -> str:
        command = ["penstock", "resume", self._settings.run_id]
        if self._store_option:
            command += ["--store", self._store_option]
        return shlex.join(command)
