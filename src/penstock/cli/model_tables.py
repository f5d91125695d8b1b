"""How `penstock models` prints models, versions and the changes of aliases."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.cli.console import Cell, Console
from penstock.cli.quantities import moment, size

if TYPE_CHECKING:
    from penstock.pushing import AliasChange
    from penstock.registry import ModelVersion, RegisteredModel

_METRICS = 2
_CODE = 10
_MINUTE = len("2026-11-21 09:30")


def models_table(console: Console, models: Sequence[RegisteredModel]) -> None:
    """Print the models: one line each."""
    rows: list[tuple[Cell, ...]] = []
    for model in models:
        newest = model.versions[0] if model.versions else None
        rows.append(
            (
                (model.name, "name"),
                str(len(model.versions)),
                str(newest.version) if newest else "-",
                _local(newest.pushed) if newest else "-",
                _aliases(model.aliases),
                _metrics(newest.metrics) if newest else "",
                _near(model.destination or (newest.path if newest else "")),
            )
        )
    console.table(
        ("MODEL", "VERSIONS", "NEWEST", "PUSHED", "ALIASES", "ITS METRICS", "WHERE"),
        rows,
        right=("VERSIONS", "NEWEST"),
    )
    for model in models:
        _refusal(console, model)


def versions_table(console: Console, model: RegisteredModel) -> None:
    """Print a model's versions: one line each."""
    where = _near(model.destination) or "pushed by a function of its own"
    console.print(f"{console.style(model.name, 'name')}  {console.style(where, 'dim')}")
    rows: list[tuple[Cell, ...]] = [
        (
            (str(each.version), "name"),
            ", ".join(each.aliases),
            _local(each.pushed),
            _blessing(each),
            _metrics(each.metrics),
            each.span or "-",
            _code(each),
            str(each.lineage.get("run") or "-"),
            size(each.num_bytes),
            _state(each),
        )
        for each in model.versions
    ]
    if rows:
        titles = (
            "VERSION",
            "ALIASES",
            "PUSHED",
            "BLESSED",
            "METRICS",
            "SPAN",
            "CODE",
            "RUN",
            "SIZE",
            "",
        )
        console.table(titles, rows, right=("VERSION", "SIZE"))
    else:
        console.print("no version lies there any more")
    _refusal(console, model)


def version_page(console: Console, model: RegisteredModel, version: ModelVersion) -> None:
    """Print all that is known of one version."""
    lineage = version.lineage
    made_from = lineage.get("model") or {}
    lines = {
        "model": console.style(f"{model.name} {version.version}", "name"),
        "aliases": ", ".join(version.aliases),
        "where": version.path,
        "form": f"{version.form}, {size(version.num_bytes)}" if version.form else "unknown",
        "pushed": _local(version.pushed) if version.pushed else "",
        "blessed": _blessing(version)[0],
        "in use": "by a server" if version.in_use else "",
        "pipeline": str(lineage.get("pipeline") or ""),
        "run": str(lineage.get("run") or ""),
        "code": str(lineage.get("code_version") or "not in git"),
        "made from": f"artifact {made_from.get('id')}, {made_from.get('uri')}" if made_from else "",
        "damaged": str(lineage.get("damaged") or ""),
    }
    for name, text in lines.items():
        if text:
            console.print(f"{console.style(f'{name:<12}', 'dim')}{text}")
    if not lineage:
        console.print("It has no manifest, and the store does not know it: another tool pushed it.")
    if version.metrics:
        console.print()
        rows = [(name, f"{value:.6g}") for name, value in version.metrics.items()]
        console.table(("METRIC", "VALUE"), rows, right=("VALUE",))
    if lineage.get("data"):
        console.print()
        console.table(
            ("DATA", "SPAN", "VERSION", "FINGERPRINT", "URI"),
            [
                (
                    str(each.get("node") or "-"),
                    str(each.get("span") or "-"),
                    str(each.get("version") or "-"),
                    str(each.get("fingerprint") or "-")[:_CODE],
                    str(each.get("uri") or "-"),
                )
                for each in lineage["data"]
            ],
        )


def history_table(console: Console, model: RegisteredModel, changes: Sequence[AliasChange]) -> None:
    """Print how aliases changed, the oldest change first."""
    if not changes:
        console.print(f"{model.name} never had an alias")
        return
    console.table(
        ("WHEN", "ALIAS", "FROM", "TO", "BY"),
        [
            (
                _local(each.at),
                (each.alias, "name"),
                "-" if each.before is None else str(each.before),
                "-" if each.after is None else str(each.after),
                each.by,
            )
            for each in changes
        ],
        right=("FROM", "TO"),
    )


def _near(place: str) -> str:
    """Return a path relative to the current folder if it lies below."""
    here = f"{os.getcwd()}/"
    return place.removeprefix(here) if place.startswith(here) else place


def _refusal(console: Console, model: RegisteredModel) -> None:
    if model.refused is not None:
        refused = model.refused
        console.print(
            console.style(f"{model.name} was not pushed in run {refused.run}: ", "warning")
            + f"{refused.reason} (penstock why {refused.run} {refused.node})"
        )


def _aliases(aliases: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={version}" for name, version in aliases.items()) or "-"


def _metrics(metrics: Mapping[str, float]) -> str:
    shown = [f"{name} {value:.4g}" for name, value in list(metrics.items())[:_METRICS]]
    more = len(metrics) - _METRICS
    return ", ".join(shown) + (f", {more} more" if more > 0 else "") or "-"


def _blessing(version: ModelVersion) -> tuple[str, str]:
    if version.blessed is None:
        return ("not judged" if version.lineage else "unknown"), "dim"
    return ("yes", "good") if version.blessed else ("no", "bad")


def _code(version: ModelVersion) -> str:
    text = str(version.lineage.get("code_version") or "-")
    return text[:_CODE] + ("+" if text.endswith("+") and len(text) > _CODE else "")


def _state(version: ModelVersion) -> tuple[str, str]:
    if version.lineage.get("damaged"):
        return "damaged", "bad"
    return ("in use", "good") if version.in_use else ("", "")


def _local(text: str) -> str:
    """Return a moment in UTC, as manifests have it, as local time."""
    if not text:
        return "-"
    return moment(datetime.datetime.fromisoformat(text).timestamp())[:_MINUTE]
