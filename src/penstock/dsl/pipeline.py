"""The pipeline: nodes in an order in which they can run; a value that can be filtered and joined."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from penstock.dsl.channel import Channel
from penstock.dsl.exceptions import PipelineError
from penstock.dsl.gates import held_back
from penstock.dsl.node import Node, as_beam_arguments
from penstock.spelling import did_you_mean, names_its_arguments

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}")


@names_its_arguments
class Pipeline:
    """Components wired into a directed acyclic graph.

    Args:
        pipeline_name: At most 63 letters, digits, `_`, `-`, `.`.
        pipeline_root: Folder or URL under which artifacts are written; by default
            `.penstock/<name>` in the project. Relative paths are relative to the project's root.
        components: The nodes, in any order.
        metadata: URL or file of the metadata store; by default the project's.
        enable_cache: Whether earlier results are reused.
        beam_pipeline_args: Arguments for Beam of all nodes.

    Raises:
        PipelineError: For a wrong name, a root that is not text, two nodes of one name, a cycle, an edge
            from a node that is not listed, or an artifact where a pipeline needs a channel.

    Example:
        Pipeline("taxi", components=[example_gen, statistics_gen]).to_nodes("StatisticsGen")
    """

    def __init__(
        self,
        pipeline_name: str,
        pipeline_root: str | os.PathLike[str] | None = None,
        components: Iterable[Node] = (),
        *,
        metadata: str | os.PathLike[str] | None = None,
        enable_cache: bool = True,
        beam_pipeline_args: Sequence[str] = (),
    ) -> None:
        if not isinstance(pipeline_name, str) or not _NAME.fullmatch(pipeline_name):
            raise PipelineError(
                "A pipeline's name has 1 to 63 letters, digits, '_', '-' and '.', and starts with "
                f"a letter or digit. Received: {pipeline_name!r}"
            )
        if isinstance(pipeline_root, os.PathLike):
            pipeline_root = os.fspath(pipeline_root)
        if isinstance(metadata, os.PathLike):
            metadata = os.fspath(metadata)
        if pipeline_root is not None and not isinstance(pipeline_root, str):
            raise PipelineError(
                f"pipeline_root of {pipeline_name!r} is a folder or URL, as text. Received: "
                f"a {type(pipeline_root).__name__}. Components are given by name: "
                f"Pipeline({pipeline_name!r}, components=[...])"
            )
        if metadata is not None and not isinstance(metadata, str):
            raise PipelineError(
                f"metadata of {pipeline_name!r} is the file or URL of a store, as text. Received: "
                f"{metadata!r}"
            )
        if not isinstance(enable_cache, bool):
            raise PipelineError(
                f"enable_cache of {pipeline_name!r} is True or False. Received: {enable_cache!r}"
            )
        self.name = pipeline_name
        self.root = pipeline_root
        self.metadata = metadata
        self.enable_cache = enable_cache
        self.beam_pipeline_args = as_beam_arguments(beam_pipeline_args)
        given = _as_list(components)
        _check_nodes(given)
        self.external: tuple[Node, ...] = ()
        self.left_out: tuple[Node, ...] = ()
        _check_edges(given, given)
        ordered = _order(given, {})
        self._gates = held_back(ordered)
        self.nodes: tuple[Node, ...] = _order(given, self._gates)

    @property
    def components(self) -> tuple[Node, ...]:
        """The nodes, under TFX's name."""
        return self.nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, id: object) -> bool:
        return any(node.id == id for node in self.nodes)

    def __getitem__(self, id: str) -> Node:
        """Return the node of that name.

        Raises:
            PipelineError: If there is none, with the nearest name.
        """
        for node in self.nodes:
            if node.id == id:
                return node
        near = did_you_mean(id, [node.id for node in self.nodes])
        raise PipelineError(f"Pipeline {self.name!r} has no node {id!r}.{near}")

    def __repr__(self) -> str:
        return f"<Pipeline {self.name}: {', '.join(node.id for node in self.nodes)}>"

    def gates_of(self, node: Node) -> tuple[Node, ...]:
        """Return the gates that hold a node back, including those left out of a part of a pipeline."""
        return self._gates.get(id(node), ())

    def _before(self, node: Node) -> list[Node]:
        return _before(node, self._gates)

    def settled(self) -> Pipeline:
        """Return the pipeline as its nodes are now: they may have been named or wired after it was made.

        Raises:
            PipelineError: If it would not have been accepted so.
        """
        if self.left_out:
            _check_nodes(self.nodes)
            return self
        return self._with(self.nodes)

    def _with(self, nodes: Iterable[Node]) -> Pipeline:
        return Pipeline(
            self.name,
            self.root,
            nodes,
            metadata=self.metadata,
            enable_cache=self.enable_cache,
            beam_pipeline_args=self.beam_pipeline_args,
        )

    def filter(self, keep: Callable[[Node], bool]) -> Pipeline:
        """Return a pipeline of the nodes for which `keep` holds.

        Outputs of nodes that are left out are taken from their latest executions.

        Raises:
            PipelineError: If no node is kept.
        """
        kept = [node for node in self.nodes if keep(node)]
        if not kept:
            raise PipelineError(f"No node of pipeline {self.name!r} is left")
        part = self._with(())
        part.nodes = tuple(kept)
        part._gates = self._gates
        left_out = [node for node in (*self.external, *self.nodes) if node not in kept]
        needed = {id(each) for node in kept for each in node.upstream_nodes}
        part.external = tuple(node for node in left_out if id(node) in needed)
        part.left_out = tuple(node for node in (*self.left_out, *self.nodes) if node not in kept)
        return part

    def only(self, *ids: str) -> Pipeline:
        """Return a pipeline with only the named nodes."""
        wanted = {id(self[each]) for each in ids}
        return self.filter(lambda node: id(node) in wanted)

    def without(self, *ids: str) -> Pipeline:
        """Return a pipeline without the named nodes."""
        unwanted = {id(self[each]) for each in ids}
        return self.filter(lambda node: id(node) not in unwanted)

    def from_nodes(self, *ids: str) -> Pipeline:
        """Return a pipeline with the named nodes and everything downstream of them."""
        reached = {id(self[each]) for each in ids}
        for node in self.nodes:
            if any(id(each) in reached for each in self._before(node)):
                reached.add(id(node))
        return self.filter(lambda node: id(node) in reached)

    def to_nodes(self, *ids: str) -> Pipeline:
        """Return a pipeline with the named nodes and everything upstream of them."""
        needed = {id(self[each]) for each in ids}
        for node in reversed(self.nodes):
            if id(node) in needed:
                needed.update(id(each) for each in self._before(node))
        return self.filter(lambda node: id(node) in needed)

    def __add__(self, other: Pipeline) -> Pipeline:
        """Return a pipeline with the nodes of both, and the name and settings of the first."""
        both = list(self.nodes) + [node for node in other.nodes if node not in self.nodes]
        return self._with(both)


