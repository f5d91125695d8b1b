"""The page about anomalies: which features are wrong, why, and how far distributions moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.cards.html_page import HtmlPage, PageContent, data_page
from penstock.cards.markup import Child, Markup, tag
from penstock.data_validation.path_steps import path_to_text

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

_PILLS = {"ERROR": "pill bad", "WARNING": "pill warn"}
_DISTANCES = {
    "L_INFTY": "L-infinity",
    "JENSEN_SHANNON_DIVERGENCE": "Jensen-Shannon",
    "NORMALIZED_ABSOLUTE_DIFFERENCE": "normalized difference",
}


def display_anomalies(anomalies: anomalies_pb2.Anomalies, title: str = "Anomalies") -> HtmlPage:
    """Make a page about anomalies.

    Args:
        anomalies: What `validate_statistics` returned.
        title: What to call the data.

    Returns:
        A page, shown by a notebook; `write(path)` stores it.

    Raises:
        TypeError: If `anomalies` are no Anomalies.

    Example:
        >>> display_anomalies(validate_statistics(statistics, schema), "2026-11-20")
    """
    if type(anomalies).__name__ != "Anomalies":
        raise TypeError(
            f"anomalies must be an Anomalies proto. Received: {type(anomalies).__name__}"
        )
    content = anomalies_content(anomalies)
    return data_page(kind="Validation", title=title, head=content.head, body=content.body)


def anomalies_content(anomalies: anomalies_pb2.Anomalies, of: str = "") -> PageContent:
    """Return the content of the page about anomalies.

    Args:
        anomalies: What is wrong with a data set.
        of: What the headings call the data set, where there are several.
    """
    infos = [(name, info) for name, info in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        infos.insert(0, ("the whole data set", anomalies.dataset_anomaly_info))
    sections: list[Child] = []
    if infos:
        sections.append(tag("section", tag("h2", f"What is wrong{of}"), _table(infos)))
    measured = _measurements(anomalies)
    if measured is not None:
        sections.append(tag("section", tag("h2", f"Measured distances{of}"), measured))
    features = len(anomalies.baseline.feature)
    verdict = _verdict(infos, bool(anomalies.data_missing), features)
    return PageContent(head=[verdict], body=sections)


def _verdict(infos: list[tuple[str, Any]], data_missing: bool, features: int) -> Markup:
    if data_missing:
        return _box("bad", "No data", "The data set has no rows.")
    if not infos:
        of = f" in {features} features" if features else ""
        return _box("good", "No anomalies", f"The data matches the schema{of}.")
    errors = sum(info.Severity.Name(info.severity) == "ERROR" for _, info in infos)
    warnings = len(infos) - errors
    counts = [
        f"{n} {word}{'s' if n > 1 else ''}"
        for n, word in ((errors, "error"), (warnings, "warning"))
        if n
    ]
    text = (
        "Correct the data or, if it is right, accept it: "
        "penstock.data_validation.update_schema returns a schema that does."
    )
    return _box("bad" if errors else "", " and ".join(counts), text)


def _box(kind: str, title: str, text: str) -> Markup:
    return tag("div", tag("b", title), tag("div", text), class_=f"verdict {kind}")


def _table(infos: list[tuple[str, Any]]) -> Markup:
    rows = []
    for name, info in infos:
        severity = info.Severity.Name(info.severity)
        reasons = [
            tag(
                "div",
                tag("b", reason.short_description),
                tag("div", reason.description, class_="muted") if reason.description else None,
                tag("code", info.Type.Name(reason.type), class_="muted"),
                class_="reason",
            )
            for reason in info.reason
        ]
        rows.append(
            tag(
                "tr",
                tag("td", tag("b", name)),
                tag("td", tag("span", severity.lower(), class_=_PILLS.get(severity, "pill"))),
                tag("td", reasons, class_="wide"),
            )
        )
    head = tag("tr", tag("th", "feature"), tag("th", "severity"), tag("th", "reasons"))
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", rows), class_="data-table"),
        class_="scroll",
    )


def _measurements(anomalies: anomalies_pb2.Anomalies) -> Markup | None:
    rows = []
    for info in anomalies.drift_skew_info:
        name = path_to_text(tuple(info.path.step))
        sides = (("drift", info.drift_measurements), ("skew", info.skew_measurements))
        for side, measurements in sides:
            for each in measurements:
                kind = each.Type.Name(each.type)
                rows.append(
                    tag(
                        "tr",
                        tag("td", tag("b", name)),
                        tag("td", side),
                        tag("td", _DISTANCES.get(kind, kind)),
                        tag("td", _gauge(each.value, each.threshold)),
                        tag("td", f"{each.value:.4g}", class_="num"),
                        tag("td", f"{each.threshold:.4g}", class_="num"),
                    )
                )
    if not rows:
        return None
    titles = ("feature", "compared", "distance", "", "measured", "limit")
    head = tag("tr", [tag("th", t, class_="num" if t in titles[4:] else None) for t in titles])
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", rows), class_="data-table"),
        class_="scroll",
    )


def _gauge(value: float, limit: float) -> Markup:
    """Draws a value against its limit; the scale ends at twice the limit, or at the value."""
    scale = max(value, 2 * limit) or 1.0
    return tag(
        "span",
        tag(
            "i", class_="over" if value > limit else None, style=f"width:{100 * value / scale:.1f}%"
        ),
        tag("b", style=f"left:{100 * limit / scale:.1f}%"),
        class_="gauge",
    )
