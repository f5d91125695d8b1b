"""The page of a ModelEvaluation: the verdict by threshold, metrics by slice, plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact
from penstock.cards.artifact_pages.blocks import section, tiles, verdict
from penstock.cards.charts import number
from penstock.cards.evaluation_section import evaluation_section, thresholds_section
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, Markup
from penstock.cards.metric_words import (
    are_weighted,
    is_of_the_whole,
    is_share,
    metric_words,
    quality_first,
)
from penstock.cards.model_card import collect_evaluation

_HEADLINES = 5
_LOWER_IS_BETTER = (
    "error",
    "loss",
    "crossentropy",
    "divergence",
    "false_",
    "fpr",
    "fnr",
    "fall_out",
)


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    from penstock.evaluation import read_checks, read_validation

    found = collect_evaluation(artifact.uri)
    slices = found["slices"]
    if not slices:
        raise ValueError(f"{artifact.uri} holds no metrics (metrics-*.tfrecord)")
    primary = _primary(slices[0]["metrics"], found["checks"])
    if primary is not None:
        found["slices"] = [slices[0], *_worst_first(slices[1:], *primary)]
    checks = read_checks(artifact.uri)
    overall = slices[0]["metrics"]
    weighted = are_weighted(overall)
    names = [name for name in quality_first(overall) if is_of_the_whole(name)] or list(overall)
    figures = [
        (number(overall[name]), metric_words(name, all_weighted=weighted))
        for name in names[:_HEADLINES]
    ]
    head: list[Child] = [tiles(figures)]
    if checks is not None:
        head.insert(0, verdict(_sentence(checks), list(checks["reasons"]), ok=bool(checks["ok"])))
    elif (validation := read_validation(artifact.uri)) is not None:
        head.insert(0, _validation(validation))
    body: list[Child] = []
    for made in (
        thresholds_section({"evaluation": found}),
        evaluation_section({"evaluation": found}),
    ):
        if made is not None:
            _, heading, parts = made
            note = ""
            if heading == "Evaluation" and primary is not None and len(slices) > 2:
                note = f", worst {metric_words(primary[0], all_weighted=weighted)} first"
            heading = f"Metrics by slice{note}" if heading == "Evaluation" else heading
            body.append(section(heading, parts))
    return PageContent(head=head, body=body)


def _validation(validation: Any) -> Markup:
    """Return the verdict of an evaluation that TFMA wrote."""
    from penstock.evaluation import slice_name
    from penstock.evaluation.keys import slice_key_from_proto

    failures = [
        f"{slice_name(slice_key_from_proto(each.slice_key))}: {failure.message}"
        for each in validation.metric_validations_per_slice
        for failure in each.failures
    ]
    ok = bool(validation.validation_ok)
    return verdict("All thresholds held" if ok else "Thresholds failed", failures, ok=ok)


def _sentence(checks: Mapping[str, Any]) -> str:
    text = str(checks["summary"]).partition(":")[0]
    return text[:1].upper() + text[1:]


def _primary(
    overall: Mapping[str, float], checks: Sequence[Mapping[str, Any]]
) -> tuple[str, bool] | None:
    """Return the metric by which slices are sorted, and whether higher is better.

    The first that a threshold is on, else the first share such as accuracy or AUC, else the first.
    """
    for check in checks:
        if check["metric"] in overall:
            if check["direction"]:
                return check["metric"], check["direction"] != "lower is better"
            return check["metric"], "lower" in check["bounds"]
    names = [name for name in quality_first(overall) if is_of_the_whole(name)] or list(overall)
    name = next((name for name in names if is_share(name)), names[0] if names else None)
    if name is None:
        return None
    return name, is_share(name) and not any(word in name for word in _LOWER_IS_BETTER)


def _worst_first(
    slices: Sequence[dict[str, Any]], name: str, higher_is_better: bool
) -> list[dict[str, Any]]:
    def rank(entry: dict[str, Any]) -> tuple[bool, float]:
        value = entry["metrics"].get(name)
        if value is None or value != value:
            return True, 0.0
        return False, value if higher_is_better else -value

    return sorted(slices, key=rank)
