"""A model's card: what it is, how good, on which data, and where it came from.

`collect` gathers it as plain data, which is the JSON; `penstock.cards.page` makes the page of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.artifacts import location
from penstock.cards.calibration import binned_calibration

CARD_FILE = "model_card.html"
DATA_FILE = "model_card.json"


def collect(
    *,
    title: str,
    description: str = "",
    model: str | None = None,
    evaluation: str | None = None,
    blessing: Mapping[str, Any] | None = None,
    schema: str | None = None,
    statistics: str | None = None,
    splits: Sequence[str] = (),
    hyperparameters: Mapping[str, Any] | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
    findings: Sequence[Mapping[str, Any]] = (),
    pushed: Mapping[str, Any] | None = None,
    lineage: Mapping[str, Any] | None = None,
    class_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Collect a card's content; absent artifacts are left out.

    Args:
        title: The model's name.
        description: What it is for, in the author's words.
        model: The SavedModel's folder.
        evaluation: The folder of an evaluation, ours or TFMA's.
        blessing: A blessing's properties: `blessed` and `reasons`.
        schema: The schema's file.
        statistics: The folder of the data's statistics.
        splits: The statistics' splits.
        hyperparameters: Their values by name.
        history: Metrics by epoch.
        findings: What the training doctor found: the `values()` of each.
        pushed: A push's properties.
        lineage: What led to the model: by node its `component`, `upstream`, `outputs`, ...
        class_names: The names of a classifier's classes, in order; by default those that travel along
            with the model.
        provenance: Anything else that accounts for the model, such as the code's version.

    Returns:
        JSON values.
    """
    from penstock.evaluation.class_names import read_class_names

    class_names = class_names or (_class_names(model) if model else ())
    if evaluation and not class_names:
        class_names = read_class_names(evaluation)
    data: dict[str, Any] = {
        "title": title,
        "description": description,
        "model": _model(model) if model else None,
        "evaluation": collect_evaluation(evaluation, class_names) if evaluation else None,
        "blessing": dict(blessing) if blessing is not None else None,
        "pushed": dict(pushed) if pushed is not None else None,
        "training": {
            "hyperparameters": dict(hyperparameters or {}),
            "history": {name: list(values) for name, values in (history or {}).items()},
            "findings": [dict(each) for each in findings],
        },
        "schema": _schema(schema) if schema else None,
        "data": _data(statistics, list(splits)) if statistics else None,
        "lineage": dict(lineage or {}),
        "provenance": dict(provenance or {}),
    }
    return _plain(data)  # type: ignore[no-any-return]


def write_model_card(data: Mapping[str, Any], folder: str) -> None:
    """Write a card as `model_card.html` and `model_card.json`.

    Args:
        data: What `collect` returned.
        folder: Where to; made if missing.
    """
    from penstock.cards.page import render

    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    (root / DATA_FILE).write_text(json.dumps(data, indent=2, allow_nan=False) + "\n")
    (root / CARD_FILE).write_text(render(data), encoding="utf-8")


def _model(path: str) -> dict[str, Any]:
    from penstock.serving.forms import form_of

    form, info = form_of(path)
    num_bytes = info.num_bytes if info else sum(size for _, size in location.list_files(path))
    signatures = list(info.signatures) if info else []
    return {"path": path, "form": form, "signatures": signatures, "num_bytes": num_bytes}


def _class_names(path: str) -> tuple[str, ...]:
    from penstock.serving import read_labels

    return read_labels(path).class_names


def collect_evaluation(folder: str, class_names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the metrics by slice, the threshold checks and the plots of an evaluation."""
    from penstock.evaluation import read_checks, read_metrics, read_plots, slice_name

    slices = []
    for key, values in read_metrics(folder):
        own = {
            k.label(): v
            for k, v in values.items()
            if k.model_name in ("", "candidate") and not k.is_diff and isinstance(v, float)
        }
        changes = {k.label(): v for k, v in values.items() if k.is_diff and isinstance(v, float)}
        slices.append({"slice": slice_name(key), "metrics": own, "changes": changes})
    checks = read_checks(folder)
    plots = next((plots for key, plots in read_plots(folder) if not key), [])
    return {
        "slices": slices,
        "checks": list(checks["checks"]) if checks else [],
        **_plots(plots, class_names),
    }


def _plots(plots: Sequence[tuple[Any, Any]], class_names: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {"confusion": None, "roc": {}, "calibration": {}}
    for key, plot in plots:
        if key.model_name not in ("", "candidate"):
            continue
        name = _plot_name(key, class_names)
        if plot.multi_class_confusion_matrix_at_thresholds.matrices:
            matrix = plot.multi_class_confusion_matrix_at_thresholds.matrices[0]
            result["confusion"] = _confusion(matrix, class_names)
        if plot.confusion_matrix_at_thresholds.matrices:
            matrices = plot.confusion_matrix_at_thresholds.matrices
            curve = [(m.false_positive_rate, m.recall) for m in matrices]
            result["roc"][name] = _thin(curve)
        if plot.calibration_histogram_buckets.buckets:
            result["calibration"][name] = binned_calibration(
                plot.calibration_histogram_buckets.buckets
            )
    return result


def _plot_name(key: Any, class_names: Sequence[str]) -> str:
    sub_key = key.sub_key
    if sub_key is not None and sub_key.class_id is not None:
        return _class_name(sub_key.class_id, class_names)
    return str(sub_key or key.output_name or "all")


def _class_name(index: int, class_names: Sequence[str]) -> str:
    return class_names[index] if 0 <= index < len(class_names) else f"class {index}"


def _confusion(matrix: Any, class_names: Sequence[str]) -> dict[str, Any]:
    highest = max((max(e.actual_class_id, e.predicted_class_id) for e in matrix.entries), default=0)
    count = max(highest + 1, len(class_names))
    cells = [[0.0] * count for _ in range(count)]
    for entry in matrix.entries:
        if entry.actual_class_id >= 0 and entry.predicted_class_id >= 0:
            cells[entry.actual_class_id][entry.predicted_class_id] += entry.num_weighted_examples
    return {"names": [_class_name(i, class_names) for i in range(count)], "cells": cells}


def _thin(curve: list[tuple[float, float]]) -> list[list[float]]:
    """Leaves out points that repeat the one before."""
    kept: list[list[float]] = []
    for x, y in curve:
        if not kept or kept[-1] != [x, y]:
            kept.append([x, y])
    return kept


def _schema(path: str) -> list[dict[str, Any]]:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.cards.schema_rows import schema_rows

    schema = text_format.Parse(Path(path).read_text("utf-8"), schema_pb2.Schema())
    return [
        {
            "name": row.name,
            "type": row.type,
            "presence": row.presence,
            "required": row.presence == "required",
            "values": row.values,
            "domain": ", ".join(row.listed) or row.domain,
        }
        for row in schema_rows(schema)
    ]


def _data(folder: str, splits: list[str]) -> dict[str, Any]:
    from penstock.cards.statistics_summary import summarize_statistics

    return summarize_statistics(folder, splits)


def _plain(value: Any) -> Any:
    """Return JSON values; a number that JSON lacks becomes None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
