"""What a pipeline needs around it: data, packages, machines."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence

from penstock.artifacts import location
from penstock.checks.finding import Finding
from penstock.dsl import DefinitionError
from penstock.graph import GraphNode
from penstock.installation import install_command
from penstock.spelling import nearest


def check_external_paths(node: GraphNode, project_root: str, place: str) -> Iterator[Finding]:
    """Yield the outside paths of a node that do not exist; URLs are not looked at."""
    keys = [key for key, kind in node.special.items() if kind == "external_path"]
    if node.kind == "importer":
        keys.append("source_uri")
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


def _nearest(path: str) -> str:
    folder, name = os.path.split(path)
    known = os.listdir(folder) if os.path.isdir(folder) else []
    return f".{near}" if (near := nearest(name, known)) else ""


def check_libraries(nodes: Sequence[GraphNode]) -> Iterator[Finding]:
    """Yield a warning if what the nodes run on is not installed; what is cached needs nothing."""
    wanted = [node.id for node in nodes if node.uses_tensorflow]
    if wanted and importlib.util.find_spec("tensorflow") is None:
        yield Finding(
            "warning",
            "environment",
            f"TensorFlow is not installed and {', '.join(wanted)} need it. "
            f"Install it: {install_command('run')}",
        )


def check_resources(
    node: GraphNode,
    place: str,
    *,
    cores: int,
    memory: int | None,
    accelerators: Sequence[str],
) -> Iterator[Finding]:
    """Yield what a node asks for and this machine, where the local runner works, does not have.

    Args:
        node: The node, its runtime parameters bound.
        place: Where the node is made.
        cores: Of the machine.
        memory: Of the machine, in bytes; None if unknown.
        accelerators: Of the machine, such as `GPU:0`.
    """
    if not node.resources or any("$runtime_parameter" in str(v) for v in node.resources.values()):
        return
    try:
        wanted = node.bound_resources
    except DefinitionError as error:
        yield Finding("error", place, f"{node.id}: {error}", node.id)
        return
    if wanted.cpu is not None and wanted.cpu > cores:
        yield Finding(
            "warning",
            place,
            f"{node.id} asks for {wanted.cpu:g} cores; this machine has {cores}. It runs on those.",
            node.id,
        )
    if wanted.memory_bytes is not None and memory is not None and wanted.memory_bytes > memory:
        yield Finding(
            "error",
            place,
            f"{node.id} asks for {wanted.memory} of memory; this machine has "
            f"{memory / 2**30:.1f} GiB",
            node.id,
        )
    if wanted.accelerator and wanted.accelerator_count:
        kind = "TPU" if wanted.is_tpu else "GPU"
        there = [each for each in accelerators if each.startswith(kind)]
        if len(there) < wanted.accelerator_count:
            yield Finding(
                "error",
                place,
                f"{node.id} asks for {wanted.accelerator_count} {wanted.accelerator} ({kind}); this "
                f"machine has {len(there)}. Run it elsewhere, or take the accelerator from a "
                "RuntimeParameter.",
                node.id,
            )
