"""A run, and a node of it, as JSON values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.cli.run_report import NodeReport, RunReport
    from penstock.launch.explanation import Explanation
    from penstock.store import EpochRecord


def run_json(report: RunReport, whys: Mapping[str, Explanation]) -> dict[str, Any]:
    """Return a run as a JSON value: what `penstock show RUN --json` prints.

    Args:
        report: The run.
        whys: Why each node ran or was cached.
    """
    from penstock.cli.run_report import sums

    run = dataclasses.asdict(report.run)
    del run["graph_json"]
    return {
        **run,
        "state": report.state,
        "nodes": [node_json(node, whys[node.id]) for node in report.nodes],
        "sums": sums(report),
    }


def node_json(node: NodeReport, why: Explanation) -> dict[str, Any]:
    """Return a node of a run as a JSON value.

    Args:
        node: The node.
        why: Why it ran or was cached.
    """
    last = node.last
    return {
        "id": node.id,
        "kind": node.kind,
        "state": node.state,
        "attempts": len(node.attempts),
        "execution_id": last.id if last else None,
        "started": last.started if last else None,
        "finished": last.finished if last else None,
        "error": last.error if last else None,
        "cached_from": last.cached_from if last else None,
        "cache_key": last.cache_key if last else None,
        "log": last.log_path if last else None,
        "usage": dataclasses.asdict(last.usage) if last else None,
        "metrics": dict(last.metrics) if last else {},
        "epochs": [_epoch_json(epoch) for epoch in node.epochs],
        "verdict": node.verdict.to_json() if node.verdict else None,
        "outputs": {
            key: [{**artifact.to_json(), "state": artifact.state.name} for artifact in artifacts]
            for key, artifacts in node.outputs.items()
        },
        "why": why.to_json(),
    }


def _epoch_json(epoch: EpochRecord) -> dict[str, Any]:
    # JSON has neither NaN nor infinity.
    metrics = {name: value if isfinite(value) else None for name, value in epoch.metrics.items()}
    return {**dataclasses.asdict(epoch), "metrics": metrics}
