"""`penstock show`: one run, whole."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.quantities import duration, moment, size
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.artifacts import Artifact
    from penstock.cli.run_report import NodeReport, RunReport
    from penstock.launch.explanation import Explanation

_VALUE_WIDTH = 60


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "show",
        "Show a run: its nodes with states, times and what they used; artifacts; metrics; code,\n"
        "environment, parameters and seed.",
        [
            "penstock show latest",
            "penstock show 20261121-0930 --why",
            "penstock show latest --json",
        ],
    )
    parser.add_argument("run", metavar="RUN", help="a run's id, the start of one, or `latest`")
    parser.add_argument(
        "--why", action="store_true", help="also say why each node ran or was cached"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the run."""
    from penstock.cli.run_report import find_run, report_run
    from penstock.launch.explanation import explain

    with open_store(arguments.store) as store:
        report = report_run(store, find_run(store, arguments.run))
        executions = [each for node in report.nodes for each in node.attempts]
        whys = {
            node.id: explain(store, report.run, report.graph, node.id, executions)
            for node in report.nodes
        }
    if arguments.json:
        print_json(to_json(report, whys))
    else:
        _print(report, whys, Console(), sentences=arguments.why)
    return exit_codes.OK


def to_json(report: RunReport, whys: Mapping[str, Explanation]) -> dict[str, Any]:
    """Return a run as a JSON value."""
    from penstock.cli.run_report import sums

    run = dataclasses.asdict(report.run)
    del run["graph_json"]
    return {
        **run,
        "state": report.state,
        "nodes": [_node_json(node, whys[node.id]) for node in report.nodes],
        "sums": sums(report),
    }


def _node_json(node: NodeReport, why: Explanation) -> dict[str, Any]:
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
        "verdict": node.verdict.to_json() if node.verdict else None,
        "outputs": {
            key: [{**artifact.to_json(), "state": artifact.state.name} for artifact in artifacts]
            for key, artifacts in node.outputs.items()
        },
        "why": why.to_json(),
    }


def _print(
    report: RunReport, whys: Mapping[str, Explanation], console: Console, *, sentences: bool
) -> None:
    from penstock.cli.run_report import sums

    total = sums(report)
    _print_heading(report, console)
    console.print()
    rows: list[tuple[Cell, ...]] = []
    for node in report.nodes:
        used = node.last.usage if node.last else None
        rows.append(
            (
                (node.id, "name"),
                (node.state.lower(), node.state),
                duration(used.start_seconds if used else None),
                duration(node.seconds),
                duration(used.cpu_seconds) if used else "-",
                size(used.peak_rss_bytes) if used else "-",
                size(used.bytes_written) if used else "-",
                _styled_remark(node, whys[node.id]),
            )
        )
    rows.append(
        (
            "sum",
            "",
            duration(total["start_seconds"]),
            duration(total["node_seconds"]),
            duration(total["cpu_seconds"]),
            size(total["peak_rss_bytes"]),
            size(total["bytes_written"]),
            "memory: the largest",
        )
    )
    console.table(
        ("NODE", "STATE", "START", "TIME", "CPU", "MEMORY", "WRITTEN", ""),
        rows,
        right=("START", "TIME", "CPU", "MEMORY", "WRITTEN"),
    )
    if sentences:
        _print_whys(whys, console)
    artifacts: list[tuple[Cell, ...]] = [
        (
            f"{node.id}.{key}",
            artifact.TYPE_NAME,
            str(artifact.id),
            artifact.uri.removeprefix(f"{report.run.root}/"),
            _artifact_note(artifact),
        )
        for node in report.nodes
        for key, of in node.outputs.items()
        for artifact in of
    ]
    if artifacts:
        console.print()
        console.table(("ARTIFACT", "TYPE", "ID", "BELOW ROOT", ""), artifacts, right=("ID",))
    metrics: list[tuple[Cell, ...]] = [
        (node.id, name, f"{value:.6g}")
        for node in report.nodes
        if node.last
        for name, value in node.last.metrics.items()
    ]
    if metrics:
        console.print()
        console.table(("NODE", "METRIC", "VALUE"), metrics, right=("VALUE",))


def _print_heading(report: RunReport, console: Console) -> None:
    run = report.run
    tree = {True: ", with uncommitted changes", False: "", None: ""}[run.dirty]
    seed = "none" if run.seed is None else str(run.seed)
    took = duration(run.seconds) if run.seconds is not None else "not ended"
    if run.paused_seconds >= 1:
        took += f" without the {duration(run.paused_seconds)} before it was resumed"
    parameters = " ".join(f"{key}={value}" for key, value in run.parameters.items())
    python = run.environment.get("python", "")
    packages = len(run.environment.get("packages", {}))
    environment = f"{run.environment_fingerprint} (Python {python}, {packages} packages)"
    lines: Iterable[tuple[str, str]] = (
        ("run", console.style(run.run_id, "name")),
        ("pipeline", run.pipeline),
        ("state", console.style(report.state.lower(), report.state)),
        ("error", run.error or ""),
        ("started", f"{moment(run.started)}, {took}"),
        ("command", run.command),
        ("parameters", parameters),
        ("seed", f"{seed}, deterministic" if run.deterministic else seed),
        ("code", f"{run.commit}{tree}" if run.commit else "not in git"),
        ("environment", environment),
        ("root", run.root),
    )
    for name, text in lines:
        if text:
            console.print(f"{console.style(f'{name:<12}', 'dim')}{text}")
    if report.state in ("FAILED", "KILLED", "CANCELED"):
        console.print(f"{console.style('go on with', 'dim')}  penstock resume {run.run_id}")


def _artifact_note(artifact: Artifact) -> Cell:
    from penstock.artifacts import ArtifactState, location

    if artifact.state is ArtifactState.DELETED:
        return "deleted", "warning"
    if location.is_local(artifact.uri) and not location.exists(artifact.uri):
        return "missing", "bad"
    return _value(artifact)


def _value(artifact: Artifact) -> str:
    """Return the value of a value artifact, cut to a line."""
    from penstock.artifacts import Array, Bytes, Table, ValueArtifact

    if not isinstance(artifact, ValueArtifact) or isinstance(artifact, (Array, Bytes, Table)):
        return ""
    try:
        text = " ".join(str(artifact.value).split())
    except (OSError, ValueError):
        return ""
    return text if len(text) <= _VALUE_WIDTH else f"{text[: _VALUE_WIDTH - 3]}..."


def _styled_remark(node: NodeReport, why: Explanation) -> Cell:
    text = _remark(node, why)
    if node.verdict is None:
        return text
    said = node.verdict.text
    if node.state == "FAILED":  # its error says the same again
        text = "" if node.outputs else text
    whole = "; ".join(filter(None, (said, text)))
    return whole if node.verdict.ok else (whole, "warning")


def _remark(node: NodeReport, why: Explanation) -> str:
    last = node.last
    if last is None:
        return why.short.partition(": ")[0] if node.state == "SKIPPED" else ""
    if last.error and node.state not in ("COMPLETE", "CACHED"):
        return last.error.partition("\n")[0][:70]
    if last.cached_from is not None:
        return f"as in execution {why.compared_with}"
    tried = f"attempt {last.attempt}; " if last.attempt > 1 else ""
    return tried + why.short


def _print_whys(whys: Mapping[str, Explanation], console: Console) -> None:
    for node_id, why in whys.items():
        console.print()
        console.print(f"{console.style(node_id, 'name')}: {why.headline}")
        for reason in why.reasons:
            console.print(f"  - {reason}")
