"""The sections of a model card; each is left out where there is nothing to show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import MISSING, graph, heatmap, histogram, line_chart, number
from penstock.cards.markup import Markup, join, tag

Section = tuple[str, str, Markup]
"""A section's anchor, heading and body."""


def evaluation_section(data: Mapping[str, Any]) -> Section | None:
    """The metrics by slice, and the plots of the whole."""
    evaluation = data.get("evaluation")
    if not evaluation or not evaluation["slices"]:
        return None
    names = list(dict.fromkeys(n for s in evaluation["slices"] for n in s["metrics"]))
    plain = [name for name in names if " (" not in name] or names[:8]
    rest = [name for name in names if name not in plain]
    figures = []
    if evaluation.get("confusion"):
        confusion = evaluation["confusion"]
        chart = heatmap(confusion["cells"], confusion["names"])
        figures.append(tag("div", tag("h3", "Confusion matrix"), chart))
    if evaluation.get("roc"):
        curves = {name: [(x, y) for x, y in curve] for name, curve in evaluation["roc"].items()}
        chart = line_chart(
            curves,
            x_label="false positive rate",
            y_label="recall",
            x_range=(0, 1),
            y_range=(0, 1),
            diagonal=True,
        )
        figures.append(tag("div", tag("h3", "ROC curve"), chart))
    if evaluation.get("calibration"):
        curves = {n: [(p, a) for p, a, _ in line] for n, line in evaluation["calibration"].items()}
        chart = line_chart(
            curves,
            x_label="mean prediction",
            y_label="mean label",
            x_range=(0, 1),
            y_range=(0, 1),
            diagonal=True,
            markers=True,
        )
        figures.append(tag("div", tag("h3", "Calibration"), chart))
    more = None
    if rest:
        summary = tag("summary", f"{len(rest)} more metrics")
        more = tag("details", summary, _slice_table(evaluation["slices"], rest))
    body = [
        _slice_table(evaluation["slices"], plain),
        more,
        tag("div", figures, class_="figures") if figures else None,
    ]
    return "evaluation", "Evaluation", join(body)


