from __future__ import annotations

import io

import pytest
from rich.console import Console

from penstock.artifacts import Verdict
from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.runners.local.progress_live import LiveProgress
from penstock.runners.result import NodeResult, NodeState, RunResult


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("LINES", "30")
    progress = LiveProgress(Terminal())
    yield progress
    progress.close()


def frame(progress: LiveProgress, height: int = 30) -> list[str]:
    """Return what a frame shows, without colours."""
    stream = Terminal()
    console = Console(file=stream, width=70, height=height, color_system=None, force_terminal=True)
    console.print(progress)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def begin(progress: LiveProgress, nodes, names) -> None:
    made = [nodes.number(value=1).with_id(name) for name in names]
    progress.began(compile_pipeline(Pipeline("penguin", components=made)), "r1")


def test_a_line_for_each_node(live, nodes) -> None:
    begin(live, nodes, ["Gen", "Stats", "Schema", "Train", "Eval", "Push"])
    live.changed(NodeResult("Gen", NodeState.COMPLETE, seconds=1.23, why="code of x changed"))
    live.changed(NodeResult("Stats", NodeState.CACHED))
    live.changed(NodeResult("Schema", NodeState.RUNNING, attempts=2))
    live.changed(NodeResult("Train", NodeState.FAILED, seconds=61, error="ValueError: no"))
    live.changed(NodeResult("Eval", NodeState.SKIPPED, error="Train did not succeed"))
    lines = frame(live)
    assert lines[0] == "penguin  r1"
    assert lines[1] == " ✓  Gen        1.2 s  code of x changed"
    assert lines[2] == " ≡  Stats             cached"
    assert lines[3].endswith("  Schema     0.0 s  attempt 2")
    assert lines[4] == " ✗  Train   1:01 min  ValueError: no"
    assert lines[5] == " -  Eval              Train did not succeed"
    assert lines[6] == " ·  Push"
    assert lines[7].startswith("  4 of 6 nodes, 1 cached   0.")


def test_a_verdict_stands_in_the_node_s_line(live, nodes) -> None:
    begin(live, nodes, ["Eval", "Push"])
    bad = Verdict("not blessed: auc 0.61", ok=False)
    live.changed(NodeResult("Eval", NodeState.COMPLETE, seconds=1, why="new", verdict=bad))
    live.changed(NodeResult("Push", NodeState.CACHED, verdict=Verdict("pushed version 3")))
    lines = frame(live)
    assert lines[1] == " ✓  Eval     1.0 s  not blessed: auc 0.61"
    assert lines[2] == " ≡  Push            cached, pushed version 3"


def test_long_remarks_are_cut(live, nodes) -> None:
    begin(live, nodes, ["Train"])
    live.changed(NodeResult("Train", NodeState.FAILED, error="ValueError: " + "x" * 200))
    lines = frame(live)
    assert len(lines) == 3
    assert lines[1].startswith(" ✗  Train ")
    assert lines[1].endswith("…")
    assert len(lines[1]) <= 70


def test_a_graph_that_is_taller_than_the_terminal(live, nodes) -> None:
    names = [f"n{number}" for number in range(100)]
    begin(live, nodes, names)
    for name in names[:50]:
        live.changed(NodeResult(name, NodeState.COMPLETE, seconds=1))
    live.changed(NodeResult("n3", NodeState.FAILED, error="E: no"))
    live.changed(NodeResult("n50", NodeState.RUNNING))
    lines = frame(live, height=12)
    assert len(lines) <= 12
    assert any("✗  n3 " in line for line in lines)
    assert any(" n50 " in line for line in lines)
    assert any("n49" in line for line in lines)
    assert lines[-1].startswith("  50 of 100 nodes")


def test_a_terminal_without_unicode(live, nodes) -> None:
    begin(live, nodes, ["a", "b", "c"])
    live.changed(NodeResult("a", NodeState.COMPLETE))
    live.changed(NodeResult("b", NodeState.RUNNING))

    class Latin(Terminal):
        encoding = "latin-1"

    live._console = Console(file=Latin())
    assert live._glyph(NodeState.COMPLETE) == "+"
    assert live._glyph(NodeState.RUNNING) in "|/-\\"


def test_the_end(live, nodes) -> None:
    begin(live, nodes, ["a", "b"])
    failed = NodeResult("a", NodeState.FAILED, error="E: no", traceback="Traceback [a]\nE: no\n")
    live.changed(failed)
    live.note("mind this")
    stream = live._console.file
    live.ended(
        RunResult("r1", "FAILED", {"a": failed}, 1.0, error="a: E: no", resume_command="resume r1")
    )
    text = stream.getvalue()
    assert text.index("a failed: E: no") < text.index("Traceback [a]") < text.index("resume r1")
    assert "mind this" in text
    assert "\x1b[?25h" in text, "the cursor is shown again"
