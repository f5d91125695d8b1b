import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from penstock.cards import collect, render, write_model_card
from penstock.cards.statistics_summary import summarize_statistics

GOLDEN = Path(__file__).resolve().parents[3] / "../shared/golden/penguin/pipeline_root"

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
        lineage=lineage(),
        provenance={NASTY: NASTY},
    )
    page = render(data)
    assert "<script" not in page
    assert "Not blessed" in page
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


@pytest.mark.skipif(not GOLDEN.exists(), reason="needs TFX's artifacts")
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


@pytest.mark.skipif(not GOLDEN.exists(), reason="needs TFX's artifacts")
def test_a_features_summary_adds_up():
    summary = summarize_statistics(str(GOLDEN / "StatisticsGen/statistics/3"), ["eval"])
    mass = summary["eval"]["features"]["body_mass_g"]
    assert mass["type"] == "FLOAT"
    assert mass["min"] <= mass["mean"] <= mass["max"]
    assert sum(count for _, count in mass["bars"]) == pytest.approx(100, abs=1)
