"""Comparisons of optimizers, schedules and losses: two schedules, and the rest in full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.tensorflow

SENSORS = ["time", *(f"sensor_{number}" for number in range(1, 9))]


def compared(result):
    (model_run,) = result["nodes"]["Trainer"]["outputs"]["model_run"]
    plots = Path(model_run["uri"], "plots")
    told = json.loads((plots / "comparison.json").read_text())
    ends = {name: values["val_log_loss"] for name, values in told["last_epoch"].items()}
    return told, ends, {path.name for path in plots.glob("*.png")}


@pytest.mark.slow
def test_the_model_of_the_better_schedule_is_exported(copied_project, run_pipeline):
    with open("modules/optimizers.py", "a") as module:
        module.write(
            "\nCOMPARED['schedules'] = "
            "{name: SCHEDULES[name] for name in ('exponential', 'warm-up, cosine')}\n"
        )
    result = run_pipeline("optimizers", "--param", "compare=schedules")
    told, ends, pictures = compared(result)
    assert told["best"] == "warm-up, cosine"
    assert ends["warm-up, cosine"] < 0.7 * ends["exponential"]
    assert pictures == {"val_log_loss.png", "val_macro_recall.png"}
    scores = result["nodes"]["BaselineComparison"]["metrics"]
    assert scores["model/log_loss"] < scores["baseline/log_loss"] - 0.005

    from penstock.serving import load_model

    values = (55, 0, 92, 0, 0, 26, 36, 92, 56)
    asked = load_model("serving_model/optimizers")
    (answer,) = asked.predict([dict(zip(SENSORS, values, strict=True))])
    assert answer["state"] == "High"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compare", "best", "worst"),
    [
        ("schedules", "warm-up, cosine", "exponential"),
        ("losses", "cross-entropy", "hinge"),
        ("optimizers", "AdamW", "Lion"),
    ],
)
def test_each_comparison_in_full(run_pipeline, compare, best, worst):
    result = run_pipeline("optimizers", "--param", f"compare={compare}")
    told, ends, _ = compared(result)
    if compare == "optimizers":
        # Plain SGD wants larger steps than Adam, whose steps have about the size of the rate.
        assert told["learning_rates"]["SGD"] > 3 * told["learning_rates"]["Adam"]
    assert ends[best] < 1.1 * min(ends.values())
    assert ends[worst] > 1.5 * min(ends.values())
