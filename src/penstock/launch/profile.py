"""What a process must be like to execute an attempt."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact
from penstock.dsl.component import Component
from penstock.dsl.references import resolve
from penstock.dsl.values import decode
from penstock.graph import GraphNode

_TENSORFLOW = ("tensorflow", "keras")


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerProfile:
    """Attempts of equal profiles may follow one another in a process; others may not.

    Once TensorFlow has run an operation its devices cannot be changed, and what the environment says
    is read when it is imported.

    Attributes:
        tensorflow: Whether TensorFlow is imported.
        environment: Variables set before anything is imported.
        settings: What the component settles before TensorFlow's first operation, as JSON text.
    """

    tensorflow: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    settings: str = "{}"

    @property
    def base(self) -> tuple[bool, tuple[tuple[str, str], ...]]:
        """What is settled once a process has made its imports, before its first attempt."""
        return self.tensorflow, self.environment


def profile_of(
    node: GraphNode, inputs: Mapping[str, Sequence[Artifact]] | None = None
) -> WorkerProfile:
    """Return the profile that a node's component asks for.

    Args:
        node: The node, its runtime parameters bound.
        inputs: Its input artifacts, where they are known.
    """
    component_class: type[Component] = resolve(node.component)
    if component_class.worker_profile is Component.worker_profile:
        return _PLAIN[node.uses_tensorflow]
    component = component_class.bind(
        inputs=inputs or {},
        outputs={},
        parameters=decode(dict(node.parameters), import_functions=False),
        check=False,
    )
    settings: dict[str, Any] = dict(component.worker_profile())
    environment = settings.pop("environment", {})
    return WorkerProfile(
        node.uses_tensorflow,
        tuple(sorted((name, str(value)) for name, value in environment.items())),
        json.dumps(settings, sort_keys=True),
    )


def warm_imports(node: GraphNode) -> tuple[str, ...]:
    """Return what a process imports before it is given the node, TensorFlow first."""
    component_class: type[Component] = resolve(node.component)
    first = _TENSORFLOW if node.uses_tensorflow else ()
    return (*first, *component_class.WARM_IMPORTS, component_class.__module__)


_PLAIN = {False: WorkerProfile(), True: WorkerProfile(tensorflow=True)}
