"""`penstock check`: a pipeline file, before it is run."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, add_param
from penstock.cli.console import Console, print_json
from penstock.spelling import counted

if TYPE_CHECKING:
    from penstock.checks.finding import Finding
    from penstock.cli.pipeline_file import PipelineFile
    from penstock.graph import Graph


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "check",
        "Check a pipeline file: wiring and parameters; module files and the signatures of their\n"
        "functions (read, not imported); external data; resources that the runner cannot provide;\n"
        "runtime parameters without a value. Returns 1 if something is wrong.",
        [
            "penstock check pipelines/penguin.py",
            "penstock check pipelines/penguin.py --runner kubeflow --json",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="the pipeline file")
    add_param(parser, "value of a runtime parameter, as for `run`")
    parser.add_argument(
        "--runner",
        metavar="RUNNER",
        default="local",
        help="the runner to check for: local (default), kubeflow, or an installed one",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Check, and print the findings."""
    from penstock.checks.finding import told_once
    from penstock.cli.pipeline_file import load_pipeline

    loaded = load_pipeline(arguments.file)
    graph = loaded.compile()
    found = findings(loaded, graph, dict(arguments.param), arguments.runner)
    told = told_once(found)
    errors = sum(each.level == "error" for each in told)
    if arguments.json:
        print_json(
            {
                "pipeline": graph.name,
                "nodes": len(graph.nodes),
                "errors": errors,
                "findings": [each.to_json() for each in told],
            }
        )
        return exit_codes.FAILED if errors else exit_codes.OK
    console = Console()
    for each in told:
        level = console.style(each.level, "bad" if each.level == "error" else "warning")
        console.print(f"{each.place}: {level}: {each.message}")
    warnings = len(told) - errors
    counts = [
        counted(count, word) for count, word in ((errors, "error"), (warnings, "warning")) if count
    ]
    console.print(
        f"pipeline {graph.name}: {counted(len(graph.nodes), 'node')}, "
        f"{counted(len(graph.parameters), 'runtime parameter')}: "
        + (", ".join(counts) if counts else console.style("nothing wrong", "good"))
    )
    return exit_codes.FAILED if errors else exit_codes.OK


def findings(
    loaded: PipelineFile, graph: Graph, parameters: dict[str, str], runner: str
) -> list[Finding]:
    """Return the findings about a pipeline.

    Args:
        loaded: The file.
        graph: Its graph.
        parameters: Values of runtime parameters, as typed.
        runner: Name of the runner.
    """
    from penstock.checks.check_graph import bind_known, check_graph
    from penstock.runners.local.accelerators import installed_accelerators
    from penstock.runners.registry import runner_class

    bound, found = bind_known(graph, parameters)
    installed = None
    if runner_class(runner).ABILITIES.uses_this_machine:
        needed = any(node.resources for node in bound.nodes)
        installed = installed_accelerators() if needed else []
    found += check_graph(bound, loaded.project_root, accelerators=installed)
    found += loaded.unlisted_findings()
    found += _limits(loaded, graph, runner)
    return [each if each.place else dataclasses.replace(each, place=loaded.shown) for each in found]


def _limits(loaded: PipelineFile, graph: Graph, runner: str) -> list[Finding]:
    """Return what a runner cannot do as the pipeline asks for it."""
    from penstock.checks.finding import Finding, place_of
    from penstock.cli.runner_settings import runner_of

    places = {node.id: place_of(node) for node in graph.nodes}
    return [
        Finding(
            "error" if each.fatal else "warning",
            places.get(each.node, ""),
            str(each),
            each.node if each.node != graph.name else None,
        )
        for each in runner_of(loaded, runner).limits(graph)
    ]
