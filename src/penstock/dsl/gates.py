"""Gates: components that judge artifacts and hold back whoever else uses them.

A component names in `JUDGES` the inputs that it judges, and rejects them by raising `Rejected`. All other
nodes of the pipeline that read what it judged wait for it and do not run if it rejects. Judged is also
what the judged artifact only describes: of statistics the Examples that they were computed from, as the
component that wrote them says in `DESCRIBES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.dsl.channel import Channel
from penstock.dsl.component import Component
from penstock.dsl.exceptions import DefinitionError
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    from penstock.dsl.node import Node


class Rejected(ValueError):
    """Raised by a component that judges its inputs: they do not pass, and the node fails.

    Unlike after any other error, what the component has written is kept and published with the failed
    execution, so that it can be looked at; it is not tried again. Write the outputs first, then raise.

    Example:
        class EnoughRows(Component):
            JUDGES = ("examples",)
            examples: Input[Examples]
            least: int = 1000
            rows: Output[Integer] = output()

            def run(self, context):
                self.rows.value = count(self.examples)
                if self.rows.value < self.least:
                    raise Rejected(f"{self.rows.value} rows, at least {self.least} are needed")
    """


def judged_channels(gate: Node) -> tuple[Channel, ...]:
    """Return the channels that a node judges, with those that these describe; none if it cannot reject.

    Raises:
        DefinitionError: If `JUDGES` or `DESCRIBES` names what the component does not have.
    """
    if not isinstance(gate, Component) or not gate.JUDGES:
        return ()
    _check(gate, "JUDGES", gate.JUDGES, gate.interface().inputs)
    if not gate.can_reject():
        return ()
    pending = [source for key in gate.JUDGES for source in gate.inputs.get(key, ())]
    found: dict[tuple[int, str], Channel] = {}
    while pending:
        channel = pending.pop(0)
        if isinstance(channel, Channel) and (id(channel.producer), channel.key) not in found:
            found[id(channel.producer), channel.key] = channel
            pending += described_channels(channel)
    return tuple(found.values())


def described_channels(channel: Channel) -> list[Channel]:
    """Return what an artifact describes, as its component says in `DESCRIBES`."""
    producer = channel.producer
    if not isinstance(producer, Component):
        return []
    keys = described_keys(type(producer), channel.key)
    found = [source for key in keys for source in producer.inputs.get(key, ())]
    found += [producer.outputs[key] for key in keys if key in producer.outputs]
    return [each for each in found if isinstance(each, Channel)]


def described_keys(component: type[Component], output_key: str) -> tuple[str, ...]:
    """Return the inputs and outputs of a component that one of its outputs describes.

    Raises:
        DefinitionError: If `DESCRIBES` names what the component does not have.
    """
    if not component.DESCRIBES:
        return ()
    interface = component.interface()
    _check(component, "DESCRIBES", component.DESCRIBES, interface.outputs)
    named = component.DESCRIBES.get(output_key, ())
    keys = (named,) if isinstance(named, str) else tuple(named)
    _check(component, "DESCRIBES", keys, {**interface.inputs, **interface.outputs})
    return keys


def held_back(nodes: Sequence[Node]) -> Mapping[int, tuple[Node, ...]]:
    """Return by `id()` of a node the gates that hold it back.

    Held back are the nodes that read what a gate judged, except the gate itself, those that judge too,
    resolvers, and those that the gate waits for. `Policy.gate` and `Policy.wait_for_gates` turn it off.

    Args:
        nodes: All nodes of a pipeline, in a topological order.

    Raises:
        DefinitionError: As `judged_channels`.
    """
    gates: dict[int, tuple[Node, ...]] = {}
    for gate in nodes:
        judged = {(id(each.producer), each.key) for each in judged_channels(gate)}
        if not judged or not gate.policy.gate:
            continue
        before = _ancestors(gate, gates)
        for node in nodes:
            if node is gate or _looks_only(node) or id(node) in before:
                continue
            if not node.policy.wait_for_gates:
                continue
            if any(
                (id(source.producer), source.key) in judged
                for sources in node.inputs.values()
                for source in sources
                if isinstance(source, Channel)
            ):
                gates[id(node)] = (*gates.get(id(node), ()), gate)
    return gates


def _looks_only(node: Node) -> bool:
    """Whether a node does not use what it reads: another judge, a resolver that looks for others."""
    return node.KIND == "resolver" or (isinstance(node, Component) and bool(node.JUDGES))


def _ancestors(node: Node, gates: Mapping[int, tuple[Node, ...]]) -> set[int]:
    """Return `id()` of all nodes that a node waits for, through the gates known so far, too."""
    found: set[int] = set()
    pending = [node]
    while pending:
        here = pending.pop()
        for each in (*here.upstream_nodes, *gates.get(id(here), ())):
            if id(each) not in found:
                found.add(id(each))
                pending.append(each)
    return found


def _check(
    component: Component | type[Component],
    attribute: str,
    given: Sequence[str] | Mapping[str, object],
    known: Mapping[str, object],
) -> None:
    name = component.__name__ if isinstance(component, type) else type(component).__name__
    if isinstance(given, str):
        raise DefinitionError(
            f"{name}.{attribute} is a sequence of keys, such as ({given!r},). Received: {given!r}"
        )
    for key in given:
        if key not in known:
            raise DefinitionError(f"{name}.{attribute} names {key!r}.{did_you_mean(key, known)}")
