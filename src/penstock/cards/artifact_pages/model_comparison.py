"""The page of a ModelComparison: a model's scores beside a baseline's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.artifacts import Artifact, ModelComparison
from penstock.cards.artifact_pages.blocks import fact_table, row_table, section, verdict
from penstock.cards.html_page import PageContent


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, ModelComparison)
    try:
        found = artifact.value
        metrics = [_row(each) for each in found["metrics"]]
    except FileNotFoundError:
        raise FileNotFoundError(f"{artifact.value_uri} is missing") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{artifact.value_uri} is damaged: {error!r}") from error
    better = "The model is as much better than the baseline as it must be"
    worse = "The model is not as much better than the baseline as it must be"
    head = [verdict(better if found["ok"] else worse, ok=found["ok"])]
    columns = ["metric", "model", "baseline", "improvement", "needed", "passed"]
    facts = {
        "baseline": f"{found['baseline']}: {found['description']}".rstrip(": "),
        "label": found["label"],
        **{f"rows of {split}": f"{rows:,}" for split, rows in found["rows"].items()},
        "seconds of the model, for its predictions": artifact.custom_properties.get(
            "model_seconds"
        ),
        "seconds of the baseline, with its training": artifact.custom_properties.get(
            "baseline_seconds"
        ),
    }
    body = [
        section("Metrics on held-out rows", row_table(columns, metrics)),
        section("What was compared", fact_table(facts)),
    ]
    return PageContent(head=head, body=body)


def _row(metric: Mapping[str, Any]) -> list[Any]:
    name = f"{metric['name']} (lower is better)" if metric["lower_is_better"] else metric["name"]
    judged = metric["margin"] is not None
    return [
        name,
        metric["model"],
        metric["baseline"],
        metric["improvement"],
        metric["margin"],
        ("yes" if metric["ok"] else "no") if judged else None,
    ]
