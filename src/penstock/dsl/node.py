"""Nodes of a pipeline: the base of components, resolvers and importers."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

from penstock.artifacts import Artifact
from penstock.dsl.channel import Channel
from penstock.dsl.exceptions import ParameterError, WiringError
from penstock.dsl.pod import PodSettings
from penstock.dsl.policy import Policy
from penstock.dsl.resources import Resources
from penstock.spelling import did_you_mean

_NAME = re.compile(r"\w[\w.\-]*")
_LONGEST_NAME = 128
"""Names of folders and, on Kubeflow, of tasks are made of it, with something before or after."""
_PENSTOCK = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Outputs(Mapping[str, Any]):
    """Output channels of a node by key; the error for a wrong key suggests the nearest one."""

    def __init__(self, node: Node, channels: Mapping[str, Channel]) -> None:
        self._node = node
        self._channels = dict(channels)

    def __getitem__(self, key: str) -> Any:
        try:
            return self._channels[key]
        except KeyError:
            raise WiringError(
                f"{self._node.id} has no output {key!r}.{did_you_mean(key, self._channels)}"
            ) from None

    def __contains__(self, key: object) -> bool:
        return key in self._channels

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self._channels.values()))}}}"


class Node:
    """A node of a pipeline: its name, its edges, and how it is attempted.

    Not made directly: see `Component`, `Resolver` and `Importer`.

    Attributes:
        inputs: The sources of each input: channels, or plain artifacts in a direct call.
        policy: Retries, timeout and caching.
        resources: The resources that it needs.
        pod: How its pod is made on a cluster.
        beam_pipeline_args: Arguments for Beam, after the pipeline's.
        made_at: File and line of the user's code that made it, or None.
    """

    KIND: ClassVar[Literal["component", "resolver", "importer"]] = "component"

    def __init__(self, id: str) -> None:
        self._id = id
        self.made_at = _users_line(self)
        self.inputs: dict[str, tuple[Channel | Artifact, ...]] = {}
        self.policy = Policy()
        self.resources = Resources()
        self.pod = PodSettings()
        self.beam_pipeline_args: tuple[str, ...] = ()
        self._upstream: list[Node] = []
        self._outputs = Outputs(self, {})

    @property
    def id(self) -> str:
        """Name of the node, unique in its pipeline."""
        return self._id

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Output channels by key."""
        return self._outputs

    @property
    def upstream_nodes(self) -> list[Node]:
        """The nodes that end before this one starts, each once, in the order of the inputs."""
        nodes: dict[int, Node] = {}
        for sources in self.inputs.values():
            for source in sources:
                if isinstance(source, Channel):
                    nodes.setdefault(id(source.producer), source.producer)
        for node in self._upstream:
            nodes.setdefault(id(node), node)
        return list(nodes.values())

    @property
    def control_dependencies(self) -> list[Node]:
        """The nodes given to `add_upstream_node`."""
        return list(self._upstream)

    def with_id(self, id: str) -> Self:
        """Name the node, so that a pipeline can hold several of one component.

        Raises:
            ParameterError: If the name has characters that a folder cannot have.
        """
        if not isinstance(id, str) or not _NAME.fullmatch(id) or len(id.encode()) > _LONGEST_NAME:
            raise ParameterError(
                f"A node's name is letters, digits, '_', '-', '.', the first a letter, a digit or '_', at "
                f"most {_LONGEST_NAME} bytes. Received: {id!r}"
            )
        self._id = id
        return self

    def with_policy(self, policy: Policy | None = None, **settings: Any) -> Self:
        """Set how the node is attempted: a `Policy`, or its settings by keyword.

        Example:
            `trainer.with_policy(retries=2, timeout_seconds=3600)`

        Raises:
            ParameterError: If there is no such setting or its value is wrong.
        """
        self.policy = _replace(Policy, self.policy if policy is None else policy, settings)
        return self

    def with_resources(self, resources: Resources | None = None, **settings: Any) -> Self:
        """Set the resources that the node needs: `Resources`, or its fields by keyword.

        Example:
            `trainer.with_resources(cpu=4, memory="16Gi", accelerator="nvidia-l4")`

        Raises:
            ParameterError: If there is no such field or its value is wrong.
        """
        given = self.resources if resources is None else resources
        self.resources = _replace(Resources, given, settings)
        return self

    def with_pod(self, pod: PodSettings | None = None, **settings: Any) -> Self:
        """Set how the node's pod is made on a cluster: `PodSettings`, or its fields by keyword.

        Example:
            `trainer.with_pod(node_selector={"pool": "gpu"}, shared_memory="4Gi")`

        Raises:
            ParameterError: If there is no such field or its value is wrong.
        """
        self.pod = _replace(PodSettings, self.pod if pod is None else pod, settings)
        return self

    def with_beam_pipeline_args(self, args: Iterable[str]) -> Self:
        """Set arguments for Beam, which follow the pipeline's."""
        self.beam_pipeline_args = as_beam_arguments(args)
        return self

    def add_upstream_node(self, node: Node) -> None:
        """Have this node wait for another one that it reads nothing from."""
        if not isinstance(node, Node):
            raise WiringError(f"add_upstream_node takes a node. Received: {node!r}")
        if node not in self._upstream:
            self._upstream.append(node)

    def add_upstream_nodes(self, nodes: Iterable[Node]) -> None:
        """Have this node wait for several others."""
        for node in _as_nodes("add_upstream_nodes", nodes):
            self.add_upstream_node(node)

    def add_downstream_node(self, node: Node) -> None:
        """Have another node wait for this one."""
        if not isinstance(node, Node):
            raise WiringError(f"add_downstream_node takes a node. Received: {node!r}")
        node.add_upstream_node(self)

    def add_downstream_nodes(self, nodes: Iterable[Node]) -> None:
        """Have several other nodes wait for this one."""
        for node in _as_nodes("add_downstream_nodes", nodes):
            self.add_downstream_node(node)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


