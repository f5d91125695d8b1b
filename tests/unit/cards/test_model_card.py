import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from penstock.cards import collect, render, write_model_card
from penstock.cards.calibration import binned_calibration
from penstock.cards.statistics_summary import summarize_statistics

GOLDEN = Path(__file__).resolve().parents[2] / "golden/penguin/pipeline_root"

NASTY = "<script>alert('x')</script>"


def lineage() -> dict:
    artifact = {"type": "Model", "id": 3, "uri": f"/x/{NASTY}", "fingerprint": "abcdef0123456789"}
    return {
        "Gen": {"component": "G", "execution_id": 1, "state": "CACHED", "upstream": []},
        "Trainer": {
            "component": "T",
            "execution_id": 2,
            "state": "COMPLETE",
            "upstream": ["Gen"],
            "parameters": {"module_file": NASTY},
            "outputs": {"model": [artifact]},
        },
    }


class Outline(HTMLParser):
    """Sections by id, references to the outside, and elements that were not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.outside: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "section":
            self.sections.append(values["id"])
        for name in ("src", "href"):
            if name in values and not values[name].startswith("#"):
                self.outside.append(values[name])
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    return parser


def test_a_card_of_nothing_but_a_title_is_a_page():
    found = outline(render(collect(title="Bare")))
    assert found.sections == []
    assert found.open == []


def test_everything_is_escaped_and_nothing_is_fetched():
    data = collect(
        title=NASTY,
        description=NASTY,
        blessing={"blessed": 0, "reasons": [NASTY]},
        hyperparameters={NASTY: NASTY},
        history={NASTY: [1.0, 2.0], f"val_{NASTY}": [1.0, float("nan")]},
        findings=[
            {
                "code": "dead-units",
                "severity": "warning",
                "step": 7,
                "message": NASTY,
                "advice": NASTY,
            }
        ],
        lineage=lineage(),
        provenance={NASTY: NASTY},
    )
    page = render(data)
    assert "<script" not in page
    assert "Not blessed" in page
    assert "dead-units" in page
    found = outline(page)
    assert found.outside == []
    assert found.open == []
    assert found.sections == ["training", "lineage"]


def test_the_page_has_a_dark_theme_and_prints():
    page = render(collect(title="Bare"))
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_numbers_that_json_lacks_become_null(tmp_path):
    write_model_card(collect(title="t", history={"loss": [1.0, float("inf")]}), str(tmp_path))
    data = json.loads((tmp_path / "model_card.json").read_text())
    assert data["training"]["history"] == {"loss": [1.0, None]}
    assert (tmp_path / "model_card.html").read_text().startswith("<!doctype html>")


def test_required_is_said_of_what_is_required(tmp_path):
    (tmp_path / "schema.pbtxt").write_text(
        """
        feature { name: "all" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
        feature { name: "some" type: FLOAT presence { min_count: 1 } value_count { min: 1 max: 1 } }
        feature { name: "empty" type: BYTES presence { min_fraction: 1 } value_count { max: 1 } }
        feature { name: "from" type: INT presence { min_fraction: 1 } int_domain { min: 1 } }
        """
    )
    found = {f["name"]: f for f in collect(title="t", schema=f"{tmp_path}/schema.pbtxt")["schema"]}
    assert [name for name in found if found[name]["required"]] == ["all", "from"]
    assert [each["presence"] for each in found.values()].count("optional") == 2
    assert found["from"]["domain"] == "1 or more"


class Bucket:
    """A bucket of a calibration histogram."""

    def __init__(self, prediction, label, weight):
        self.num_weighted_examples = SimpleNamespace(value=weight)
        self.total_weighted_label = SimpleNamespace(value=label * weight)
        self.total_weighted_refined_prediction = SimpleNamespace(value=prediction * weight)


def test_a_regression_shows_its_residuals():
    buckets = [Bucket(10.0, 12.0, 2.0), Bucket(0.0, 0.0, 0.0), Bucket(30.0, 29.0, 4.0)]
    points = binned_calibration(buckets)
    assert points == [[10.0, 12.0, 2.0], [30.0, 29.0, 4.0]]
    slices = [{"slice": "Overall", "metrics": {"mean_squared_error": 4.0}, "changes": {}}]
    data = {"title": "t", "evaluation": {"slices": slices, "calibration": {"all": points}}}
    page = render(data)
    assert "Residuals" in page
    assert "Calibration" not in page
    data["evaluation"]["calibration"] = {"all": points[:1]}
    assert "Give the metric CalibrationPlot the range of the label" in render(data)


def test_probabilities_show_their_calibration():
    points = binned_calibration(
        [Bucket(0.11, 0.2, 1.0), Bucket(0.19, 0.2, 3.0), Bucket(1.0, 1.0, 1.0)]
    )
    assert points == [pytest.approx([0.17, 0.2, 4.0]), [1.0, 1.0, 1.0]]
    slices = [{"slice": "Overall", "metrics": {"auc": 0.9}, "changes": {}}]
    page = render({"title": "t", "evaluation": {"slices": slices, "calibration": {"a": points}}})
    assert "Calibration" in page
    assert "Residuals" not in page


def test_infinite_predictions_have_no_place_in_a_plot():
    infinite = Bucket(float("inf"), 1.0, 1.0)
    assert binned_calibration([Bucket(0.15, 0.2, 1.0), infinite]) == [[0.15, 0.2, 1.0]]
    assert binned_calibration([infinite]) == []


def test_bars_show_shares_alone():
    metrics = {"auc": 0.75, "example_count": 1.0, "mean_absolute_error": 0.5}
    page = render(
        {"title": "t", "evaluation": {"slices": [{"slice": "Overall", "metrics": metrics}]}}
    )
    assert page.count('class="meter"') == 1
    assert "width:75.0%" in page


def test_a_card_of_what_tfx_wrote():
    data = collect(
        title="TFX's penguins",
        evaluation=str(GOLDEN / "Evaluator/evaluation/8"),
        schema=str(GOLDEN / "SchemaGen/schema/4/schema.pbtxt"),
        statistics=str(GOLDEN / "StatisticsGen/statistics/3"),
        splits=["train", "eval"],
    )
    (overall,) = data["evaluation"]["slices"]
    assert overall["slice"] == "Overall"
    assert overall["metrics"]["sparse_categorical_accuracy"] == pytest.approx(0.99, abs=1e-6)
    assert data["data"]["train"]["num_examples"] == 234
    assert {f["name"] for f in data["schema"]} >= {"species", "body_mass_g"}
    page = render(data)
    assert outline(page).sections == ["evaluation", "data", "schema"]
    assert re.search(r"train \(234 rows\)", page)


def test_a_features_summary_adds_up():
    summary = summarize_statistics(str(GOLDEN / "StatisticsGen/statistics/3"), ["eval"])
    mass = summary["eval"]["features"]["body_mass_g"]
    assert mass["type"] == "FLOAT"
    assert mass["min"] <= mass["mean"] <= mass["max"]
    assert sum(count for _, count in mass["bars"]) == pytest.approx(100, abs=1)
