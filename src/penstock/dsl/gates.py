"""Gates: components that judge artifacts and hold back the other nodes that use them.

A component names the inputs that it judges in `JUDGES`, and rejects them by raising `Rejected`. All
other nodes of the pipeline that read a judged artifact wait for the gate and do not run if it
rejects. A gate also judges what the artifact only describes: for statistics, the Examples that they
were computed from, as the component that wrote them declares in `DESCRIBES`.
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

    Unlike with other errors, the outputs that the component has written are kept and published with
    the failed execution, so that you can look at them, and there is no retry. Write the outputs
    first, then raise.

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
    """Return the channels that a node judges and those that they describe; none if it cannot reject.

    Raises:
        DefinitionError: If `JUDGES` or `DESCRIBES` names an input or output that the component does
            not have.
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
    """Return the channels that an artifact describes, as its component declares in `DESCRIBES`."""
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
        DefinitionError: If `DESCRIBES` names an input or output that the component does not have.
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
    """Return the gates that hold each node back, by the node's `id()`.

    A gate holds back the nodes that read what it judged, except itself, other judges, resolvers,
    and the nodes that it waits for. `Policy.gate` and `Policy.wait_for_gates` turn this off.

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
