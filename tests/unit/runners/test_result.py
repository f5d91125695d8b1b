"""How a run ended."""

from penstock.runners.result import NodeResult, NodeState, RunResult


def test_a_result_is_shown_in_short():
    nodes = {
        "a": NodeResult("a", NodeState.COMPLETE, traceback="x" * 999),
        "b": NodeResult("b", NodeState.FAILED),
    }
    result = RunResult("20261127-1", "FAILED", nodes, 1.23456, error="b failed")
    assert repr(result) == (
        "RunResult('20261127-1', 'FAILED', {a: COMPLETE, b: FAILED}, seconds=1.23, error='b failed')"
    )
