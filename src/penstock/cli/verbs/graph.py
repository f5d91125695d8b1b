"""`penstock graph`: the DAG of a pipeline file or of a run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Console
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.graph.drawing import Diagram


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "graph",
        "Draw the nodes of a pipeline and what flows between them; for a run, also states and times.",
        [
            "penstock graph pipelines/penguin.py",
            "penstock graph latest --format svg -o run.svg",
            "penstock graph pipelines/penguin.py --format mermaid >> README.md",
        ],
    )
    parser.add_argument("what", metavar="FILE|RUN", help="a pipeline file, a run's id, or `latest`")
    parser.add_argument(
        "--format",
        choices=("text", "mermaid", "svg", "json"),
        default="text",
        help="the format (default: text)",
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="the file to write (default: standard output)"
    )
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Draw."""
    from penstock.graph.drawing import diagram_of

    what = arguments.what
    if what.endswith(".py") or "/" in what or Path(what).is_file():
        from penstock.cli.pipeline_file import load_pipeline

        diagram = diagram_of(load_pipeline(what).compile())
    else:
        from penstock.cli.run_report import find_run, report_run

        with open_store(arguments.store) as store:
            report = report_run(store, find_run(store, what))
        diagram = diagram_of(report.graph, report.statuses)
    if arguments.output is None:
        text = _draw(diagram, arguments.format, Console())
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return exit_codes.OK
    target = Path(arguments.output)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        text = _draw(diagram, arguments.format, Console(file))
        file.write(text if text.endswith("\n") else f"{text}\n")
    print(f"wrote {target}", file=sys.stderr)
    return exit_codes.OK


def _draw(diagram: Diagram, form: str, console: Console) -> str:
    from penstock.graph.drawing import draw_mermaid, draw_svg, draw_text

    if form == "mermaid":
        return draw_mermaid(diagram)
    if form == "svg":
        return draw_svg(diagram)
    if form == "json":
        return json.dumps(diagram.to_json(), indent=2)
    return draw_text(
        diagram, width=console.width, ascii_only=console.ascii_only, style=console.style
    )
