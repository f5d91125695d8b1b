"""The thresholds of an evaluation: how each went over all slices, and each check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import number
from penstock.cards.markup import Child, Markup, join, tag
from penstock.cards.metric_words import are_weighted, metric_words
from penstock.cards.tables import Section, pill, table

_MOST_CHECKS = 200
_FEW = 12
"""So many checks stand there one by one; more are summed up by threshold first."""


def thresholds_section(data: Mapping[str, Any], class_names: Sequence[str] = ()) -> Section | None:
    """Each threshold with its value, bound and slice; those that failed come first.

    Args:
        data: `evaluation` holds the `checks`, and `slices` with the metrics' names.
        class_names: The names of the classes.
    """
    checks = (data.get("evaluation") or {}).get("checks") or []
    if not checks:
        return None
    weighted = are_weighted(data["evaluation"]["slices"][0]["metrics"])
    words = {
        check["metric"]: metric_words(
            check["metric"], all_weighted=weighted, class_names=class_names
        )
        for check in checks
    }
    ordered = sorted(checks, key=lambda c: (c["passed"], -(c.get("num_examples") or 0)))
    each = _check_table(ordered[:_MOST_CHECKS], words)
    if len(checks) <= _FEW:
        return "thresholds", "Thresholds", each
    failed = sum(not check["passed"] for check in checks)
    title = f"{number(failed)} of {number(len(checks))} checks failed" if failed else "Each check"
    body: list[Child] = [
        _group_table(checks, words),
        _check_table(ordered[: min(failed, _FEW)], words) if failed else None,
        tag("details", tag("summary", title), each),
    ]
    if len(checks) > _MOST_CHECKS:
        text = (
            f"The first {_MOST_CHECKS} are shown. All of them: "
            'penstock.evaluation.load_evaluation(folder, "thresholds")'
        )
        body.append(tag("p", text, class_="muted"))
    return "thresholds", "Thresholds", join(body)


def _check_table(checks: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> Markup:
    compares = any(_is_change(check) for check in checks)
    several = len({check.get("model") for check in checks}) > 1
    rows = []
    for check in checks:
        change = _is_change(check)
        cells: list[Child] = [_pill(check["passed"]), words[check["metric"]]]
        cells += [check.get("model")] if several else []
        cells += [check["slice"]]
        made = [tag("td", each) for each in cells]
        made.append(_number(check.get("num_examples")))
        made.append(_number(check.get("value"), None if change else check.get("interval")))
        if compares:
            name = check.get("baseline_name")
            beside = tag("small", name) if name else None
            made.append(_number(check.get("baseline") if change else None, more=beside))
            made.append(
                _number(check["change"], check.get("interval")) if change else _number(None)
            )
        made.append(tag("td", bound_words(check["bounds"], check["direction"])))
        rows.append(tag("tr", made))
    names = ["", "Metric", *(["Model"] if several else []), "Slice"]
    head = [tag("th", name) for name in names]
    figures = ["Examples", "Value", *(["Baseline", "Change"] if compares else [])]
    head += [tag("th", name, class_="num") for name in figures]
    return table([*head, tag("th", "Bound")], rows)


def _number(
    value: float | None, interval: Sequence[float] | None = None, more: Markup | None = None
) -> Markup:
    ends = tag("small", f"{number(interval[0])} to {number(interval[1])}") if interval else None
    return tag("td", number(value), ends, more, class_="num")


def _group_table(checks: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> Markup:
    """Return a row for each threshold: in how many slices it held, and where it is tightest."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for check in checks:
        bound = bound_words(check["bounds"], check["direction"])
        groups.setdefault((check["metric"], check.get("model") or "", bound), []).append(check)
    several = len({model for _, model, _ in groups}) > 1
    rows = []
    for (metric, model, bound), own in groups.items():
        failed = sum(not check["passed"] for check in own)
        worst = _tightest(own)
        shown = worst.get("change") if _is_change(worst) else worst.get("value")
        rows.append(
            tag(
                "tr",
                tag("td", _pill(not failed)),
                tag("td", words[metric], f" of {model}" if several and model else None),
                tag("td", bound),
                tag("td", f"{number(len(own) - failed)} of {number(len(own))}", class_="num"),
                tag("td", number(shown), class_="num"),
                tag("td", worst["slice"]),
            )
        )
    head = [tag("th", name) for name in ("", "Metric", "Bound")]
    head += [tag("th", "Held in slices", class_="num"), tag("th", "Tightest", class_="num")]
    return table([*head, tag("th", "in")], rows)


def _tightest(checks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the check whose value is nearest to a bound, or farthest beyond it."""

    def room(check: Mapping[str, Any]) -> float:
        bounds, change = check["bounds"], _is_change(check)
        value = check.get("change") if change else check.get("value")
        if value is None or value != value:
            return float("-inf")
        if change:
            return float(-value if check["direction"] == "lower is better" else value)
        sides = [value - bounds["lower"]] if "lower" in bounds else []
        sides += [bounds["upper"] - value] if "upper" in bounds else []
        return float(min(sides, default=0.0))

    return min(checks, key=room)


def _is_change(check: Mapping[str, Any]) -> bool:
    return check.get("kind") == "change" or (
        "kind" not in check and check.get("baseline") is not None
    )


def _pill(passed: bool) -> Markup:
    return pill("held" if passed else "failed", "good" if passed else "bad")


def bound_words(bounds: Mapping[str, float], direction: str) -> str:
    """Return what a threshold asks for.

    Example:
        >>> bound_words({"lower": 0.7, "upper": 1.0}, "")
        'at least 0.7, at most 1'
        >>> bound_words({"absolute": -0.02}, "higher is better")
        'change of at least -0.02'
    """
    side = "at most" if direction == "lower is better" else "at least"
    words = {
        "lower": lambda bound: f"at least {number(bound)}",
        "upper": lambda bound: f"at most {number(bound)}",
        "absolute": lambda bound: f"change of {side} {number(bound)}",
        "relative": lambda bound: f"change of {side} {number(100 * bound)}%",
    }
    return ", ".join(words[name](bound) for name, bound in bounds.items())
