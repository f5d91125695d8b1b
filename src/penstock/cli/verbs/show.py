"""`penstock show`: one run, whole."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.errors import UsageError
from penstock.cli.quantities import duration, moment, size
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.artifacts import Artifact
    from penstock.cli.run_report import NodeReport, RunReport
    from penstock.launch.explanation import Explanation

_VALUE_WIDTH = 60
_EPOCHS_OF_A_NODE = 8
_TRIALS_OF_A_NODE, _TRIALS_OF_A_RUN = 20, 3
_CHECKS_OF_A_NODE, _CHECKS_OF_A_RUN = 30, 5
_ALL = 0


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "show",
        "Show a run: its nodes with states, times and what they used; artifacts; metrics; epochs of\n"
        "training; code, environment, parameters and seed. With a node, show that one alone.",
        [
            "penstock show latest",
            "penstock show latest Trainer --epochs all",
            "penstock show latest --follow",
            "penstock show 20261121-0930 --why",
            "penstock show latest --json",
        ],
    )
    parser.add_argument("run", metavar="RUN", help="a run's id, the start of one, or `latest`")
    parser.add_argument("node", metavar="NODE", nargs="?", help="a node of its pipeline")
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=_epochs,
        help="show the last N epochs of training, or `all`, besides the first and the best "
        "(default: 1, of a single node 8)",
    )
    parser.add_argument(
        "--follow",
        action="store_true",
        help="follow a run that goes on in another process, until it ends; Ctrl-C leaves it alone",
    )
    parser.add_argument(
        "--why", action="store_true", help="also say why each node ran or was cached"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def _epochs(text: str) -> int:
    return _ALL if text == "all" else positive_integer(text)


def run(arguments: argparse.Namespace) -> int:
    """Print the run."""
    from penstock.cli.run_json import node_json, run_json
    from penstock.cli.run_report import check_node, find_run, graph_of, report_run
    from penstock.launch.explanation import explain

    if arguments.follow and (arguments.json or arguments.why):
        given = "--json" if arguments.json else "--why"
        raise UsageError(f"penstock show: --follow prints lines as they come; leave out {given}.")
    if arguments.epochs is not None and (arguments.json or arguments.follow):
        given = "--json" if arguments.json else "--follow"
        raise UsageError(f"penstock show: {given} has every epoch; leave out --epochs.")
    with open_store(arguments.store) as store:
        found = find_run(store, arguments.run)
        if arguments.node is not None:
            check_node(graph_of(found), arguments.node)
        if arguments.follow:
            from penstock.cli.follow import follow

            return follow(store, found.run_id, arguments.node)
        report = report_run(store, found)
        executions = [each for node in report.nodes for each in node.attempts]
        whys = {
            node.id: explain(store, report.run, report.graph, node.id, executions)
            for node in report.nodes
            if arguments.node in (None, node.id)
        }
    if arguments.node is not None:
        (node,) = (each for each in report.nodes if each.id == arguments.node)
        if arguments.json:
            print_json(node_json(node, whys[node.id]))
        else:
            last = _EPOCHS_OF_A_NODE if arguments.epochs is None else arguments.epochs
            _print_node(report, node, whys[node.id], Console(), epochs=last)
    elif arguments.json:
        print_json(run_json(report, whys))
    else:
        _print(
            report,
            whys,
            Console(),
            sentences=arguments.why,
            epochs=1 if arguments.epochs is None else arguments.epochs,
        )
    return exit_codes.OK


def _print(
    report: RunReport,
    whys: Mapping[str, Explanation],
    console: Console,
    *,
    sentences: bool,
    epochs: int,
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
    _print_results(report, report.nodes, console, epochs)


def _print_node(
    report: RunReport, node: NodeReport, why: Explanation, console: Console, *, epochs: int
) -> None:
    last = node.last
    used = last.usage if last else None
    spent = (
        f"{duration(node.seconds)}, {duration(used.cpu_seconds)} of CPU, "
        f"{size(used.peak_rss_bytes)} of memory, {size(used.bytes_written)} written"
        if used and used.wall_seconds is not None
        else ""
    )
    cached = last is not None and last.cached_from is not None
    lines: Iterable[tuple[str, str]] = (
        ("node", f"{console.style(node.id, 'name')} of run {report.run.run_id}"),
        ("state", console.style(node.state.lower(), node.state)),
        ("says", node.verdict.text if node.verdict else ""),
        ("error", (last.error or "") if last else ""),
        ("attempts", str(len(node.attempts)) if len(node.attempts) > 1 else ""),
        ("started", moment(last.started) if last else ""),
        ("took", spent),
        ("log", (last.log_path or "") if last and not cached else ""),
        ("why", why.headline),
    )
    for name, text in lines:
        if text:
            console.print(f"{console.style(f'{name:<12}', 'dim')}{text}")
    for reason in why.reasons:
        console.print(f"{'':<12}- {reason}")
    _print_results(report, [node], console, epochs)


def _print_results(
    report: RunReport, nodes: Sequence[NodeReport], console: Console, epochs: int
) -> None:
    """Print what nodes wrote and reported."""
    from penstock.cli.epoch_table import print_epochs
    from penstock.cli.threshold_table import print_thresholds
    from penstock.cli.trial_table import print_trials

    artifacts: list[tuple[Cell, ...]] = [
        (
            f"{node.id}.{key}",
            artifact.TYPE_NAME,
            str(artifact.id),
            artifact.uri.removeprefix(f"{report.run.root}/"),
            _artifact_note(artifact),
        )
        for node in nodes
        for key, of in node.outputs.items()
        for artifact in of
    ]
    if artifacts:
        console.print()
        console.table(("ARTIFACT", "TYPE", "ID", "BELOW ROOT", ""), artifacts, right=("ID",))
    metrics: list[tuple[Cell, ...]] = [
        (node.id, name, f"{value:.6g}")
        for node in nodes
        if node.last
        for name, value in node.last.metrics.items()
    ]
    if metrics:
        console.print()
        console.table(("NODE", "METRIC", "VALUE"), metrics, right=("VALUE",))
    alone = len(nodes) == 1
    for node in nodes:
        print_thresholds(
            console,
            f"{node.id} THRESHOLD",
            [each for of in node.outputs.values() for each in of],
            most=_CHECKS_OF_A_NODE if alone else _CHECKS_OF_A_RUN,
            failed_only=not alone,
        )
    for node in nodes:
        if node.epochs:
            console.print()
            print_epochs(
                console, f"{node.id} EPOCH", node.epochs, last=None if epochs == _ALL else epochs
            )
    for node in nodes:
        for each in (each for of in node.outputs.values() for each in of):
            if each.TYPE_NAME == "TunerResults":
                most = _TRIALS_OF_A_NODE if alone else _TRIALS_OF_A_RUN
                print_trials(console, f"{node.id} TRIAL", each, most=most)


def _print_heading(report: RunReport, console: Console) -> None:
    from penstock.cli.run_report import advice

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
        console.print(f"{console.style('go on with', 'dim')}  {advice(run)}")


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
