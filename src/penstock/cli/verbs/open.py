"""`penstock open`: the page of an artifact or a run."""

from __future__ import annotations

import argparse
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import print_json
from penstock.cli.errors import CommandError
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.cards import HtmlPage
    from penstock.store import ArtifactRecord, MetadataStore, RunRecord


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "open",
        "Show an artifact or a run on a page in the browser: statistics, schema, anomalies, trials,\n"
        "learning curves, evaluation, model card, ... The page is one file that needs no network.",
        [
            "penstock open latest                # the run",
            "penstock open latest Evaluator      # what a node of it wrote",
            "penstock open 17                    # an artifact",
            "penstock open production -o model.html --no-browser",
        ],
    )
    parser.add_argument(
        "what",
        metavar="ID|ALIAS|RUN",
        help="an artifact's id or alias, a run's id, the start of one, or `latest`",
    )
    parser.add_argument(
        "node",
        metavar="NODE[.OUTPUT]",
        nargs="?",
        help="a node of the run: its main output is shown, or the one that is named",
    )
    parser.add_argument(
        "-o", "--output", metavar="PAGE", help="where to write the page (default: a temporary file)"
    )
    parser.add_argument("--no-browser", action="store_true", help="only write the page")
    parser.add_argument(
        "--json", action="store_true", help="print the page's path as JSON; do not open a browser"
    )
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and open it."""
    from penstock.cli.named_artifact import find_artifact_or_run, find_output
    from penstock.store import RunRecord

    with open_store(arguments.store) as store:
        if arguments.node:
            found: ArtifactRecord | RunRecord = find_output(store, arguments.what, arguments.node)
        else:
            found = find_artifact_or_run(store, arguments.what)
        if isinstance(found, RunRecord):
            page = _run_page(store, found)
            told: dict[str, Any] = {"run_id": found.run_id}
            name = f"run-{found.run_id}"
        else:
            page = _artifact_page(store, found)
            told = {"artifact": found.artifact.id, "type": found.type_name}
            name = f"{found.type_name}-{found.artifact.id}"
    path = Path(arguments.output) if arguments.output else _temporary(name)
    page.write(str(path))
    if arguments.json:
        print_json({**told, "page": str(path)})
        return exit_codes.OK
    print(path)
    if not arguments.no_browser and not _browse(path):
        print("no browser was found: open the file in one", file=sys.stderr)
    return exit_codes.OK


def _artifact_page(store: MetadataStore, record: ArtifactRecord) -> HtmlPage:
    from penstock.cards import UnreadableArtifact, artifact_page
    from penstock.cli.named_artifact import check_there, facts_of, load_class

    check_there(record)
    record, notes = load_class(store, record)
    try:
        return artifact_page(record.artifact, facts_of(store, record, notes))
    except UnreadableArtifact as error:
        raise CommandError(str(error), exit_codes.ENVIRONMENT) from None


def _run_page(store: MetadataStore, record: RunRecord) -> HtmlPage:
    from penstock.cards import run_page
    from penstock.cli.run_json import run_json
    from penstock.cli.run_report import report_run
    from penstock.graph.drawing import diagram_of, draw_svg
    from penstock.launch.explanation import explain

    report = report_run(store, store.get_run(record.run_id))
    executions = [each for node in report.nodes for each in node.attempts]
    whys = {
        node.id: explain(store, report.run, report.graph, node.id, executions)
        for node in report.nodes
    }
    drawing = draw_svg(diagram_of(report.graph, report.statuses))
    return run_page(run_json(report, whys), drawing)


def _temporary(name: str) -> Path:
    with tempfile.NamedTemporaryFile(
        prefix=f"penstock-{name}-", suffix=".html", delete=False
    ) as file:
        return Path(file.name)


def _browse(path: Path) -> bool:
    try:
        return webbrowser.open(path.absolute().as_uri())
    except webbrowser.Error:
        return False
