"""A layered layout of a directed acyclic graph, top to bottom.

The steps are Sugiyama's (Sugiyama, Tagawa, Toda: "Methods for visual understanding of hierarchical
system structures", 1981): layers by the longest path, invisible points where a line crosses a
layer, an order within the layers that has few crossings (medians, swept down and up), then positions.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

_SWEEPS = 12
_PLACING_SWEEPS = 24

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is drawn.

    Attributes:
        centres: Of each node.
        paths: Of each edge (producer, consumer): points from one to the other.
        width: Of the drawing.
        height: Of the drawing.
    """

    centres: Mapping[str, Point]
    paths: Mapping[tuple[str, str], Sequence[Point]]
    width: float
    height: float


@dataclasses.dataclass(slots=True)
class _Vertex:
    """A node, or a point where an edge crosses a layer."""

    width: float
    layer: int
    above: list[int] = dataclasses.field(default_factory=list)
    below: list[int] = dataclasses.field(default_factory=list)
    x: float = 0.0


def layered_layout(
    sizes: Mapping[str, float],
    edges: Sequence[tuple[str, str]],
    *,
    box_height: float,
    gap: float = 28.0,
    layer_gap: float = 44.0,
) -> Layout:
    """Place nodes in layers so that every edge leads down.

    Args:
        sizes: Width of each node's box, in a topological order.
        edges: Producer and consumer.
        box_height: Height of all boxes.
        gap: Between boxes of a layer.
        layer_gap: Between layers.
    """
    edges = list(dict.fromkeys(edges))
    layers_of = _assign_layers(sizes, edges)
    vertices = [_Vertex(width, layers_of[id]) for id, width in sizes.items()]
    numbers = {id: number for number, id in enumerate(sizes)}
    chains: dict[tuple[str, str], list[int]] = {}
    for producer, consumer in edges:
        chain = [numbers[producer]]
        for layer in range(layers_of[producer] + 1, layers_of[consumer]):
            vertices.append(_Vertex(4.0, layer))
            chain.append(len(vertices) - 1)
        chain.append(numbers[consumer])
        for upper, lower in itertools.pairwise(chain):
            vertices[upper].below.append(lower)
            vertices[lower].above.append(upper)
        chains[producer, consumer] = chain
    layers = _order(vertices)
    _place(vertices, layers, gap)
    left = min((v.x - v.width / 2 for v in vertices), default=0.0)
    for vertex in vertices:
        vertex.x -= left
    step = box_height + layer_gap

    def point(number: int) -> Point:
        return vertices[number].x, vertices[number].layer * step + box_height / 2

    return Layout(
        {id: point(number) for id, number in numbers.items()},
        {edge: [point(number) for number in chain] for edge, chain in chains.items()},
        max((v.x + v.width / 2 for v in vertices), default=0.0),
        max(0.0, len(layers) * step - layer_gap),
    )


