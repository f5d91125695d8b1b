from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.artifacts import Artifact
from penstock.dsl import Component, Input, Output, Pipeline, output
from penstock.graph import compile_pipeline
from penstock.graph.drawing import (
    Box,
    Diagram,
    Line,
    NodeStatus,
    diagram_of,
    draw_mermaid,
    draw_svg,
    draw_text,
)
from penstock.graph.drawing.layout import layered_layout

PENGUIN = {
    "CsvExampleGen": [],
    "StatisticsGen": ["CsvExampleGen"],
    "SchemaGen": ["StatisticsGen"],
    "ExampleValidator": ["StatisticsGen", "SchemaGen"],
    "Transform": ["CsvExampleGen", "SchemaGen"],
    "Tuner": ["Transform", "SchemaGen"],
    "Trainer": ["Transform", "SchemaGen", "Tuner"],
    "latest_blessed_model": [],
    "Evaluator": ["CsvExampleGen", "Trainer", "latest_blessed_model"],
    "Pusher": ["Trainer", "Evaluator"],
    "ModelCard": ["Trainer", "Evaluator", "SchemaGen", "StatisticsGen", "Pusher"],
}


def diagram(reads: dict[str, list[str]], statuses: dict[str, NodeStatus] | None = None) -> Diagram:
    boxes = tuple(Box(id, "component", status=(statuses or {}).get(id)) for id in reads)
    lines = tuple(Line(p, id, ("examples",)) for id, of in reads.items() for p in of)
    return Diagram("penguin", boxes, lines)


class Source(Component):
    made: Output[Artifact] = output()

    def run(self, context):
        raise AssertionError


class Sink(Component):
    first: Input[Artifact]
    second: Input[Artifact] | None = None

    def run(self, context):
        raise AssertionError


def test_diagram_of_a_graph_has_its_edges_with_their_keys():
    source = Source().with_id("load")
    sink = Sink(first=source.outputs["made"], second=source.outputs["made"])
    after = Source().with_id("after")
    after.add_upstream_node(sink)
    drawn = diagram_of(compile_pipeline(Pipeline("p", components=[source, sink, after])))
    assert drawn.boxes == (
        Box("load", "component", "Source"),
        Box("Sink", "component"),
        Box("after", "component", "Source"),
    )
    assert drawn.lines == (Line("load", "Sink", ("made",)), Line("Sink", "after"))


def test_diagram_of_a_part_shows_what_it_reads_from_outside():
    source = Source()
    sink = Sink(first=source.outputs["made"])
    part = Pipeline("p", components=[source, sink]).only("Sink")
    drawn = diagram_of(compile_pipeline(part))
    assert [(box.id, box.kind) for box in drawn.boxes] == [
        ("Source", "outside"),
        ("Sink", "component"),
    ]
    assert "Source" in draw_text(drawn)
    assert "from an earlier run" in draw_svg(drawn)


def test_nodes_that_a_run_has_not_reached_are_pending():
    source = Source()
    graph = compile_pipeline(Pipeline("p", components=[source, Sink(first=source)]))
    drawn = diagram_of(graph, {"Source": NodeStatus("RUNNING")})
    assert [box.status.state for box in drawn.boxes if box.status] == ["RUNNING", "PENDING"]


def test_text_of_the_penguin_pipeline():
    assert draw_text(diagram(PENGUIN), width=100) == (
        "● CsvExampleGen\n"
        "├─● StatisticsGen             ← CsvExampleGen\n"
        "│ ├─● SchemaGen               ← StatisticsGen\n"
        "│ ├─┼─● ExampleValidator      ← StatisticsGen, SchemaGen\n"
        "├─│─┼─● Transform             ← CsvExampleGen, SchemaGen\n"
        "│ │ ├─┼─● Tuner               ← Transform, SchemaGen\n"
        "│ │ ├─┴─┴─● Trainer           ← Transform, SchemaGen, Tuner\n"
        "│ │ │ ● latest_blessed_model\n"
        "╰─│─│─┴───┼─● Evaluator       ← CsvExampleGen, Trainer, latest_blessed_model\n"
        "  │ │     ├─┼─● Pusher        ← Trainer, Evaluator\n"
        "  ╰─┴─────┴─┴─┴─● ModelCard   ← Trainer, Evaluator, SchemaGen, StatisticsGen, Pusher"
    )


def test_text_shows_states_and_times():
    statuses = {"A": NodeStatus("COMPLETE", "1.2 s"), "B": NodeStatus("FAILED", "3.0 s")}
    assert draw_text(diagram({"A": [], "B": ["A"]}, statuses)) == (
        "● A    complete 1.2 s\n╰─✗ B  failed 3.0 s    ← A"
    )


def test_text_in_ascii_has_nothing_else():
    text = draw_text(diagram(PENGUIN), ascii_only=True)
    assert text.isascii()
    assert "+-* StatisticsGen" in text


def test_text_is_coloured_piece_by_piece():
    seen: dict[str, set[str]] = {}

    def style(text: str, what: str) -> str:
        seen.setdefault(what, set()).add(text)
        return text

    plain = draw_text(diagram({"A": [], "B": ["A"]}))
    assert draw_text(diagram({"A": [], "B": ["A"]}), style=style) == plain
    assert seen["name"] >= {"A", "B"}
    assert seen["rail"] >= {"╰─"}


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_text_fits_the_terminal_where_names_allow(width):
    statuses = {id: NodeStatus("COMPLETE", "1.2 s") for id in PENGUIN}
    lines = draw_text(diagram(PENGUIN, statuses), width=width).splitlines()
    least = max(len(re.sub(r"\s+←.*", "", line)) for line in lines)
    assert max(map(len, lines)) <= max(width, least)