def _as_list(components: object) -> list[Node]:
    if isinstance(components, Node) or not isinstance(components, Iterable):
        raise PipelineError(
            f"components is a list of nodes: components=[...]. Received: {components!r}"
        )
    return list(components)


def _check_nodes(nodes: Sequence[Node]) -> None:
    seen: dict[str, Node] = {}
    for node in nodes:
        if not isinstance(node, Node):
            if isinstance(node, type) and issubclass(node, Node):
                hint = f" Call it to make a node: {node.__name__}(...)."
            elif isinstance(node, (list, tuple, Pipeline)):
                hint = " Write * before a list of nodes to put them into another."
            else:
                hint = ""
            raise PipelineError(f"components holds nodes.{hint} Received: {node!r}")
        if seen.get(node.id) is node:
            raise PipelineError(f"Node {node.id!r} is listed twice")
        if node.id in seen:
            raise PipelineError(
                f"Two nodes are named {node.id!r}. Rename one of them with .with_id('...')."
            )
        seen[node.id] = node


def _check_edges(nodes: Sequence[Node], known: Sequence[Node]) -> None:
    listed = {id(node) for node in known}
    for node in nodes:
        for key, sources in node.inputs.items():
            for source in sources:
                if not isinstance(source, Channel):
                    raise PipelineError(
                        f"{node.id} is given an artifact for {key!r}; in a pipeline an Importer brings "
                        f"it in: Importer({source.uri!r}, {type(source).__name__})"
                    )
        for upstream in node.upstream_nodes:
            if id(upstream) not in listed:
                raise PipelineError(
                    f"{node.id} needs {upstream.id}, which is not in components. Add it there."
                )


def _before(node: Node, gates: Mapping[int, tuple[Node, ...]]) -> list[Node]:
    """Return the nodes that end before one starts: what it reads, what it was told, its gates."""
    before = node.upstream_nodes
    return before + [each for each in gates.get(id(node), ()) if each not in before]


def _order(nodes: Sequence[Node], gates: Mapping[int, tuple[Node, ...]]) -> tuple[Node, ...]:
    """Return the nodes in a topological order that keeps the given order where it can."""
    waiting = {id(node): 0 for node in nodes}
    followers: dict[int, list[int]] = {id(node): [] for node in nodes}
    for place, node in enumerate(nodes):
        for upstream in _before(node, gates):
            waiting[id(node)] += 1
            followers.setdefault(id(upstream), []).append(place)
    ready = [place for place, node in enumerate(nodes) if not waiting[id(node)]]
    ordered: list[Node] = []
    while ready:
        following: list[int] = []
        for place in ready:
            ordered.append(nodes[place])
            for follower in followers[id(nodes[place])]:
                waiting[id(nodes[follower])] -= 1
                if not waiting[id(nodes[follower])]:
                    following.append(follower)
        ready = sorted(following)
    if len(ordered) < len(nodes):
        pending = [node for node in nodes if waiting[id(node)]]
        raise PipelineError(f"These nodes wait for each other: {_cycle(pending)}")
    return tuple(ordered)


def _cycle(nodes: Sequence[Node]) -> str:
    path: list[Node] = [nodes[0]]
    inside = {id(node) for node in nodes}
    while True:
        following = next(each for each in path[-1].upstream_nodes if id(each) in inside)
        if following in path:
            loop = [*path[path.index(following) :], following]
            return " -> ".join(node.id for node in reversed(loop))
        path.append(following)
