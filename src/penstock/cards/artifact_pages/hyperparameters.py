"""The page of HyperParameters: the best trial's values, and the space they were searched in."""

from __future__ import annotations

from typing import Any

from penstock.artifacts import Artifact
from penstock.cards.artifact_pages.blocks import row_table, section, tiles
from penstock.cards.charts import number
from penstock.cards.html_page import PageContent
from penstock.cards.row_preview import plain
from penstock.tuning import read_best_hyperparameters


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    config = read_best_hyperparameters(artifact.uri)
    values: dict[str, Any] = config.get("values") or {}
    space = {each["config"]["name"]: each for each in config.get("space") or []}
    rows = []
    for name in dict.fromkeys([*values, *space]):
        entry = space.get(name, {})
        what = entry.get("config", {})
        rows.append(
            [
                name,
                plain(values.get(name)),
                entry.get("class_name"),
                _range(what),
                plain(what.get("default")),
                what.get("sampling"),
            ]
        )
    columns = ["name", "value", "kind", "space", "default", "sampling"]
    head = [tiles((plain(value), name) for name, value in values.items())] if values else []
    return PageContent(head=head, body=[section("Hyperparameters", row_table(columns, rows))])


def _range(config: dict[str, Any]) -> str | None:
    if config.get("values") is not None:
        return ", ".join(map(str, config["values"]))
    if config.get("min_value") is None:
        return None
    text = f"{number(config['min_value'])} to {number(config['max_value'])}"
    step = config.get("step")
    return f"{text}, by {number(step)}" if step is not None else text
