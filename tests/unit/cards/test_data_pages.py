"""Pages about statistics, schemas and anomalies: complete, escaped, and without any network."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock import data_validation
from penstock.cards import display_anomalies, display_schema, visualize_statistics
from penstock.cards.feature_summary import distance, summarize_dataset
from penstock.data_validation import (
    infer_schema,
    statistics_of_record_batches,
    validate_statistics,
)

from .whole_page import html_of


def statistics(numbers, words, **more):
    columns = {"n": [[v] for v in numbers], "<s>": [[v] for v in words], **more}
    return statistics_of_record_batches([pa.record_batch(columns)])


LEFT = statistics([1.0, 2.0, 3.0, 40.0], ["a", "a", "b&b", "c"])
RIGHT = statistics([7.0, 8.0], ["a", "z"])


def test_statistics_of_one_data_set():
    text = html_of(visualize_statistics(LEFT, lhs_name="taxi"))
    assert "<h1>taxi</h1>" in text
    assert "&lt;s&gt;" in text
    assert "b&amp;b" in text
    assert "<s>" not in text
    assert text.count('class="feature"') == 2


def test_two_data_sets_are_compared():
    text = html_of(visualize_statistics(LEFT, RIGHT, "train", "eval"))
    assert "train and eval" in text
    assert text.count("differs by") == 2
    assert 'value="distance"' in text
    assert 'value="distance"' not in visualize_statistics(LEFT).html


def test_features_are_chosen():
    assert "&lt;s&gt;" not in visualize_statistics(LEFT, allowlist_features=["n"]).html
    assert "&lt;s&gt;" in visualize_statistics(LEFT, denylist_features=["n"]).html
    with pytest.raises(ValueError, match="Received: both"):
        visualize_statistics(LEFT, allowlist_features=["n"], denylist_features=["n"])


def test_a_feature_on_one_side_only_is_named():
    text = html_of(visualize_statistics(LEFT, statistics([1.0], ["a"], extra=[[1]]), "a", "b"))
    assert "not in a" in text


@pytest.mark.parametrize(
    "columns",
    [
        {"x": [[float("nan")], [float("inf")], [-float("inf")]]},
        {"x": [[3.4e38], [-3.4e38]]},
        {"x": pa.nulls(3)},
        {"x": pa.array([[], None], pa.list_(pa.int64()))},
        {"x": [[2**63 - 1], [-(2**63)]]},
        {"x": [[b"\xff"], [b""]]},
        {"x": pa.array([[{"a": [1]}]], pa.list_(pa.struct([("a", pa.list_(pa.int64()))])))},
    ],
)
def test_extreme_columns_have_a_page(columns):
    found = statistics_of_record_batches([pa.record_batch(columns)])
    html_of(visualize_statistics(found, found))


def test_no_row_and_no_feature():
    nothing = statistics_pb2.DatasetFeatureStatisticsList(datasets=[{}])
    assert "There are no features." in html_of(visualize_statistics(nothing))


def test_distances():
    left, right = (summarize_dataset(s.datasets[0]) for s in (LEFT, RIGHT))
    assert distance(left["n"], left["n"]) == pytest.approx(0, abs=1e-9)
    assert 0 < distance(left["<s>"], right["<s>"]) <= 1
    assert distance(left["n"], right["<s>"]) is None


def test_outliers_do_not_hide_the_rest():
    skewed = statistics([float(i % 20) for i in range(2000)] + [1e6], ["a"] * 2001)
    text = html_of(visualize_statistics(skewed))
    assert "\N{HORIZONTAL ELLIPSIS} 1,000,000" in text
    assert text.count('class="d0"') > 10
    even = statistics([float(i) for i in range(100)], ["a"] * 100)
    assert "\N{HORIZONTAL ELLIPSIS}" not in visualize_statistics(even).html


def test_missing_is_a_share_of_rows_for_absent_and_for_empty_cells():
    batch = pa.record_batch({"x": pa.array([[1], None, [], [2]], pa.list_(pa.int64()))})
    (summary,) = summarize_dataset(statistics_of_record_batches([batch]).datasets[0]).values()
    assert summary.missing == 0.5


def test_schemas():
    schema = text_format.Parse(
        """feature { name: "<n>" type: INT presence { min_fraction: 1 } int_domain { min: 0 }
             shape { dim { size: 2 } } drift_comparator { infinity_norm { threshold: 0.1 } } }
           feature { name: "s" type: BYTES domain: "d" value_count { min: 1 max: 3 }
             not_in_environment: "SERVING" }
           string_domain { name: "d" value: "a<b" } default_environment: "SERVING" """,
        schema_pb2.Schema(),
    )
    text = html_of(display_schema(schema, "taxi"))
    for expected in (
        "&lt;n&gt;",
        "required",
        "0 or more",
        "shape 2",
        "drift: L-infinity up to 0.1",
        "1 to 3",
        "a&lt;b",
        "not in SERVING",
    ):
        assert expected in text
    with pytest.raises(TypeError, match="Received: str"):
        display_schema("schema")


def test_anomalies():
    schema = infer_schema(LEFT)
    schema.feature[0].drift_comparator.infinity_norm.threshold = 0.1
    found = validate_statistics(RIGHT, schema, previous_statistics=LEFT)
    text = html_of(display_anomalies(found, "today"))
    assert "1 error" in text
    assert "ENUM_TYPE_UNEXPECTED_STRING_VALUES" in text
    assert "Measured distances" in text
    clean = html_of(display_anomalies(validate_statistics(LEFT, schema)))
    assert "No anomalies" in clean
    empty = statistics_pb2.DatasetFeatureStatisticsList(datasets=[{}])
    assert "No data" in display_anomalies(validate_statistics(empty, schema)).html


def test_pages_are_shown_in_notebooks_and_written(tmp_path):
    page = data_validation.visualize_statistics(LEFT)
    frame = page._repr_html_()
    assert frame.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    page.write(str(tmp_path / "new" / "page.html"))
    assert (tmp_path / "new" / "page.html").read_text("utf-8") == page.html
    assert data_validation.display_schema is display_schema
    assert data_validation.display_anomalies is display_anomalies
