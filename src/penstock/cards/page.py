"""The page of a model card: one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from penstock import __version__
from penstock.cards.charts import MISSING, graph, heatmap, histogram, line_chart, number
from penstock.cards.markup import Markup, join, tag

_HEADLINES = 5


def render(data: Mapping[str, Any]) -> str:
    """Returns a card's HTML; it needs no other file and no network.

    Args:
        data: What `penstock.cards.collect` returned, or its JSON.
    """
    sections = [
        section
        for section in (
            _evaluation(data),
            _thresholds(data),
            _training(data),
            _data(data),
            _schema(data),
            _lineage(data),
        )
        if section is not None
    ]
    style = resources.files(__package__).joinpath("style.css").read_text("utf-8")
    links = [tag("a", name, href=f"#{key}") for key, name, _ in sections]
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{data['title']}: model card"),
            tag("style", Markup(style)),
        ),
        tag(
            "body",
            tag("header", tag("div", _head(data), tag("nav", links), class_="inner")),
            tag(
                "main",
                [tag("section", tag("h2", name), body, id=key) for key, name, body in sections],
                tag("footer", f"Made by Penstock {__version__}. The same as data: model_card.json"),
            ),
        ),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


Section = tuple[str, str, Markup]


def _head(data: Mapping[str, Any]) -> Markup:
    evaluation = data.get("evaluation") or {}
    slices: Sequence[Mapping[str, Any]] = evaluation.get("slices") or [{"metrics": {}}]
    overall: Mapping[str, Any] = slices[0]["metrics"]
    headline = [name for name in overall if " (" not in name][:_HEADLINES]
    headline = headline or list(overall)[:_HEADLINES]
    tiles = [
        tag("div", tag("b", number(overall[name])), tag("span", _words(name)), class_="tile")
        for name in headline
    ]
    return join(
        [
            tag("div", "Model card", class_="eyebrow"),
            tag("h1", data["title"]),
            tag("p", data["description"], class_="lead") if data.get("description") else None,
            _verdict(data),
            tag("div", tiles, class_="tiles") if tiles else None,
        ]
    )


def _verdict(data: Mapping[str, Any]) -> Markup | None:
    blessing, pushed = data.get("blessing"), data.get("pushed")
    if blessing is None:
        return None
    good = bool(blessing.get("blessed"))
    lines = list(blessing.get("reasons") or [])
    if pushed is not None:
        where = f"Pushed as version {pushed.get('pushed_version')}"
        lines.append(
            f"{where} to {pushed.get('pushed_destination')}."
            if pushed.get("pushed")
            else "It was not pushed."
        )
    return tag(
        "div",
        tag("b", "Blessed" if good else "Not blessed"),
        tag("ul", [tag("li", line) for line in lines]) if lines else None,
        class_=f"verdict {'good' if good else 'bad'}",
    )


def _evaluation(data: Mapping[str, Any]) -> Section | None:
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
    head = [tag("th", "Slice"), *(tag("th", _words(name), class_="num") for name in names)]
    return _table(head, rows)


def _thresholds(data: Mapping[str, Any]) -> Section | None:
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
                    _words(check["metric"]),
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


def _training(data: Mapping[str, Any]) -> Section | None:
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
        chart = line_chart(curves, x_label="epoch", y_label=_words(name), markers=True)
        figures.append(tag("div", tag("h3", _words(name).capitalize()), chart))
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


def _data(data: Mapping[str, Any]) -> Section | None:
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


def _schema(data: Mapping[str, Any]) -> Section | None:
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


def _lineage(data: Mapping[str, Any]) -> Section | None:
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
        tag("tr", tag("td", _words(str(name))), tag("td", _text(value), class_="mono"))
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


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
