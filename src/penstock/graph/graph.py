"""The frozen form of a pipeline: plain values that every runner reads, in and out of JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from penstock.dsl.exceptions import ParameterError, PipelineError
from penstock.dsl.main_source import MainSource
from penstock.dsl.runtime_parameter import RuntimeParameter
from penstock.dsl.values import decode, encode
from penstock.graph.binding import bind_node, unbound
from penstock.graph.node import GraphNode
from penstock.spelling import did_you_mean

FORMAT = 1
"""Version of the JSON form."""


@dataclasses.dataclass(frozen=True, slots=True)
class Graph:
    """A pipeline as plain values.

    Attributes:
        name: Name of the pipeline.
        root: Folder or URL of the artifacts, or None for the project's default.
        metadata: URL of the metadata store, or None for the project's default.
        nodes: In a topological order.
        parameters: Runtime parameters by name.
        enable_cache: Whether earlier results are reused.
        left_out: Runtime parameters, by name, of nodes that a part of a pipeline leaves out; a
            value for one of them has no effect.
        main: Source of the notebook's or prompt's definitions that the nodes use; None if they use
            none.
    """

    name: str
    root: str | None
    metadata: str | None
    nodes: tuple[GraphNode, ...]
    parameters: Mapping[str, RuntimeParameter]
    enable_cache: bool = True
    left_out: Mapping[str, RuntimeParameter] = dataclasses.field(default_factory=dict)
    main: MainSource | None = None

    def __getitem__(self, id: str) -> GraphNode:
        """Return the node of that name.

        Raises:
            PipelineError: If there is none, with the nearest name.
        """
        for node in self.nodes:
            if node.id == id:
                return node
        near = did_you_mean(id, [node.id for node in self.nodes])
        raise PipelineError(f"Pipeline {self.name!r} has no node {id!r}.{near}")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        optional: dict[str, Any] = {}
        if self.left_out:
            optional["left_out"] = _parameters_to_json(self.left_out)
        if self.main:
            optional["main"] = dataclasses.asdict(self.main)
        return {
            "format": FORMAT,
            "name": self.name,
            "root": self.root,
            "metadata": self.metadata,
            "enable_cache": self.enable_cache,
            "parameters": _parameters_to_json(self.parameters),
            "nodes": [node.to_json() for node in self.nodes],
        } | optional

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the graph that `to_json` returned as `value`.

        Raises:
            ValueError: If it is of a newer form.
        """
        if value.get("format") != FORMAT:
            raise ValueError(
                f"This graph is of format {value.get('format')!r}; this Penstock reads {FORMAT}"
            )
        return cls(
            name=value["name"],
            root=value["root"],
            metadata=value["metadata"],
            nodes=tuple(GraphNode.from_json(node) for node in value["nodes"]),
            parameters=_parameters_from_json(value["parameters"]),
            enable_cache=value["enable_cache"],
            left_out=_parameters_from_json(value.get("left_out", {})),
            main=MainSource(**value["main"]) if "main" in value else None,
        )

    def to_text(self) -> str:
        """Return the JSON form as text, always the same for equal graphs."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of `to_text()`, as 64 hex digits."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()

    def with_parameters(self, parameters: Mapping[str, RuntimeParameter]) -> Self:
        """Return the graph with only some of its runtime parameters; the others count as left out."""
        rest = {name: each for name, each in self.parameters.items() if name not in parameters}
        return dataclasses.replace(
            self, parameters=dict(parameters), left_out={**self.left_out, **rest}
        )

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for each runtime parameter: the given one, or else its default.

        Args:
            given: Values by name; text is parsed as the parameter's type. Those of nodes that are left
                out are passed over.

        Raises:
            ParameterError: For an unknown name, a value of another type, or one that is missing.
        """
        for name in given:
            if name not in self.parameters and name not in self.left_out:
                near = did_you_mean(name, {**self.parameters, **self.left_out})
                raise ParameterError(
                    f"Pipeline {self.name!r} has no runtime parameter {name!r}.{near}"
                )
        result: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if name in given:
                value = given[name]
                text = isinstance(value, str) and parameter.ptype is not str
                result[name] = parameter.parse(value) if text else parameter.check(value)
            elif parameter.default is None:
                raise ParameterError(
                    f"Runtime parameter {name!r} of pipeline {self.name!r} has no default. Set it "
                    f"with --param {name}=VALUE"
                )
            else:
                result[name] = parameter.default
        return result

    def bind_known(self, given: Mapping[str, Any]) -> Self:
        """Return the graph with those nodes bound whose runtime parameters all have a value.

        Raises:
            ParameterError: As `bind`, but for a value that is missing.
        """
        known = {
            name: each
            for name, each in self.parameters.items()
            if name in given or each.default is not None
        }
        values = self.with_parameters(known).values(given)
        nodes = tuple(
            bind_node(node, values)
            if unbound([node.parameters, node.resources, node.pod]) <= known.keys()
            else node
            for node in self.nodes
        )
        return dataclasses.replace(self, nodes=nodes)

    def bind(self, given: Mapping[str, Any]) -> Self:
        """Return the graph with every runtime parameter replaced by its value.

        The modules of components that have runtime parameters are imported, to check the values.

        Raises:
            ParameterError: As `values`, or for a value that a component's `check` refuses.
        """
        values = self.values(given)
        nodes = tuple(bind_node(node, values) for node in self.nodes)
        return dataclasses.replace(self, nodes=nodes)


def _parameters_to_json(parameters: Mapping[str, RuntimeParameter]) -> dict[str, Any]:
    return {
        name: {
            "type": each.ptype.__name__,
            "default": encode(each.default),
            "description": each.description,
        }
        for name, each in sorted(parameters.items())
    }


def _parameters_from_json(value: Mapping[str, Any]) -> dict[str, RuntimeParameter]:
    types = {"int": int, "float": float, "str": str, "bool": bool}
    return {
        name: RuntimeParameter(
            name, types[each["type"]], decode(each["default"]), each["description"]
        )
        for name, each in value.items()
    }
