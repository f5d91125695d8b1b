import xml.etree.ElementTree as ET

import pytest

from penstock.cards.charts import MISSING, graph, heatmap, histogram, line_chart, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.98484848, "0.9848"),
        (1.0, "1"),
        (1234567.0, "1,234,567"),
        (0.00002, "2.00e-05"),
        (1234.5, "1,234.50"),
        (None, MISSING),
        (float("nan"), MISSING),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_a_line_goes_through_its_points():
    chart = ET.fromstring(line_chart({"a": [(0, 0), (1, 1)]}, x_label="x", y_label="y"))
    (line,) = chart.iter("polyline")
    (x1, y1), (x2, y2) = (map(float, p.split(",")) for p in line.get("points").split())
    assert x1 < x2
    assert y1 > y2


def test_numbers_of_an_axis_do_not_lie_on_what_it_is():
    points = [(1.0, 123_456.0), (7.0, 234_567.0)]
    chart = ET.fromstring(line_chart({"a": points}, x_label="epoch", y_label="y", whole_x=True))
    texts = {text.text: text for text in chart.iter("text")}
    assert {"2", "4", "6"} <= set(texts)
    assert "1.75" not in texts
    label = next(name for name in texts if name.startswith("200,000"))
    width = 6.5 * len(label)
    assert float(texts[label].get("x")) - width > 12 + 6


def test_residuals_have_a_line_at_zero():
    chart = ET.fromstring(
        line_chart({"a": [(10, 1), (20, 3)]}, x_label="x", y_label="y", reference="zero")
    )
    (line,) = [each for each in chart.iter("line") if each.get("class") == "diagonal"]
    zero = next(text for text in chart.iter("text") if text.text == "0")
    assert line.get("y1") == line.get("y2")
    assert float(line.get("y1")) == pytest.approx(float(zero.get("y")) - 3.5)


def test_bars_lie_where_they_are_told():
    chart = ET.fromstring(histogram([("a", 1), ("b", 1)], [(0.0, 0.25), (0.5, 1.0)], width=100))
    places = [(float(r.get("x")), float(r.get("width"))) for r in chart.iter("rect")]
    assert places == [(0.5, 24.0), (50.5, 49.0)]


def test_the_tallest_bar_is_the_most_frequent_value():
    chart = ET.fromstring(histogram([("a", 1), ("b", 4), ("c", 0)]))
    heights = [float(rect.get("height")) for rect in chart.iter("rect")]
    assert heights[1] == max(heights) == 4 * heights[0]
    assert heights[2] == 0
    assert chart.find("rect/title").text == "a: 1"


def test_a_confusion_matrix_tells_right_from_wrong():
    chart = ET.fromstring(heatmap([[8, 2], [0, 5]], ["cat", "<dog>"]))
    kinds = [rect.get("class") for rect in chart.iter("rect")]
    assert kinds == ["cell right", "cell wrong", "cell wrong", "cell right"]
    titles = [title.text for title in chart.iter("title")]
    assert titles[1] == "2 of actual cat predicted as <dog> (20.0%)"


def test_a_graph_has_an_edge_a_dependency_and_runs_to_the_right():
    nodes = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["elsewhere"]}
    chart = ET.fromstring(graph(nodes, {"a": "CACHED"}))
    assert len(list(chart.iter("path"))) == 3
    left = [float(rect.get("x")) for rect in chart.iter("rect")]
    by_name = dict(zip([t.text or "" for t in chart.iter("title")], left, strict=True))
    assert by_name["a: cached"] < by_name["b: "] < by_name["c: "]