def test_text_of_a_wide_fan_in_drops_the_rails():
    reads = {f"n{number}": [] for number in range(60)} | {"sum": [f"n{n}" for n in range(60)]}
    text = draw_text(diagram(reads), width=80)
    assert all(line.startswith("● ") for line in text.splitlines())


dags = st.integers(1, 14).flatmap(
    lambda count: st.lists(
        st.lists(st.integers(0, 100), max_size=4), min_size=count, max_size=count
    ).map(
        lambda rows: {
            f"node{index}": sorted({f"node{each % index}" for each in row}) if index else []
            for index, row in enumerate(rows)
        }
    )
)


@settings(deadline=None, max_examples=80)
@given(dags)
def test_layout_leads_down_and_keeps_boxes_apart(reads):
    sizes = {id: 80.0 + 9 * len(of) for id, of in reads.items()}
    edges = [(p, id) for id, of in reads.items() for p in of]
    layout = layered_layout(sizes, edges, box_height=50, gap=20, layer_gap=40)
    for producer, consumer in edges:
        assert layout.centres[producer][1] + 90 <= layout.centres[consumer][1] + 1e-6
        path = layout.paths[producer, consumer]
        assert path[0] == layout.centres[producer]
        assert path[-1] == layout.centres[consumer]
        assert [y for _, y in path] == sorted({y for _, y in path})
    for one, (x, y) in layout.centres.items():
        assert x - sizes[one] / 2 + 1e-6 >= 0
        assert x + sizes[one] / 2 <= layout.width + 1e-6
        for other, (x2, y2) in layout.centres.items():
            if one < other and y == y2:
                assert abs(x - x2) >= (sizes[one] + sizes[other]) / 2 + 20 - 1e-6


@settings(deadline=None, max_examples=80)
@given(dags)
def test_text_has_a_line_a_node_that_joins_exactly_what_it_reads(reads):
    """Walks the rails: whoever a row's connector joins must be among what the node reads."""
    lanes: dict[int, str] = {}
    for line, (id, of) in zip(
        draw_text(diagram(reads), width=1000).splitlines(), reads.items(), strict=True
    ):
        rail = line[: line.index("●")]
        joined = {
            lanes[place] for place, mark in enumerate(rail[::2]) if mark in "├╰┼┴" and mark != " "
        }
        assert joined == set(of)
        for place, mark in enumerate(rail[::2]):
            if mark in "╰┴":
                del lanes[place]
        lanes[len(rail) // 2] = id


def test_svg_is_well_formed_and_names_everything():
    statuses = {id: NodeStatus("CACHED", "1.2 s") for id in PENGUIN}
    root = ET.fromstring(draw_svg(diagram(PENGUIN, statuses)))
    texts = {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert texts >= set(PENGUIN)
    paths = [
        e for e in root.iter("{http://www.w3.org/2000/svg}path") if "edge" in e.get("class", "")
    ]
    assert len(paths) == sum(map(len, PENGUIN.values()))
    titles = {each.text for each in root.iter("{http://www.w3.org/2000/svg}title")}
    assert "Trainer → Pusher: examples" in titles


def test_svg_and_mermaid_escape_names():
    drawn = Diagram('a<b>"&', (Box("x<y", "component", 'C"'), Box("z", "component")),
                    (Line("x<y", "z", ("k<1>",)),))  # fmt: skip
    ET.fromstring(draw_svg(drawn))
    text = draw_mermaid(drawn)
    assert 'n0["<b>x#lt;y</b><br/>C#quot;"]' in text
    assert "n0 -->|k#lt;1#gt;| n1" in text


def test_mermaid_has_states_and_shapes():
    drawn = Diagram(
        "p",
        (
            Box("A", "component", status=NodeStatus("FAILED", "2 s")),
            Box("B", "resolver", "Resolver", NodeStatus("PENDING")),
        ),
        (Line("A", "B"),),
    )
    assert draw_mermaid(drawn).splitlines()[3:] == [
        "flowchart TD",
        '    n0["<b>A</b><br/>failed 2 s"]',
        '    n1(["<b>B</b><br/>Resolver<br/>pending"])',
        "    n0 -.-> n1",
        "    classDef FAILED fill:#fbdcd9,stroke:#c43b2f,color:#5a1612",
        "    class n0 FAILED",
        "    classDef PENDING fill:#eeeeee,stroke:#999999,color:#444444",
        "    class n1 PENDING",
    ]


def test_json_form():
    value = diagram({"A": [], "B": ["A"]}, {"A": NodeStatus("COMPLETE", "1 s")}).to_json()
    assert json.loads(json.dumps(value)) == {
        "name": "penguin",
        "nodes": [
            {
                "id": "A",
                "kind": "component",
                "component": "A",
                "state": "COMPLETE",
                "note": "1 s",
                "verdict": None,
            },
            {"id": "B", "kind": "component", "component": "B"},
        ],
        "edges": [{"from": "A", "to": "B", "keys": ["examples"], "gate": False}],
    }
