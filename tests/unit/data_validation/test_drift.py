"""Drift: the index equals its formula, chance is not drift, merged counts equal the whole."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation import DriftLimit, measure_drift, statistics_of_record_batches
from penstock.data_validation.drift.measures import (
    jensen_shannon_divergence,
    population_stability_index,
    stability_index_by_chance,
)
from penstock.data_validation.drift.monitoring import _references
from penstock.data_validation.drift.observed import ObservedRows
from penstock.data_validation.drift.report import DriftReport, metric_changes


def rows(number, seed, *, fare=10.0, cities="xy", missing=0.0):
    draw = np.random.default_rng(seed)
    fares = draw.gamma(2.0, fare, number).astype(np.float32)
    towns = draw.choice(list(cities), number)
    absent = draw.random(number) < missing
    return pa.record_batch(
        {
            "fare": [
                None if gone else [float(each)] for each, gone in zip(fares, absent, strict=True)
            ],
            "town": [[str(each)] for each in towns],
            "seats": [[int(each)] for each in draw.integers(1, 5, number)],
        }
    )


@pytest.fixture(scope="module")
def training():
    return statistics_of_record_batches([rows(5_000, 1)]).datasets[0]


def by_name(report):
    return {each.name: each for each in report.features}


def test_rows_like_the_training_s_have_no_drift(training):
    for seed in range(20, 30):
        report = measure_drift(training, [rows(200, seed)], default=DriftLimit(stability_index=0.0))
        assert report.verdict == "no drift", report.reasons


def test_a_shift_a_new_value_and_missing_values_are_found(training):
    report = measure_drift(training, [rows(400, 3, fare=25.0, cities="xyzz", missing=0.4)])
    assert report.verdict == "drift"
    found = by_name(report)
    assert found["town"].new_values["z"] > 100
    assert {name for name, each in found.items() if each.reasons} == {"fare", "town"}
    assert any("missing in" in reason for reason in found["fare"].reasons)
    assert found["fare"].stability_index > 0.5
    assert not found["seats"].reasons
    assert report.features[-1].name == "seats"


def test_parts_of_numbers_hold_what_the_statistics_counted(training):
    report = measure_drift(training, [rows(5_000, 1)])
    for each in report.features:
        before, now = each.shares
        assert now == pytest.approx(before, abs=0.12 if each.name == "seats" else 0.01), each.name
        assert sum(now) == pytest.approx(1.0)


def test_the_index_and_the_divergence():
    before, now = np.array([500.0, 500.0]), np.array([800.0, 200.0])
    index = population_stability_index(before, now)
    assert index == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4), rel=0.01)
    assert jensen_shannon_divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
    assert jensen_shannon_divergence(before, before) == 0.0


def test_chance_exceeds_its_bound_about_once_in_a_thousand():
    draw = np.random.default_rng(5)
    shares = np.full(10, 0.1)
    above = 0
    for _ in range(4_000):
        a, b = draw.multinomial(2_000, shares), draw.multinomial(500, shares)
        a, b = a.astype(float), b.astype(float)
        above += population_stability_index(a, b) > stability_index_by_chance(a, b)
    assert above <= 14


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_merged_counts_equal_the_whole(cuts):
    whole = rows(200, 7, missing=0.2)
    references = _references(statistics_of_record_batches([rows(500, 1)]).datasets[0])
    together, merged = ObservedRows(references), ObservedRows(references)
    together.add(whole)
    bounds = sorted({0, 200, *(each for each in np.cumsum(cuts) if each < 200)})
    for start, end in pairwise(bounds):
        part = ObservedRows(references)
        part.add(whole.slice(start, end - start))
        merged.merge(part)
    assert merged.rows == together.rows
    for name, each in together.features.items():
        assert (merged.features[name].counts == each.counts).all()
        assert merged.features[name].missing == each.missing


def test_too_few_rows_are_not_judged(training):
    report = measure_drift(training, [rows(20, 3, fare=100.0)])
    assert report.verdict == "too few rows"
    assert report.unjudged == "20 rows, at least 100 are needed"


def test_labels_are_left_out_by_the_schema_and_by_name(training):
    batch = rows(300, 3).select(["fare", "town"])
    assert measure_drift(training, [batch]).verdict == "drift"
    assert measure_drift(training, [batch], exclude=["seats"]).verdict == "no drift"
    schema = schema_pb2.Schema(feature=[{"name": "seats", "not_in_environment": ["SERVING"]}])
    assert measure_drift(training, [batch], schema=schema).verdict == "no drift"


def test_answers_are_compared_with_statistics_of_answers(training):
    def answered(name, seed, scale):
        draws = np.random.default_rng(seed).beta(2 * scale, 2, 500)
        return {name: [[float(each)] for each in draws]}

    before = statistics_of_record_batches([pa.record_batch(answered("score", 1, 1))]).datasets[0]
    for scale, expected in ((1, "no drift"), (3, "drift")):
        columns = dict(zip(rows(500, 4).schema.names, rows(500, 4).columns, strict=True))
        batch = pa.record_batch({**columns, **answered("served.output.score", 2, scale)})
        report = measure_drift(training, [batch], predictions=before)
        assert report.verdict == expected
        assert [each.name for each in report.predictions] == ["score"]
    assert report.reasons[0].startswith("the prediction served.output.score: stability index")


def test_metrics_may_fall_or_rise_by_so_much():
    limits = {"accuracy": -0.05, "loss": 0.1}
    before, now = {"accuracy": 0.9, "loss": 0.3}, {"accuracy": 0.84, "loss": 0.39}
    fell, rose = metric_changes(before, now, limits)
    assert fell.reasons == ("accuracy fell from 0.9 to 0.84, more than 0.05",)
    assert not rose.reasons
    with pytest.raises(ValueError, match="names 'auc', which the training's evaluation lacks"):
        metric_changes(before, now, {"auc": -0.1})


def test_a_report_is_read_as_it_was_written(training):
    report = measure_drift(training, [rows(400, 3, fare=25.0, cities="xyz")])
    assert DriftReport.from_json(report.to_json()) == report


def test_wrong_names_and_types_are_told(training):
    with pytest.raises(ValueError, match="no feature 'fair'. Did you mean 'fare'?"):
        measure_drift(training, [], exclude=["fair"])
    text = pa.record_batch({"fare": [["cheap"]]})
    with pytest.raises(TypeError, match="'fare' is a number in the training statistics"):
        measure_drift(training, [text])
    with pytest.raises(ValueError, match=r"DriftLimit\(missing=...\) is 0 or more"):
        DriftLimit(missing=-1)
