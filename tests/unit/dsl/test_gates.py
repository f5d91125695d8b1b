from __future__ import annotations

from typing import ClassVar

import pytest

from penstock.artifacts import Examples, ExampleStatistics, Integer, Schema
from penstock.dsl import Component, DefinitionError, Input, Output, Pipeline, Resolver, output
from penstock.dsl.resolver import LatestArtifacts
from penstock.graph import Edge, Graph, compile_pipeline

from .example_components import Gen, count


class Describe(Component):
    DESCRIBES: ClassVar = {"statistics": "examples"}

    examples: Input[Examples]
    schema: Input[Schema] | None = None
    statistics: Output[ExampleStatistics] = output()


class Check(Component):
    """A gate if `strict`."""

    JUDGES: ClassVar = ("statistics",)

    statistics: Input[ExampleStatistics]
    limit: Input[Integer] | None = None
    strict: bool = True
    found: Output[Integer] = output()

    def can_reject(self) -> bool:
        return self.strict


class Draft(Component):
    statistics: Input[ExampleStatistics]
    schema: Output[Schema] = output()


class Use(Component):
    examples: Input[Examples]
    other: Input[Integer] | None = None
    rows: Output[Integer] = output()


@pytest.fixture
def gen():
    return Gen(path="data")


@pytest.fixture
def stats(gen):
    return Describe(examples=gen.examples).with_id("stats")


def gates(*nodes) -> dict[str, list[str]]:
    pipeline = Pipeline("p", components=list(nodes))
    return {
        node.id: [gate.id for gate in pipeline.gates_of(node)]
        for node in pipeline.nodes
        if pipeline.gates_of(node)
    }


def test_a_gate_holds_back_who_reads_what_it_judged_or_what_that_describes(gen, stats) -> None:
    use = Use(examples=gen.examples)
    draft = Draft(statistics=stats.statistics)
    after = count(examples=gen.examples).with_id("after")
    gate = Check(statistics=stats.statistics)
    assert gates(use, draft, gen, stats, gate, after) == {
        "Use": ["Check"],
        "Draft": ["Check"],
        "after": ["Check"],
    }


def test_the_compiled_graph_waits_for_the_gate(gen, stats) -> None:
    use = Use(examples=gen.examples)
    graph = compile_pipeline(
        Pipeline("p", components=[gen, use, stats, Check(statistics=stats.statistics)])
    )
    assert [node.id for node in graph.nodes] == ["Gen", "stats", "Check", "Use"]
    assert graph["Use"].upstream == ("Gen", "Check")
    assert graph["Use"].gates == ("Check",)
    assert graph["Check"].judges == (Edge("stats", "statistics"), Edge("Gen", "examples"))
    assert Graph.from_json(graph.to_json()) == graph


@pytest.mark.parametrize("off", ["cannot reject", "gate", "consumer"])
def test_it_can_be_turned_off(gen, stats, off) -> None:
    gate = Check(statistics=stats.statistics, strict=off != "cannot reject")
    use = Use(examples=gen.examples)
    if off == "gate":
        gate.with_policy(gate=False)
    if off == "consumer":
        use.with_policy(wait_for_gates=False)
    assert gates(gen, stats, gate, use) == {}


def test_what_a_gate_waits_for_is_not_held_back(gen, stats) -> None:
    use = Use(examples=gen.examples).with_id("limit")
    gate = Check(statistics=stats.statistics, limit=use.rows)
    assert gates(gen, stats, use, gate) == {}


def test_two_gates_do_not_hold_back_each_other(gen, stats) -> None:
    one = Check(statistics=stats.statistics).with_id("one")
    two = Check(statistics=stats.statistics).with_id("two")
    previous = Resolver(
        LatestArtifacts(), other_than=stats.statistics, statistics=ExampleStatistics
    )
    use = Use(examples=gen.examples)
    assert gates(gen, stats, one, two, previous, use) == {"Use": ["one", "two"]}


def test_gates_that_would_wait_for_each_other_make_no_cycle() -> None:
    one, two = Gen(path="1").with_id("g1"), Gen(path="2").with_id("g2")
    first = Describe(examples=one.examples).with_id("s1")
    second = Describe(examples=two.examples).with_id("s2")
    limit_1 = Use(examples=two.examples).with_id("limit_1")
    limit_2 = Use(examples=one.examples).with_id("limit_2")
    gate_1 = Check(statistics=first.statistics, limit=limit_1.rows).with_id("gate_1")
    gate_2 = Check(statistics=second.statistics, limit=limit_2.rows).with_id("gate_2")
    # gate_1 holds back limit_2, for which gate_2 waits: then gate_2 cannot hold back limit_1.
    found = gates(one, two, first, second, limit_1, limit_2, gate_1, gate_2)
    assert found == {"limit_2": ["gate_1"]}


def test_parts_of_a_pipeline_keep_their_gates(gen, stats) -> None:
    use = Use(examples=gen.examples)
    gate = Check(statistics=stats.statistics)
    pipeline = Pipeline("p", components=[gen, stats, gate, use])
    assert [node.id for node in pipeline.to_nodes("Use")] == ["Gen", "stats", "Check", "Use"]
    assert [node.id for node in pipeline.from_nodes("Check")] == ["Check", "Use"]
    alone = compile_pipeline(pipeline.only("Use"))
    assert alone["Use"].upstream == ()
    assert alone["Use"].gates == ("Check",)
    both = pipeline.only("Gen", "stats") + pipeline.only("Check", "Use")
    assert [gate.id for gate in both.gates_of(use)] == ["Check"]


def test_names_are_checked(gen) -> None:
    class Wrong(Component):
        JUDGES: ClassVar = ("exampels",)

        examples: Input[Examples]

    with pytest.raises(DefinitionError, match=r"Wrong\.JUDGES names 'exampels'. Did you mean"):
        Pipeline("p", components=[gen, Wrong(examples=gen.examples)])

    class Text(Component):
        JUDGES: ClassVar = "examples"

        examples: Input[Examples]

    with pytest.raises(DefinitionError, match=r"Text\.JUDGES is a sequence of keys"):
        Pipeline("p", components=[gen, Text(examples=gen.examples)])
