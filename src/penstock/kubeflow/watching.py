"""Following a run on the cluster until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from penstock.kubeflow.errors import Busy, NotReachable, ServerFault
from penstock.kubeflow.package import PipelinePackage
from penstock.kubeflow.records import ClusterRun
from penstock.kubeflow.runs import get_run
from penstock.kubeflow.server import Server
from penstock.kubeflow.tasks import node_results
from penstock.runners.local.progress import Progress
from penstock.runners.result import NodeResult, NodeState, RunResult

_PAUSE_SECONDS = 2.0
_OUTAGE_SECONDS = 900.0
"""How long the server may be away while a run is watched; the run goes on without it."""


def watch(
    server: Server,
    package: PipelinePackage,
    run: ClusterRun,
    progress: Progress,
    *,
    log_of: Callable[[str], str] | None = None,
    pause: float = _PAUSE_SECONDS,
) -> RunResult:
    """Show a run until it has ended, and return how it ended.

    Args:
        server: The server.
        package: The pipeline that it runs.
        run: The run.
        progress: Is told of each change.
        log_of: Returns the end of a node's log, to show why it failed.
        pause: Seconds from one look to the next.

    Raises:
        KubeflowError: If the server was away for a quarter of an hour, or no longer knows the run.
    """
    began = run.created or time.time()
    progress.began(package, run.run_id, seconds=max(0.0, time.time() - began))
    seen: dict[str, NodeResult] = {}
    away: float | None = None
    try:
        while True:
            try:
                run = get_run(server, run.run_id)
                away = None
            except (NotReachable, Busy, ServerFault) as error:
                if away is None:
                    away = time.monotonic()
                    progress.note(f"no answer, asking again: {error}")
                if time.monotonic() - away > _OUTAGE_SECONDS:
                    raise
            results = node_results(package.nodes, run)
            for result in results.values():
                _tell(progress, seen, result, log_of)
            if run.over:
                ended = run_result(run, seen)
                ended.told = progress.tells
                progress.ended(ended)
                return ended
            time.sleep(pause)
    finally:
        progress.close()


def run_result(run: ClusterRun, nodes: dict[str, NodeResult]) -> RunResult:
    """Return a run on the cluster as the local runner returns its own."""
    began = run.created or time.time()
    return RunResult(
        run.run_id,
        run.state,
        dict(nodes),
        max(0.0, (run.finished or time.time()) - began),
        error=run.error or ("canceled" if run.state == "CANCELED" else None),
    )


def _tell(
    progress: Progress,
    seen: dict[str, NodeResult],
    result: NodeResult,
    log_of: Callable[[str], str] | None,
) -> None:
    before = seen.get(result.id)
    now = (result.state, result.attempts)
    if before is not None and (before.state, before.attempts) == now:
        return
    if result.state is NodeState.FAILED and log_of is not None:
        result.traceback = log_of(result.id)
    seen[result.id] = result
    waits = result.state is NodeState.PENDING
    if waits:
        return
    began = before is not None and before.state in (NodeState.RUNNING, NodeState.RETRYING)
    if result.state is NodeState.COMPLETE and not began:
        # A node may begin and end between two looks.
        running = NodeResult(result.id, NodeState.RUNNING, attempts=result.attempts)
        progress.changed(running)
    progress.changed(result)
