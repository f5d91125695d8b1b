"""Anomalies of a space shuttle, on fewer epochs."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.tensorflow

# Rows of the data: the normal state, and two that are not.
NORMAL = (53, 0, 82, 0, 52, -5, 29, 30, 2)
STRANGE = (50, 21, 77, 0, 28, 0, 27, 48, 22)


def row(values):
    return dict(zip(["time", *(f"sensor_{n}" for n in range(1, 9))], values, strict=True))


def test_it_is_no_worse_than_an_isolation_forest(run_pipeline):
    result = run_pipeline("anomaly", "--param", "epochs=4")
    scores = result["nodes"]["BaselineComparison"]["metrics"]
    assert scores["baseline/auc"] > 0.99
    assert scores["model/auc"] > scores["baseline/auc"] - 0.02
    found = result["nodes"]["Evaluator"]["metrics"]
    # The threshold leaves one normal row in a hundred above it, and there are 15 for each anomaly.
    assert found["precision"] > 0.8
    assert found["recall"] > 0.9

    from penstock.serving import load_model

    model = load_model("serving_model/anomaly")
    normal, strange = model.predict([row(NORMAL), row(STRANGE)])
    assert (normal["anomalous"], strange["anomalous"]) == (0, 1)
    assert normal["score"] < 0.5 < strange["score"]
