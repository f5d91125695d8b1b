"""All the checks of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock import machine
from penstock.checks.beam_arguments import check_beam_arguments
from penstock.checks.component_class import check_component_class, check_component_resources
from penstock.checks.eval_config import check_eval_config
from penstock.checks.finding import CheckFailed, Finding, place_of, told_once
from penstock.checks.module_files import check_module_files
from penstock.checks.resolvers import check_baselines
from penstock.checks.surroundings import (
    check_external_paths,
    check_libraries,
    check_pod,
    check_resources,
)
from penstock.checks.user_code import UserCode
from penstock.dsl.exceptions import ParameterError
from penstock.graph import Graph


def check_graph(
    graph: Graph, project_root: str, *, accelerators: Iterable[str] | None = None
) -> list[Finding]:
    """Return the problems of a graph, without importing what its components run on.

    Module files, and the project's modules that they import, are only parsed; of data at most the
    header is read.

    Args:
        graph: The graph; runtime parameters without a value are skipped.
        project_root: Folder that relative paths and user modules are resolved against.
        accelerators: This machine's accelerators, such as `GPU:0`, if the graph will run here; None
            if it will run elsewhere.
    """
    found: list[Finding] = []
    if not graph.nodes:
        message = (
            f"pipeline {graph.name!r} has no components: list them in Pipeline(components=[...])"
        )
        found.append(Finding("error", "", message))
    code = UserCode(project_root)
    memory = machine.memory()
    installed = None if accelerators is None else list(accelerators)
    for node in graph.nodes:
        place = place_of(node)
        found += check_component_class(node, place)
        found += check_component_resources(node, place)
        found += check_module_files(node, code, place)
        found += check_external_paths(node, project_root, place)
        found += check_eval_config(node, graph, project_root, place)
        found += check_baselines(node, graph, place)
        found += check_beam_arguments(node, place)
        if installed is not None:
            found += check_pod(node, place)
            found += check_resources(
                node,
                place,
                cores=machine.cores(),
                memory=memory[0] if memory else None,
                accelerators=installed,
            )
    if installed is not None:
        found += check_libraries(graph.nodes)
    return found


def check_parameters(graph: Graph, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a warning for each runtime parameter that has no value yet."""
    for name, parameter in graph.parameters.items():
        if name not in given and parameter.default is None:
            message = f"runtime parameter {name!r} has no default: run it with --param {name}=VALUE"
            yield Finding("warning", "", message)


def bind_known(graph: Graph, given: Mapping[str, Any]) -> tuple[Graph, list[Finding]]:
    """Return the graph, bound as far as its runtime parameters have values, and the problems of these.

    Args:
        graph: The graph.
        given: Values by name, as typed.
    """
    found = list(check_parameters(graph, given))
    try:
        return graph.bind_known(given), found
    except ParameterError as error:
        return graph, [*found, Finding("error", "", str(error))]


def require(graph: Graph, findings: Iterable[Finding]) -> list[Finding]:
    """Return the warnings.

    Raises:
        CheckFailed: If there are errors; the message names all of them.
    """
    found = told_once(findings)
    errors = [each for each in found if each.level == "error"]
    if errors:
        raise CheckFailed(graph.name, errors)
    return found