def _assign_layers(nodes: Mapping[str, float], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return each node's layer: below all that it reads, and as near its readers as may be."""
    above: dict[str, list[str]] = {id: [] for id in nodes}
    below: dict[str, list[str]] = {id: [] for id in nodes}
    for producer, consumer in edges:
        above[consumer].append(producer)
        below[producer].append(consumer)
    layer: dict[str, int] = {}
    for id in nodes:
        layer[id] = max((layer[each] + 1 for each in above[id]), default=0)
    for id in reversed(list(nodes)):
        if not above[id] and below[id]:
            layer[id] = min(layer[each] for each in below[id]) - 1
    return layer


def _order(vertices: Sequence[_Vertex]) -> list[list[int]]:
    layers: list[list[int]] = [[] for _ in range(max((v.layer for v in vertices), default=-1) + 1)]
    for number, vertex in enumerate(vertices):
        layers[vertex.layer].append(number)
    best = [list(layer) for layer in layers]
    fewest = _crossings(vertices, best)
    for sweep in range(_SWEEPS if len(vertices) < 2000 else 2):
        if fewest == 0:
            break
        downward = sweep % 2 == 0
        for index in range(len(layers)) if downward else reversed(range(len(layers))):
            place = {number: p for layer in layers for p, number in enumerate(layer)}
            keys: dict[int, float] = {}
            for p, number in enumerate(layers[index]):
                beside = vertices[number].above if downward else vertices[number].below
                places = sorted(place[each] for each in beside)
                keys[number] = sum(places) / len(places) if places else float(p)
            layers[index].sort(key=keys.__getitem__)
        _swap_neighbours(vertices, layers)
        crossings = _crossings(vertices, layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _swap_neighbours(vertices: Sequence[_Vertex], layers: list[list[int]]) -> None:
    """Swap neighbours wherever that makes fewer crossings."""
    if len(vertices) > 400:
        return
    place = {number: p for layer in layers for p, number in enumerate(layer)}
    improved = True
    while improved:
        improved = False
        for layer in layers:
            for p in range(len(layer) - 1):
                left, right = layer[p], layer[p + 1]
                now = _pair_crossings(vertices, place, left, right)
                if _pair_crossings(vertices, place, right, left) < now:
                    layer[p], layer[p + 1] = right, left
                    place[left], place[right] = p + 1, p
                    improved = True


def _pair_crossings(
    vertices: Sequence[_Vertex], place: Mapping[int, int], left: int, right: int
) -> int:
    total = 0
    for side in ("above", "below"):
        rights = [place[each] for each in getattr(vertices[right], side)]
        for each in getattr(vertices[left], side):
            total += sum(1 for other in rights if place[each] > other)
    return total


def _crossings(vertices: Sequence[_Vertex], layers: Sequence[Sequence[int]]) -> int:
    place = {number: p for layer in layers for p, number in enumerate(layer)}
    total = 0
    for layer in layers:
        ends = [place[each] for number in layer for each in sorted(
            vertices[number].below, key=place.__getitem__)]  # fmt: skip
        for index, end in enumerate(ends):
            total += sum(1 for later in ends[index + 1 :] if later < end)
    return total


def _place(vertices: Sequence[_Vertex], layers: Sequence[Sequence[int]], gap: float) -> None:
    """Give every vertex an x: near the middle of its neighbours, apart from the next one."""
    for layer in layers:
        x = 0.0
        for number in layer:
            vertices[number].x = x + vertices[number].width / 2
            x += vertices[number].width + gap
        for number in layer:
            vertices[number].x -= (x - gap) / 2
    for turn in range(_PLACING_SWEEPS):
        downward = turn % 2 == 0
        for layer in layers if downward else reversed(layers):
            wanted = []
            for number in layer:
                vertex = vertices[number]
                beside = vertex.above if downward else vertex.below
                both = beside or vertex.above or vertex.below
                middle = sum(vertices[each].x for each in both) / len(both) if both else vertex.x
                wanted.append(middle)
            _spread(vertices, layer, wanted, gap)


def _spread(
    vertices: Sequence[_Vertex], layer: Sequence[int], wanted: Sequence[float], gap: float
) -> None:
    """Set x as near to `wanted` (least squares) as the order and the gaps allow.

    Neighbours that want to overlap are pooled and moved together (pool adjacent violators).
    """
    offsets: list[float] = []
    offset = 0.0
    for index, number in enumerate(layer):
        if index:
            before = vertices[layer[index - 1]]
            offset += (before.width + vertices[number].width) / 2 + gap
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for want, off in zip(wanted, offsets, strict=True):
        value, count = want - off, 1
        while pools and pools[-1][0] > value:
            other, members = pools.pop()
            value = (value * count + other * members) / (count + members)
            count += members
        pools.append((value, count))
    index = 0
    for value, count in pools:
        for _ in range(count):
            vertices[layer[index]].x = value + offsets[index]
            index += 1
