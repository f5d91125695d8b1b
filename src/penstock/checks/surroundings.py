"""Checks of a pipeline's surroundings: data, packages, machines."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import Literal

from penstock.artifacts import location
from penstock.checks.finding import Finding
from penstock.dsl import Component, DefinitionError
from penstock.dsl.pod import SecretKey
from penstock.dsl.references import resolve
from penstock.dsl.values import decode
from penstock.graph import GraphNode
from penstock.graph.binding import unbound
from penstock.installation import install_command
from penstock.spelling import nearest


def check_external_paths(node: GraphNode, project_root: str, place: str) -> Iterator[Finding]:
    """Yield the external paths and patterns of a node that match nothing; URLs are not checked."""
    keys = [key for key, kind in node.special.items() if kind == "external_path"]
    if node.kind == "importer":
        keys.append("source_uri")
    missing = False
    for key in keys:
        value = node.parameters.get(key)
        if not isinstance(value, str) or not value or not location.is_local(value):
            continue
        path = location.absolute(value, project_root)
        if not os.path.exists(path):
            message = f"{node.id}({key}={value!r}): there is nothing at {path}"
            if node.upstream:
                # A node before it may write it.
                yield Finding("warning", place, f"{message} yet", node.id)
            else:
                yield Finding("error", place, f"{message}{_nearest(path)}", node.id)
            missing = True
    if missing:
        return
    try:
        external_files(node, project_root)
    except (OSError, ValueError) as error:
        level: Literal["error", "warning"] = "warning" if node.upstream else "error"
        yield Finding(level, place, f"{node.id}: {error}", node.id)


def external_files(node: GraphNode, project_root: str) -> list[str]:
    """Return the local external files that a component chooses by its own patterns.

    None are returned if the component chooses none, or if a path or parameter is not known yet.

    Raises:
        FileNotFoundError: If no file matches a pattern; the message lists what is there.
        ValueError: If a pattern is faulty.
    """
    if not node.component or unbound(node.parameters):
        return []
    component_class: type[Component] = resolve(node.component)
    if component_class.external_files is Component.external_files:
        return []
    paths = [node.parameters[key] for key, kind in node.special.items() if kind == "external_path"]
    if not paths or not all(isinstance(each, str) and location.is_local(each) for each in paths):
        return []
    component = component_class.bind(
        inputs={},
        outputs={},
        parameters=decode(dict(node.parameters), import_functions=False),
        check=False,
    )
    files = component.external_files(lambda path: location.absolute(path, project_root))
    return [path for _, path in sorted(files.items())]


def _nearest(path: str) -> str:
    folder, name = os.path.split(path)
    known = os.listdir(folder) if os.path.isdir(folder) else []
    return f".{near}" if (near := nearest(name, known)) else ""


def check_libraries(nodes: Sequence[GraphNode]) -> Iterator[Finding]:
    """Yield a warning if the packages that nodes run on are not installed; cached nodes need none."""
    wanted = [node.id for node in nodes if node.uses_tensorflow]
    if wanted and importlib.util.find_spec("tensorflow") is None:
        yield Finding(
            "warning",
            "environment",
            f"TensorFlow is not installed and {', '.join(wanted)} need it. "
            f"Install it: {install_command('run')}",
        )


def check_pod(node: GraphNode, place: str) -> Iterator[Finding]:
    """Yield what the pod of a node is given on a cluster and this machine, for the local runner, lacks.

    What only places a pod on a cluster means nothing here.

    Args:
        node: The node, its runtime parameters bound.
        place: Where the node is created.
    """
    if not node.pod or unbound(node.pod):
        return
    pod = node.bound_pod
    for name, source in pod.environment.items():
        value = os.environ.get(name)
        if isinstance(source, str):
            if value != source:
                has = "is not set" if value is None else f"is {value!r}"
                yield Finding(
                    "warning",
                    place,
                    f"{node.id}: PodSettings.environment gives {name}={source!r} on a cluster; here the "
                    f"variable {has}. Set it where you run the pipeline.",
                    node.id,
                )
        elif value is None and not source.optional:
            of = (
                f"secret {source.secret!r}"
                if isinstance(source, SecretKey)
                else (f"config map {source.config_map!r}")
            )
            yield Finding(
                "warning",
                place,
                f"{node.id} gets {name} from the {of} on a cluster; here the variable is not set. Set it "
                "where you run the pipeline.",
                node.id,
            )
    for path, folder in pod.mounts.items():
        if not os.path.isdir(path):
            yield Finding(
                "warning",
                place,
                f"{node.id}: {type(folder).__name__} is mounted at {path} on a cluster; there is no such "
                "folder here.",
                node.id,
            )


def check_resources(
    node: GraphNode,
    place: str,
    *,
    cores: int,
    memory: int | None,
    accelerators: Sequence[str],
) -> Iterator[Finding]:
    """Yield the resources that a node asks for and this machine, for the local runner, does not have.

    Args:
        node: The node, its runtime parameters bound.
        place: Where the node is created.
        cores: Of the machine.
        memory: Of the machine, in bytes; None if unknown.
        accelerators: Of the machine, such as `GPU:0`.
    """
    if not node.resources or unbound(node.resources):
        return
    try:
        wanted = node.bound_resources
    except DefinitionError as error:
        yield Finding("error", place, f"{node.id}: {error}", node.id)
        return
    processes = wanted.replicas + wanted.parameter_servers
    each = f" for each of {processes} processes" if processes > 1 else ""
    if wanted.cpu is not None and wanted.cpu * processes > cores:
        yield Finding(
            "warning",
            place,
            f"{node.id} asks for {wanted.cpu:g} cores{each}; this machine has {cores}, so it runs on "
            f"{cores}.",
            node.id,
        )
    bytes_wanted = (wanted.memory_bytes or 0) * processes
    if memory is not None and bytes_wanted > memory:
        yield Finding(
            "error",
            place,
            f"{node.id} asks for {wanted.memory} of memory{each}; this machine has "
            f"{memory / 2**30:.1f} GiB",
            node.id,
        )
    if wanted.accelerator and wanted.accelerator_count:
        kind = "TPU" if wanted.is_tpu else "GPU"
        there = [name for name in accelerators if name.startswith(kind)]
        if len(there) < wanted.accelerators_in_all:
            each = f" for each of {wanted.replicas} replicas" if wanted.replicas > 1 else ""
            yield Finding(
                "error",
                place,
                f"{node.id} asks for {wanted.accelerator_count} {wanted.accelerator} ({kind}){each}; this "
                f"machine has {len(there)}. Run it elsewhere, or take the accelerator from a "
                "RuntimeParameter.",
                node.id,
            )
