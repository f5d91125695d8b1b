"""The sections of a model card about where it comes from: training, data, schema, lineage.

Each is left out where there is nothing to show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from penstock.cards.charts import MISSING, graph, histogram, number
from penstock.cards.learning_curves import learning_curves, points_of_history
from penstock.cards.markup import Markup, join, tag
from penstock.cards.tables import Section, pill, table
from penstock.cards.training_findings import HEADING, findings_table


def training_section(data: Mapping[str, Any]) -> Section | None:
    """Hyperparameters, the export, the curves of the epochs, and what the doctor found."""
    training = data.get("training") or {}
    values, history = training.get("hyperparameters") or {}, training.get("history") or {}
    model, findings = data.get("model") or {}, training.get("findings") or []
    if not values and not history and not model and not findings:
        return None
    facts = [(name, _text(value)) for name, value in sorted(values.items())]
    if model:
        facts.append(("Signatures", ", ".join(model["signatures"])))
        facts.append(("Size of the export", f"{number(model['num_bytes'] / 1024)} KiB"))
    rows = [tag("tr", tag("td", name), tag("td", value, class_="mono")) for name, value in facts]
    body = [
        table([], rows) if rows else None,
        learning_curves(points_of_history(history)),
        tag("h3", HEADING) if findings else None,
        findings_table(findings),
    ]
    return "training", "Training", join(body)


def data_section(data: Mapping[str, Any]) -> Section | None:
    """Return each feature with one histogram per split."""
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
        found = [s["features"][name] for s in splits.values() if name in s["features"]]
        ends = [end for feature in found for bin_ in feature.get("bins", ()) for end in bin_]
        span = (min(ends), max(ends)) if ends else None
        cells = [tag("td", tag("b", name)), tag("td", found[0]["type"].lower(), class_="muted")]
        cells += [tag("td", _feature(s["features"].get(name), span)) for s in splits.values()]
        rows.append(tag("tr", cells))
    return "data", "Data", table(head, rows)


def _feature(feature: Mapping[str, Any] | None, span: tuple[float, float] | None) -> Markup:
    """Return a feature in a split; its histogram has the same x axis in all splits."""
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
    places = None
    if span is not None and span[1] > span[0] and feature.get("bins"):
        width = span[1] - span[0]
        places = [((a - span[0]) / width, (b - span[0]) / width) for a, b in feature["bins"]]
    return tag("div", histogram(bars, places), tag("div", "; ".join(notes), class_="muted"))


def schema_section(data: Mapping[str, Any]) -> Section | None:
    """Return what the schema says of each feature."""
    features = data.get("schema")
    if not features:
        return None
    rows = [
        tag(
            "tr",
            tag("td", tag("b", feature["name"])),
            tag("td", feature["type"].lower()),
            tag("td", feature["presence"]),
            tag("td", feature["values"]),
            tag("td", feature["domain"]),
        )
        for feature in features
    ]
    head = [tag("th", name) for name in ("Feature", "Type", "Presence", "Values", "Domain")]
    return "schema", "Schema", table(head, rows)


def lineage_section(data: Mapping[str, Any]) -> Section | None:
    """Return the executions that led to the model."""
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
                tag("td", pill(state.lower(), "good" if state == "COMPLETE" else "")),
                tag("td", outputs),
                tag("td", _parameters(node.get("parameters") or {})),
            )
        )
    head = [tag("th", "Node"), tag("th", "Execution", class_="num")]
    head += [tag("th", name) for name in ("State", "Outputs", "Parameters")]
    facts = [
        tag("tr", tag("td", words(str(name))), tag("td", _text(value), class_="mono"))
        for name, value in provenance.items()
    ]
    upstream = {name: list(node.get("upstream") or ()) for name, node in lineage.items()}
    states = {name: str(node.get("state", "")) for name, node in lineage.items()}
    body = [
        graph(upstream, states) if lineage else None,
        table(head, rows) if rows else None,
        table([], facts) if facts else None,
    ]
    return "lineage", "Lineage", join(body)


def _parameters(values: Mapping[str, Any]) -> Markup | None:
    shown = {name: value for name, value in values.items() if value not in (None, [], {}, "")}
    if not shown:
        return None
    lines = [tag("div", f"{name} = {_text(value)}", class_="mono") for name, value in shown.items()]
    return tag("details", tag("summary", f"{len(shown)} set"), lines)


def words(name: str) -> str:
    """Return a name without underscores."""
    return name.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
