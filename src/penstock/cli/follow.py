"""Following a run that goes on in another process: its nodes' states and epochs as they come."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.epoch_table import epoch_words
from penstock.cli.run_report import KILLED, NodeReport, RunReport, report_run
from penstock.launch.spread_run import is_spread
from penstock.runners.local.progress import make_progress
from penstock.runners.local.progress_plain import PlainProgress
from penstock.runners.result import NodeResult, NodeState, RunResult

if TYPE_CHECKING:
    from penstock.runners.local.progress import Progress
    from penstock.store import MetadataStore

_LIVE_SECONDS, _PLAIN_SECONDS = 0.5, 1.0
"""From one look into the store to the next."""


def follow(store: MetadataStore, run_id: str, node_id: str | None = None) -> int:
    """Show a run until it has ended, on standard error as the runner itself does.

    Args:
        store: The store.
        run_id: The run.
        node_id: Only this node, until it has ended.

    Returns:
        The exit code: 0 if the run completed, or the node; 1 if not.
    """
    progress = make_progress("auto")
    live = not isinstance(progress, PlainProgress)
    seen: dict[str, NodeResult] = {}
    epochs: dict[str, int] = {}
    began = False
    try:
        while True:
            report = report_run(store, store.get_run(run_id))
            nodes = [node for node in report.nodes if node_id in (None, node.id)]
            if not began:
                graph = report.graph
                if node_id is not None:
                    graph = dataclasses.replace(graph, nodes=(graph[node_id],))
                progress.began(graph, run_id, seconds=time.time() - report.run.started)
                began = True
            for node in nodes:
                _tell(progress, report, node, seen, epochs, live=live)
            if _is_over(report, nodes, node_id):
                return _end(progress, report, list(seen.values()))
            time.sleep(_LIVE_SECONDS if live else _PLAIN_SECONDS)
    except KeyboardInterrupt:
        progress.close()
        print(f"\nno longer followed; run {run_id} goes on", file=sys.stderr)
        return exit_codes.INTERRUPTED
    finally:
        progress.close()


def _tell(
    progress: Progress,
    report: RunReport,
    node: NodeReport,
    seen: dict[str, NodeResult],
    epochs: dict[str, int],
    *,
    live: bool,
) -> None:
    """Tell what is new of a node."""
    before, now = seen.get(node.id), _result(report, node)
    newest = node.epochs[-1] if node.epochs else None
    if newest is not None and now.state is NodeState.RUNNING:
        now.progress = epoch_words(newest)
    # Of a cached node the epochs are those of another run.
    news = newest is not None and newest.epoch != epochs.get(node.id) and node.state != "CACHED"
    changed = before is None or (before.state, before.attempts) != (now.state, now.attempts)
    begins = changed and now.state is NodeState.RUNNING
    if begins:
        progress.changed(now)
    if newest is not None and news:
        epochs[node.id] = newest.epoch
        if live:
            progress.advanced(now)
        else:
            progress.note(f"{node.id}: {epoch_words(newest)}")
    if changed and not begins and now.state is not NodeState.PENDING:
        progress.changed(now)
    seen[node.id] = now


def _result(report: RunReport, node: NodeReport) -> NodeResult:
    last = node.last
    state = NodeState.FAILED if node.state == KILLED else NodeState(node.state)
    result = NodeResult(
        node.id,
        state=state,
        seconds=node.seconds or 0.0,
        outputs=node.outputs,
        verdict=node.verdict,
    )
    if last is None:
        return result
    result.attempts, result.execution_id = last.attempt, last.id
    result.error = last.error or ("its process is gone" if node.state == KILLED else None)
    result.log_path, result.metrics = last.log_path, last.metrics
    result.start_seconds = last.usage.start_seconds or 0.0
    result.rejected = state is NodeState.FAILED and bool(node.outputs)
    if state is NodeState.RUNNING:
        result.seconds = max(0.0, time.time() - last.started)
    retries = report.graph[node.id].policy.retries
    if state is NodeState.FAILED and report.state == "RUNNING" and last.attempt <= retries:
        result.state = NodeState.FAILED if result.rejected else NodeState.RETRYING
    return result


def _is_over(report: RunReport, nodes: Sequence[NodeReport], node_id: str | None) -> bool:
    if report.state != "RUNNING":
        return True
    return node_id is not None and all(_result(report, node).state.ended for node in nodes)


def _end(progress: Progress, report: RunReport, nodes: Sequence[NodeResult]) -> int:
    """Tell how the run ended; of a single node the run may go on."""
    run = report.run
    good = all(node.state.succeeded for node in nodes)
    if report.state == "RUNNING":
        progress.close()
        return exit_codes.OK if good else exit_codes.FAILED
    progress.ended(
        RunResult(
            run.run_id,
            report.state,
            {node.id: node for node in nodes},
            run.seconds if run.seconds is not None else time.time() - run.started,
            error=run.error,
            resume_command="" if is_spread(run) else f"penstock resume {run.run_id}",
            told=True,
        )
    )
    return exit_codes.OK if report.state == "COMPLETE" else exit_codes.FAILED
