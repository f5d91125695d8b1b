"""What a pipeline needs around it: data, packages, machines."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence

from penstock.artifacts import location
from penstock.cli.checks.finding import Finding
from penstock.cli.diagnosis.devices import Accelerator
from penstock.cli.quantities import size
from penstock.dsl import DefinitionError
from penstock.graph import GraphNode
from penstock.installation import install_command


def check_external_paths(node: GraphNode, project_root: str, place: str) -> Iterator[Finding]:
    """Yield the outside paths of a node that do not exist; URLs are not looked at."""
    keys = [key for key, kind in node.special.items() if kind == "external_path"]
    if node.kind == "importer":
        keys.append("source_uri")
    for key in keys:
        value = node.parameters.get(key)
        if not isinstance(value, str) or not value or not location.is_local(value):
            continue
        path = os.path.normpath(os.path.join(project_root, location.local_path(value)))
        if not os.path.exists(path):
            yield Finding(
                "error", place, f"{node.id}({key}={value!r}): there is nothing at {path}", node.id
            )


def check_libraries(nodes: Sequence[GraphNode]) -> Iterator[Finding]:
    """Yield a warning if what the nodes run on is not installed."""
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
    accelerators: Sequence[Accelerator],
) -> Iterator[Finding]:
    """Yield what a node asks for and this machine, where the local runner works, does not have.

    Args:
        node: The node, its runtime parameters bound.
        place: Where the node is made.
        cores: Of the machine.
        memory: Of the machine, in bytes; None if unknown.
        accelerators: Of the machine.
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
            f"{node.id} asks for {wanted.memory} of memory; this machine has {size(memory)}",
            node.id,
        )
    if wanted.accelerator and wanted.accelerator_count:
        kind = "TPU" if wanted.is_tpu else "GPU"
        there = [each for each in accelerators if each.kind == kind]
        if len(there) < wanted.accelerator_count:
            yield Finding(
                "error",
                place,
                f"{node.id} asks for {wanted.accelerator_count} {wanted.accelerator} ({kind}); this "
                f"machine has {len(there)}. Run it elsewhere, or take the accelerator from a "
                "RuntimeParameter.",
                node.id,
            )
