from __future__ import annotations

from typing import Any

from penstock.dsl import Pipeline, RuntimeParameter, component
from penstock.graph import compile_pipeline
from penstock.launch.pipeline_difference import (
    PipelineDescription,
    PipelineDifference,
    pipeline_difference,
)


@component
def make(rows: int = 1, rate: float = 0.1) -> int:
    return rows


@component
def use(number: int, factor: int = 2) -> int:
    return number * factor


def _described(
    rows: Any = 1, factor: int = 2, name: str = "p", extra: bool = False, **settings: Any
) -> PipelineDescription:
    first = make(rows=rows)
    second = use(number=first.outputs["result"], factor=factor)
    last = use(number=second.outputs["result"]).with_id("last")
    nodes = [first, second, last, *([make().with_id("more")] if extra else [])]
    if settings:
        second.with_resources(**settings)
    return PipelineDescription.of(compile_pipeline(Pipeline(name, "gs://b/r", nodes)))


def _difference(old: Any, new: Any) -> PipelineDifference:
    return pipeline_difference(old, new)


def test_nothing_differs() -> None:
    assert _difference(_described(), _described()).to_text() == "nothing differs\n"


def test_a_parameter_of_a_node_makes_it_run_anew_and_then_what_follows() -> None:
    found = _difference(_described(), _described(factor=3))
    assert found.changes == ("use: parameter factor changed: 2 -> 3",)
    assert (found.anew, found.after, found.moved) == (("use",), ("last",), ())
    assert found.to_text() == (
        "1 change:\n"
        "  use: parameter factor changed: 2 -> 3\n"
        "what it means:\n"
        "  runs anew: use\n"
        "  after that, unless what they read comes out the same: last\n"
    )


def test_more_memory_changes_no_result() -> None:
    found = _difference(_described(memory="8Gi"), _described(memory="16Gi"))
    assert found.changes == ('use: memory changed: "8Gi" -> "16Gi"',)
    assert (found.anew, found.after, found.moved) == ((), (), ("use",))


def test_the_default_of_a_runtime_parameter_counts_for_those_who_use_it() -> None:
    old, new = (_described(rows=RuntimeParameter("rows", int, default=value)) for value in (1, 5))
    found = _difference(old, new)
    assert found.changes == ("the default of the runtime parameter rows changed: 1 -> 5",)
    assert (found.anew, found.after) == (("make",), ("use", "last"))


def test_nodes_come_and_go() -> None:
    found = _difference(_described(), _described(extra=True, name="q"))
    assert found.changes == ('the pipeline\'s name changed: "p" -> "q"', "more is new")
    assert found.anew == ("more",)
    assert _difference(_described(extra=True), _described()).changes == ("more is gone",)
