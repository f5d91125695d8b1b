from __future__ import annotations

import io
import re

import pytest

from penstock.artifacts import Verdict
from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.runners.local import progress_plain
from penstock.runners.local.progress import SilentProgress, make_progress
from penstock.runners.local.progress_plain import PlainProgress, elapsed, summary
from penstock.runners.result import (
    NodeResult,
    NodeState,
    RunResult,
    failure_lines,
    resume_lines,
)


def shown(stream: io.StringIO) -> list[str]:
    return [re.sub(r"^\[ +\d+\.\d s\] ", "", line) for line in stream.getvalue().splitlines()]


def test_a_line_for_each_change(nodes) -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    graph = compile_pipeline(Pipeline("p", components=[nodes.number(value=1)]))
    progress.began(graph, "r1")
    progress.changed(NodeResult("a", NodeState.RUNNING, attempts=1, why="code of x changed"))
    progress.changed(NodeResult("a", NodeState.RETRYING, attempts=1, error="E: no"))
    progress.changed(NodeResult("a", NodeState.RUNNING, attempts=2))
    progress.changed(NodeResult("a", NodeState.COMPLETE, seconds=1.26))
    progress.changed(NodeResult("b", NodeState.CACHED))
    progress.changed(NodeResult("c", NodeState.FAILED, seconds=0.04, error="E: no"))
    progress.changed(NodeResult("d", NodeState.SKIPPED, error="c did not succeed"))
    progress.changed(NodeResult("e", NodeState.CANCELED, error="interrupted (Ctrl-C)"))
    progress.note("a note")
    assert shown(stream) == [
        "run r1 of p, 1 node",
        "a runs (code of x changed)",
        "a failed, retrying: E: no",
        "a runs, attempt 2",
        "a complete in 1.3 s",
        "b cached",
        "c FAILED after 0.0 s: E: no",
        "d skipped: c did not succeed",
        "e canceled: interrupted (Ctrl-C)",
        "a note",
    ]
    assert all(re.match(r"\[ +\d+\.\d s\] ", line) for line in stream.getvalue().splitlines())


def test_how_far_a_node_is_is_told_seldom(monkeypatch) -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    node = NodeResult("a", NodeState.RUNNING, attempts=1, progress="1 of 9 epochs")
    progress.changed(node)
    progress.advanced(node)
    assert shown(stream) == ["a runs"]
    monkeypatch.setattr(progress_plain, "PROGRESS_SECONDS", 0.0)
    progress.changed(node)
    progress.advanced(node)
    assert shown(stream)[-1] == "a: 1 of 9 epochs"


def test_verdicts_and_imports_stand_in_the_node_s_line() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    bad = Verdict("not blessed: auc 0.61 below 0.7", ok=False)
    complete = NodeResult("a", NodeState.COMPLETE, seconds=1.1, start_seconds=2.9, verdict=bad)
    progress.changed(complete)
    progress.changed(NodeResult("b", NodeState.CACHED, verdict=bad))
    progress.changed(NodeResult("c", NodeState.COMPLETE, kept=True, verdict=bad))
    rejected = NodeResult(
        "d", NodeState.FAILED, error="AnomaliesFound: long", verdict=bad, rejected=True
    )
    progress.changed(rejected)
    assert shown(stream) == [
        "a complete in 1.1 s (after 2.9 s of imports): not blessed: auc 0.61 below 0.7",
        "b cached: not blessed: auc 0.61 below 0.7",
        "c is done already: not blessed: auc 0.61 below 0.7",
        "d FAILED after 0.0 s: not blessed: auc 0.61 below 0.7",
    ]
    result = RunResult("r1", "COMPLETE", {"a": complete}, 4.0)
    assert summary(result) == "run r1 complete in 4.0 s: 1 ran; look at a"


def test_a_long_traceback_is_cut_in_the_middle() -> None:
    frames = [f"  line {number}" for number in range(40)]
    traceback = "\n".join(["Traceback:", *frames, "E: no"])
    failed = NodeResult("c", NodeState.FAILED, error="E: no", traceback=traceback)
    lines = failure_lines(RunResult("r1", "FAILED", {"c": failed}))
    assert len(lines) == 16
    assert lines[0] == "c failed: E: no"
    assert lines[8] == "  ... 27 more lines in the log ..."
    assert lines[-1] == "  line 39"


def test_what_to_type_after_a_failure() -> None:
    failed = NodeResult("c", NodeState.FAILED, error="E: no")
    result = RunResult("r1", "FAILED", {"c": failed}, resume_command="penstock resume r1")
    result.run_command = "penstock run p.py"
    assert resume_lines(result) == [
        "resume it: penstock resume r1",
        "or, if you changed the pipeline file: penstock run p.py",
    ]


def test_a_failure_is_told_once_short_first() -> None:
    stream = io.StringIO()
    failed = NodeResult(
        "c",
        NodeState.FAILED,
        attempts=2,
        error="E: no",
        traceback="Traceback:\n  line\nE: no\n",
        log_path="/l/log.txt",
    )
    skipped = NodeResult("d", NodeState.SKIPPED, error="c did not succeed")
    result = RunResult(
        "r1", "FAILED", {"c": failed, "d": skipped}, 2.0, resume_command="penstock resume r1"
    )
    PlainProgress(stream).ended(result)
    assert shown(stream) == [
        "c failed after 2 attempts: E: no",
        "Traceback:",
        "  line",
        "  log: /l/log.txt",
        "run r1 failed in 2.0 s: 1 failed, 1 skipped",
        "resume it: penstock resume r1",
    ]


def test_the_last_line_of_a_stopped_run() -> None:
    nodes = {
        "a": NodeResult("a", NodeState.COMPLETE),
        "b": NodeResult("b", NodeState.CANCELED),
    }
    result = RunResult("r1", "CANCELED", nodes, 61.0, error="stopped by `penstock stop`")
    assert summary(result) == (
        "run r1 canceled in 1:01 min: 1 ran, 1 canceled (stopped by `penstock stop`)"
    )


def test_a_resumed_run_says_what_was_done_before() -> None:
    nodes = {
        "a": NodeResult("a", NodeState.COMPLETE, kept=True),
        "b": NodeResult("b", NodeState.COMPLETE),
    }
    assert summary(RunResult("r1", "COMPLETE", nodes, 1.0)) == (
        "run r1 complete in 1.0 s: 1 ran, 1 done before"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1:00 min"), (3599, "59:59 min"), (3660, "1:01 h")],
)
def test_elapsed(seconds, text) -> None:
    assert elapsed(seconds) == text


def test_which_progress_is_shown(monkeypatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert type(make_progress("auto", io.StringIO())) is PlainProgress
    assert type(make_progress("auto", Terminal())).__name__ == "LiveProgress"
    assert type(make_progress("none")) is SilentProgress
    monkeypatch.setenv("CI", "true")
    assert type(make_progress("auto", Terminal())) is PlainProgress
