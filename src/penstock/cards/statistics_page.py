"""The page about statistics: every feature with its figures and its distribution, or two sets compared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.cards.charts import MISSING, number
from penstock.cards.distribution_charts import numeric_chart, value_bars
from penstock.cards.feature_summary import FeatureSummary, distance, summarize_dataset
from penstock.cards.html_page import HtmlPage, PageContent, data_page
from penstock.cards.markup import Child, Markup, tag

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

_GROUPS = {
    "numeric": "Numeric features",
    "categorical": "Categorical features",
    "other": "Structs and bytes",
}
_LABELS = {
    "std_dev": "std dev",
    "avg_length": "avg length",
    "invalid_utf8": "invalid UTF-8",
    "avg_bytes": "avg bytes",
    "max_bytes": "max bytes",
    "values_a_row": "values per row",
}
_SHARES = ("missing", "zeros")
_MUCH = {"missing": 0.2, "zeros": 0.5}
_SORTS = {
    "order": "as in the data",
    "name": "name",
    "missing": "missing",
    "unique": "distinct values",
}


def visualize_statistics(
    lhs_statistics: statistics_pb2.DatasetFeatureStatisticsList,
    rhs_statistics: statistics_pb2.DatasetFeatureStatisticsList | None = None,
    lhs_name: str = "",
    rhs_name: str = "",
    allowlist_features: Collection[str] | None = None,
    denylist_features: Collection[str] | None = None,
) -> HtmlPage:
    """Make a page about statistics, or about two data sets side by side.

    Args:
        lhs_statistics: Statistics of a data set.
        rhs_statistics: Statistics of a data set to compare it with.
        lhs_name: What to call the first; by default its name in the statistics.
        rhs_name: What to call the second.
        allowlist_features: The features to show; by default all.
        denylist_features: Features not to show.

    Returns:
        A page, shown by a notebook; `write(path)` stores it. It needs no other file and no network.

    Raises:
        TypeError: If an argument is no DatasetFeatureStatisticsList.
        ValueError: If both lists of features are given, or a list of data sets has no whole.

    Example:
        >>> visualize_statistics(train, eval_, "train", "eval").write("statistics.html")
    """
    from penstock.data_validation.schema_inference import default_dataset

    if allowlist_features is not None and denylist_features is not None:
        raise ValueError("Give either allowlist_features or denylist_features. Received: both.")
    datasets = [default_dataset(lhs_statistics, "lhs_statistics")]
    if rhs_statistics is not None:
        datasets.append(default_dataset(rhs_statistics, "rhs_statistics"))
    default_names = ("left", "right") if len(datasets) > 1 else ("statistics",)
    given = (lhs_name, rhs_name)
    names = [
        name or dataset.name or default
        for name, dataset, default in zip(given, datasets, default_names, strict=False)
    ]
    if len(set(names)) < len(names):
        names = list(default_names)

    def wanted(name: str) -> bool:
        if allowlist_features is not None:
            return name in allowlist_features
        return name not in (denylist_features or ())

    content = statistics_content(datasets, names, wanted)
    return data_page(
        kind="Statistics" if len(datasets) == 1 else "Statistics compared",
        title=" and ".join(names),
        head=content.head,
        body=content.body,
        script="data.js",
        height=720,
    )


def statistics_content(
    datasets: Sequence[statistics_pb2.DatasetFeatureStatistics],
    names: Sequence[str],
    wanted: Callable[[str], bool] = lambda name: True,
) -> PageContent:
    """Return the content of the page about statistics, for any number of data sets side by side.

    Args:
        datasets: The data sets.
        names: What to call each.
        wanted: Says of a feature's name whether it is shown.
    """
    summaries = [summarize_dataset(dataset) for dataset in datasets]
    every = [name for name in dict.fromkeys(n for s in summaries for n in s) if wanted(name)]
    features = {name: [summary.get(name) for summary in summaries] for name in every}
    rows = [int(dataset.num_examples) for dataset in datasets]
    head = [_tiles(names, rows, features), _legend(names), _controls(len(datasets) > 1)]
    return PageContent(head=head, body=_sections(features, names), script="data.js")


def get_statistics_html(
    lhs_statistics: statistics_pb2.DatasetFeatureStatisticsList,
    rhs_statistics: statistics_pb2.DatasetFeatureStatisticsList | None = None,
    lhs_name: str = "",
    rhs_name: str = "",
    allowlist_features: Collection[str] | None = None,
    denylist_features: Collection[str] | None = None,
) -> str:
    """Return the page of `visualize_statistics`, with the same arguments, as text."""
    return visualize_statistics(
        lhs_statistics, rhs_statistics, lhs_name, rhs_name, allowlist_features, denylist_features
    ).html


def compare_slices(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    lhs_slice_key: str,
    rhs_slice_key: str,
) -> HtmlPage:
    """Make a page about two slices side by side.

    Args:
        statistics: Statistics of slices.
        lhs_slice_key: The name of a slice.
        rhs_slice_key: The name of the slice to compare it with.

    Raises:
        ValueError: If there is no such slice.
    """
    from penstock.data_validation.indexed_statistics import get_slice_stats

    lhs, rhs = (get_slice_stats(statistics, key) for key in (lhs_slice_key, rhs_slice_key))
    return visualize_statistics(lhs, rhs, lhs_name=lhs_slice_key, rhs_name=rhs_slice_key)


_Sides = Sequence[FeatureSummary | None]


def _group(sides: _Sides) -> str:
    return next(side.group for side in sides if side is not None)


def _tiles(names: Sequence[str], rows: Sequence[int], features: Mapping[str, _Sides]) -> Markup:
    groups = [_group(sides) for sides in features.values()]
    tiles = [
        (number(count), f"rows in {name}" if len(rows) > 1 else "rows")
        for name, count in zip(names, rows, strict=True)
    ]
    tiles.append((number(groups.count("numeric")), "numeric features"))
    tiles.append((number(groups.count("categorical")), "categorical features"))
    cells = [side.missing for sides in features.values() for side in sides if side is not None]
    if cells:
        tiles.append((f"{sum(cells) / len(cells):.1%}", "of cells missing"))
    boxes = [
        tag("div", tag("b", value), tag("span", label), class_="tile") for value, label in tiles
    ]
    return tag("div", boxes, class_="tiles")


def _legend(names: Sequence[str]) -> Markup | None:
    if len(names) < 2:
        return None
    keys = [tag("span", tag("i", class_=f"square d{i}"), name) for i, name in enumerate(names)]
    return tag("div", keys, class_="data-legend")


def _controls(compared: bool) -> Markup:
    sorts = {"distance": "how much they differ", **_SORTS} if compared else _SORTS
    options = [tag("option", label, value=key) for key, label in sorts.items()]
    return tag(
        "div",
        tag("input", type="search", id="find", placeholder="Find a feature", aria_label="Find"),
        tag("label", "sort by ", tag("select", options, id="sort")),
        tag("label", tag("input", type="checkbox", id="log"), " logarithmic heights"),
        tag("span", id="count", class_="muted"),
        class_="controls",
    )


def _sections(features: Mapping[str, _Sides], names: Sequence[str]) -> list[Child]:
    sections: list[Child] = []
    for group, heading in _GROUPS.items():
        cards = [
            _card(i, name, sides, names)
            for i, (name, sides) in enumerate(features.items())
            if _group(sides) == group
        ]
        if cards:
            count = tag("span", str(len(cards)), class_="pill")
            title = tag("h2", heading, " ", count)
            sections.append(tag("section", title, tag("div", cards, class_="features"), id=group))
    if not sections:
        sections.append(tag("section", tag("p", "There are no features.")))
    return sections


def _card(index: int, name: str, sides: _Sides, names: Sequence[str]) -> Markup:
    known = [side for side in sides if side is not None]
    apart = _distance(known)
    types = list(dict.fromkeys(side.type for side in known))
    pills = [tag("span", kind.lower(), class_="pill") for kind in types]
    pills += [tag("span", text, class_="pill bad") for text in _warnings(sides, names)]
    if apart is not None:
        kind = "pill bad" if apart > 0.1 else "pill good"
        hint = "Jensen-Shannon divergence: 0 equal, 1 nothing in common"
        pills.append(tag("span", f"differs by {apart:.3f}", class_=kind, title=hint))
    chart = numeric_chart(sides) or value_bars(sides)
    return tag(
        "article",
        tag("div", tag("h3", name, title=name), tag("div", pills, class_="pills"), class_="who"),
        _figures(sides),
        tag("div", chart or tag("span", "no values", class_="muted"), class_="shape"),
        _more(sides),
        class_="feature",
        data_order=index,
        data_name=name.lower(),
        data_missing=max(side.missing for side in known),
        data_unique=max((side.unique or 0) for side in known),
        data_distance=-1.0 if apart is None else apart,
    )


def _distance(sides: Sequence[FeatureSummary]) -> float | None:
    """Return how far the first data set is from the one that differs most from it."""
    found = [distance(sides[0], side) for side in sides[1:]]
    return max((each for each in found if each is not None), default=None)


def _warnings(sides: _Sides, names: Sequence[str]) -> list[str]:
    warnings = [f"not in {name}" for side, name in zip(sides, names, strict=True) if side is None]
    known = [side for side in sides if side is not None]
    if any(side.rows and side.missing == 1 for side in known):
        warnings.append("never there")
    if any(side.numbers.get("std_dev") == 0 and side.total > 1 for side in known) or any(
        side.unique == 1 and side.total > 1 for side in known
    ):
        warnings.append("constant")
    if any(side.numbers.get("invalid_utf8") for side in known):
        warnings.append("not UTF-8")
    return warnings


def _figures(sides: _Sides) -> Markup:
    known = [side for side in sides if side is not None]
    labels = list(dict.fromkeys(["missing", *(key for side in known for key in side.numbers)]))
    cells = []
    for label in labels:
        shown = []
        for i, side in enumerate(sides):
            value = None
            if side is not None:
                value = side.missing if label == "missing" else side.numbers.get(label)
            text = MISSING if value is None or side is None else _figure(side, value)
            if label in _SHARES and value is not None:
                text = f"{value:.1%}"
            much = label in _MUCH and value is not None and value > _MUCH[label]
            styles = [f"t{i}"] if len(sides) > 1 else []
            styles += ["much"] if much else []
            styles += ["long"] if len(text) > 9 else []
            shown.append(tag("b", text, class_=" ".join(styles) or None))
        cells.append(tag("div", tag("span", _LABELS.get(label, label)), shown))
    return tag("div", cells, class_="figures-grid")


def _figure(side: FeatureSummary, value: float) -> str:
    whole = side.type == "INT" and float(value).is_integer() and abs(value) < 1e15
    if not whole:
        return number(value)
    return f"{int(value):,}" if abs(value) < 1e8 else str(int(value))


def _more(sides: _Sides) -> Markup | None:
    parts: list[Child] = []
    if any(side is not None and len(side.values) > 6 for side in sides):
        parts.append(value_bars(sides, limit=50))
    for i, side in enumerate(sides):
        if side is None:
            continue
        if len(side.boundaries) > 2:
            shown = ", ".join(_figure(side, value) for value in side.boundaries)
            parts.append(
                tag("p", tag("span", "Quantiles: ", class_="muted"), shown, class_=f"t{i}")
            )
        for label, value in side.extra.items():
            parts.append(tag("p", tag("span", f"{label}: ", class_="muted"), value, class_=f"t{i}"))
    return tag("details", tag("summary", "more"), parts) if parts else None
