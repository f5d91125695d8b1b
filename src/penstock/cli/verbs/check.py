"""`penstock check`: a pipeline file, before it is run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, key_value
from penstock.cli.console import Console, print_json

if TYPE_CHECKING:
    from penstock.cli.checks.finding import Finding
    from penstock.cli.pipeline_file import PipelineFile
    from penstock.graph import Graph


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "check",
        "Check a pipeline file: wiring and parameters; module files and the signatures of their\n"
        "functions (read, not imported); outside data; resources that the runner cannot honour;\n"
        "runtime parameters without a value. Returns 1 if something is wrong.",
        [
            "penstock check pipelines/penguin.py",
            "penstock check pipelines/penguin.py --runner kubeflow --json",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="the pipeline file")
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        type=key_value,
        action="append",
        default=[],
        help="value of a runtime parameter, as for `run`",
    )
    parser.add_argument(
        "--runner",
        choices=("local", "kubeflow"),
        default="local",
        help="what it is to run on (default: local)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Check, and print what is wrong."""
    from penstock.cli.pipeline_file import load_pipeline

    loaded = load_pipeline(arguments.file)
    graph = loaded.compile()
    found = findings(loaded, graph, dict(arguments.param), arguments.runner)
    errors = sum(each.level == "error" for each in found)
    if arguments.json:
        print_json(
            {
                "pipeline": graph.name,
                "nodes": len(graph.nodes),
                "errors": errors,
                "findings": [each.to_json() for each in found],
            }
        )
        return exit_codes.FAILED if errors else exit_codes.OK
    console = Console()
    for each in found:
        level = console.style(each.level, "bad" if each.level == "error" else "warning")
        console.print(f"{each.place}: {level}: {each.message}")
    warnings = len(found) - errors
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    console.print(
        f"pipeline {graph.name}: {len(graph.nodes)} nodes, "
        f"{len(graph.parameters)} runtime parameters: "
        + (", ".join(counts) if counts else console.style("nothing wrong", "good"))
    )
    return exit_codes.FAILED if errors else exit_codes.OK


def findings(
    loaded: PipelineFile, graph: Graph, parameters: dict[str, str], runner: str
) -> list[Finding]:
    """Return what is wrong with a pipeline.

    Args:
        loaded: The file.
        graph: Its graph.
        parameters: Values of runtime parameters, as typed.
        runner: local or kubeflow.
    """
    from penstock.cli.checks.finding import Finding
    from penstock.cli.checks.module_files import check_module_files
    from penstock.cli.checks.node_lines import node_lines
    from penstock.cli.checks.surroundings import (
        check_external_paths,
        check_libraries,
        check_resources,
    )
    from penstock.cli.diagnosis import devices, machine
    from penstock.dsl import ParameterError

    found: list[Finding] = []
    given = dict(parameters)
    for name, parameter in graph.parameters.items():
        if name not in given and parameter.default is None:
            message = f"runtime parameter {name!r} has no default: run it with --param {name}=VALUE"
            found.append(Finding("warning", loaded.shown, message))
    bound = graph
    if all(name in given or each.default is not None for name, each in graph.parameters.items()):
        try:
            bound = graph.bind(given)
        except ParameterError as error:
            found.append(Finding("error", loaded.shown, str(error)))
    lines = node_lines(loaded.path, graph)
    memory = machine.memory()
    there = devices.accelerators() if any(node.resources for node in bound.nodes) else []
    for node in bound.nodes:
        place = f"{loaded.shown}:{lines[node.id]}" if node.id in lines else loaded.shown
        found += check_module_files(node, loaded.project_root, place)
        found += check_external_paths(node, loaded.project_root, place)
        if runner == "local":
            found += check_resources(
                node,
                place,
                cores=machine.cores(),
                memory=memory[0] if memory else None,
                accelerators=there,
            )
    if runner == "local":
        found += check_libraries(bound.nodes)
    else:
        found += _kubeflow_findings(graph, loaded.shown, lines)
    return found


def _kubeflow_findings(graph: Graph, shown: str, lines: dict[str, int]) -> list[Finding]:
    """Return what Kubeflow cannot do as the pipeline asks for it."""
    from penstock.cli.checks.finding import Finding
    from penstock.runners.kubeflow import KubeflowConfig, limits

    return [
        Finding(
            "error" if each.fatal else "warning",
            f"{shown}:{lines[each.node]}" if each.node in lines else shown,
            str(each),
            each.node if each.node != graph.name else None,
        )
        for each in limits(graph, KubeflowConfig())
    ]