def _slice_table(slices: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Markup:
    rows = []
    for i, entry in enumerate(slices):
        cells = [tag("td", entry["slice"])]
        for name in names:
            value = entry["metrics"].get(name)
            share = value is not None and 0 <= value <= 1 and not _is_cost(name)
            meter = tag("i", style=f"width:{100 * value:.1f}%") if share else None
            cells.append(
                tag(
                    "td",
                    number(value),
                    tag("span", meter, class_="meter") if share else None,
                    class_="num",
                )
            )
        rows.append(tag("tr", cells, class_="overall" if i == 0 else None))
    head = [tag("th", "Slice"), *(tag("th", words(name), class_="num") for name in names)]
    return _table(head, rows)


def thresholds_section(data: Mapping[str, Any]) -> Section | None:
    """Each threshold with its value, bound and slice; those that failed come first."""
    checks = (data.get("evaluation") or {}).get("checks") or []
    if not checks:
        return None
    rows = []
    for check in sorted(checks, key=lambda c: c["passed"]):
        bounds = ", ".join(f"{name} {number(bound)}" for name, bound in check["bounds"].items())
        if check["direction"]:
            bounds += f" ({check['direction']})"
        passed = check["passed"]
        rows.append(
            tag(
                "tr",
                tag("td", _pill("held" if passed else "failed", "good" if passed else "bad")),
                tag(
                    "td",
                    words(check["metric"]),
                    " change" if check["baseline"] is not None else None,
                ),
                tag("td", check["slice"]),
                tag("td", number(check["value"]), class_="num"),
                tag("td", number(check["baseline"]), class_="num"),
                tag("td", bounds),
            )
        )
    head = [tag("th", name) for name in ("", "Metric", "Slice")]
    head += [tag("th", name, class_="num") for name in ("Value", "Baseline")]
    return "thresholds", "Thresholds", _table([*head, tag("th", "Bound")], rows)


def training_section(data: Mapping[str, Any]) -> Section | None:
    """Hyperparameters, the export, and the curves of the epochs."""
    training = data.get("training") or {}
    values, history = training.get("hyperparameters") or {}, training.get("history") or {}
    model = data.get("model") or {}
    if not values and not history and not model:
        return None
    figures = []
    metrics = [name for name in history if not name.startswith("val_") and len(history[name]) > 1]
    for name in metrics:
        curves = {"training": _points(history[name])}
        if f"val_{name}" in history:
            curves["validation"] = _points(history[f"val_{name}"])
        chart = line_chart(curves, x_label="epoch", y_label=words(name), markers=True)
        figures.append(tag("div", tag("h3", words(name).capitalize()), chart))
    facts = [(name, _text(value)) for name, value in sorted(values.items())]
    if model:
        facts.append(("Signatures", ", ".join(model["signatures"])))
        facts.append(("Size of the export", f"{number(model['num_bytes'] / 1024)} KiB"))
    rows = [tag("tr", tag("td", name), tag("td", value, class_="mono")) for name, value in facts]
    body = [
        _table([], rows) if rows else None,
        tag("div", figures, class_="figures") if figures else None,
    ]
    return "training", "Training", join(body)


def data_section(data: Mapping[str, Any]) -> Section | None:
    """Each feature with a histogram a split."""
    splits: Mapping[str, Any] = data.get("data") or {}
    if not splits:
        return None
    names = list(dict.fromkeys(name for split in splits.values() for name in split["features"]))
    head = [tag("th", "Feature"), tag("th", "Type")]
    head += [
        tag("th", f"{split} ({number(summary['num_examples'])} rows)")
        for split, summary in splits.items()
    ]
    rows = []
    for name in names:
        kinds = [s["features"][name]["type"] for s in splits.values() if name in s["features"]]
        cells = [tag("td", tag("b", name)), tag("td", kinds[0].lower(), class_="muted")]
        cells += [tag("td", _feature(s["features"].get(name))) for s in splits.values()]
        rows.append(tag("tr", cells))
    return "data", "Data", _table(head, rows)


def _feature(feature: Mapping[str, Any] | None) -> Markup:
    if feature is None:
        return tag("span", MISSING, class_="muted")
    notes = []
    if "mean" in feature:
        notes.append(
            f"mean {number(feature['mean'])}, {number(feature['min'])} to {number(feature['max'])}"
        )
    elif "unique" in feature:
        notes.append(f"{number(feature['unique'])} values")
    if feature["missing"] > 0:
        notes.append(f"{feature['missing']:.1%} missing")
    bars = [(name, value) for name, value in feature["bars"]]
    return tag("div", histogram(bars), tag("div", "; ".join(notes), class_="muted"))


def schema_section(data: Mapping[str, Any]) -> Section | None:
    """What the schema says of each feature."""
    features = data.get("schema")
    if not features:
        return None
    rows = [
        tag(
            "tr",
            tag("td", tag("b", feature["name"])),
            tag("td", feature["type"].lower()),
            tag("td", "required" if feature["required"] else "optional"),
            tag("td", feature["domain"]),
        )
        for feature in features
    ]
    head = [tag("th", name) for name in ("Feature", "Type", "Presence", "Domain")]
    return "schema", "Schema", _table(head, rows)


def lineage_section(data: Mapping[str, Any]) -> Section | None:
    """The executions that led to the model."""
    lineage: Mapping[str, Any] = data.get("lineage") or {}
    provenance: Mapping[str, Any] = data.get("provenance") or {}
    if not lineage and not provenance:
        return None
    rows = []
    for name, node in lineage.items():
        outputs = [
            tag(
                "div",
                f"{artifact.get('type', '')} ",
                tag("code", str(artifact.get("fingerprint") or "")[:12]),
                title=artifact.get("uri"),
            )
            for artifacts in (node.get("outputs") or {}).values()
            for artifact in artifacts
        ]
        state = str(node.get("state", ""))
        rows.append(
            tag(
                "tr",
                tag("td", tag("b", name)),
                tag("td", node.get("execution_id"), class_="num"),
                tag("td", _pill(state.lower(), "good" if state == "COMPLETE" else "")),
                tag("td", outputs),
                tag("td", _parameters(node.get("parameters") or {})),
            )
        )
    head = [tag("th", name) for name in ("Node", "Execution", "State", "Outputs", "Parameters")]
    facts = [
        tag("tr", tag("td", words(str(name))), tag("td", _text(value), class_="mono"))
        for name, value in provenance.items()
    ]
    upstream = {name: list(node.get("upstream") or ()) for name, node in lineage.items()}
    states = {name: str(node.get("state", "")) for name, node in lineage.items()}
    body = [
        graph(upstream, states) if lineage else None,
        _table(head, rows) if rows else None,
        _table([], facts) if facts else None,
    ]
    return "lineage", "Lineage", join(body)


def _parameters(values: Mapping[str, Any]) -> Markup | None:
    shown = {name: value for name, value in values.items() if value not in (None, [], {}, "")}
    if not shown:
        return None
    lines = [tag("div", f"{name} = {_text(value)}", class_="mono") for name, value in shown.items()]
    return tag("details", tag("summary", f"{len(shown)} set"), lines)


def _table(head: Sequence[Markup], rows: Sequence[Markup]) -> Markup:
    top = tag("thead", tag("tr", head)) if head else None
    return tag("div", tag("table", top, tag("tbody", rows)), class_="scroll")


def _pill(text: str, kind: str) -> Markup:
    return tag("span", text, class_=f"pill {kind}")


def _is_cost(name: str) -> bool:
    return any(word in name for word in ("entropy", "loss", "error"))


def _points(values: Sequence[float | None]) -> list[tuple[float, float]]:
    return [(i + 1, value) for i, value in enumerate(values) if value is not None]


def words(name: str) -> str:
    """Returns a name without underscores."""
    return name.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