def as_beam_arguments(args: Iterable[str]) -> tuple[str, ...]:
    """Return arguments for Beam as a tuple.

    Raises:
        ParameterError: If they are one text instead of several, or not texts.
    """
    given = () if isinstance(args, str) else tuple(args)
    if isinstance(args, str) or not all(isinstance(each, str) for each in given):
        raise ParameterError(
            f"beam_pipeline_args is a list of texts, such as ['--runner=DirectRunner']. Received: {args!r}"
        )
    return given


def _as_nodes(method: str, nodes: Any) -> list[Node]:
    if isinstance(nodes, Node) or not isinstance(nodes, Iterable):
        raise WiringError(f"{method} takes a list of nodes. Received: {nodes!r}")
    return list(nodes)


def _users_line(node: Node) -> tuple[str, int] | None:
    """Return file and line of the code that makes a node, for messages; None if it is not a user's."""
    frame = inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        constructor = code.co_name == "__init__" and frame.f_locals.get("self") is node
        if not constructor and not code.co_filename.startswith(_PENSTOCK):
            return code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def _replace(kind: Any, settings: Any, changes: Mapping[str, Any]) -> Any:
    if not isinstance(settings, kind):
        raise ParameterError(
            f"Give {kind.__name__}(...), or its settings by name. Received: {settings!r}"
        )
    known = {field.name for field in dataclasses.fields(settings)}
    for name in changes:
        if name not in known:
            raise ParameterError(
                f"{type(settings).__name__} has no setting {name!r}.{did_you_mean(name, known)}"
            )
    return dataclasses.replace(settings, **changes)


def as_sources(
    owner: str, key: str, value: Any, type: type[Artifact], *, several: bool
) -> tuple[Channel | Artifact, ...]:
    """Return an input's value as channels or artifacts, checked against its type.

    Args:
        owner: Name of the component, for messages.
        key: Name of the input.
        value: A channel, an artifact, a node with a single fitting output, or a sequence of them.
        type: Class that the input takes.
        several: Whether the input takes more than one artifact.

    Raises:
        WiringError: If it is something else or of another type.
    """
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(values) != 1 and not several:
        raise WiringError(
            f"{owner}({key}=...) takes one {type.TYPE_NAME}. Received: {len(values)} of them"
        )
    sources: list[Channel | Artifact] = []
    for each in values:
        if isinstance(each, Node):
            fitting = [
                channel for channel in each.outputs.values() if issubclass(channel.type, type)
            ]
            if len(fitting) != 1:
                raise WiringError(
                    f"{owner}({key}=...) takes a channel of {type.TYPE_NAME}; node {each.id} has "
                    f"{len(fitting)} such outputs. Write {each.id}.outputs[...] with one of "
                    f"{sorted(each.outputs)}."
                )
            each = fitting[0]
        if isinstance(each, Channel):
            given = each.type
        elif isinstance(each, Artifact):
            given = each.__class__
        else:
            raise WiringError(
                f"{owner}({key}=...) takes a channel of {type.TYPE_NAME}, such as "
                f"node.outputs[...]. Received: {each.__class__.__name__} {each!r}"
            )
        if not issubclass(given, type) and given.TYPE_NAME != type.TYPE_NAME:
            raise WiringError(
                f"{owner}({key}=...) takes {type.TYPE_NAME}. Received: {each!r}, which is "
                f"{given.TYPE_NAME}"
            )
        sources.append(each)
    return tuple(sources)
