"""The page of a model card: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from penstock import __version__
from penstock.cards.charts import number
from penstock.cards.evaluation_section import evaluation_section
from penstock.cards.markup import Markup, join, tag
from penstock.cards.metric_words import are_weighted, is_of_the_whole, metric_words, quality_first
from penstock.cards.sections import (
    data_section,
    lineage_section,
    schema_section,
    training_section,
)
from penstock.cards.thresholds_section import thresholds_section

_HEADLINES = 5


def render(data: Mapping[str, Any]) -> str:
    """Return a card's HTML; it needs no other file and no network.

    Args:
        data: What `penstock.cards.collect` returned, or its JSON.
    """
    sections = [
        section
        for section in (
            evaluation_section(data),
            thresholds_section(data),
            training_section(data),
            data_section(data),
            schema_section(data),
            lineage_section(data),
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


def _head(data: Mapping[str, Any]) -> Markup:
    evaluation = data.get("evaluation") or {}
    slices: Sequence[Mapping[str, Any]] = evaluation.get("slices") or [{"metrics": {}}]
    overall: Mapping[str, Any] = slices[0]["metrics"]
    names, weighted = quality_first(overall), are_weighted(overall)
    headline = [name for name in names if is_of_the_whole(name)][:_HEADLINES] or names[:_HEADLINES]
    tiles = [
        tag(
            "div",
            tag("b", number(overall[name])),
            tag("span", metric_words(name, all_weighted=weighted)),
            class_="tile",
        )
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
