"""The page of TunerResults: the trials by score, and charts of scores and hyperparameters."""

from __future__ import annotations

from typing import Any

from penstock.artifacts import Artifact
from penstock.cards.artifact_pages.blocks import row_table, section, tiles
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, tag
from penstock.cards.row_preview import plain
from penstock.cards.tables import pill
from penstock.cards.trial_charts import hyperparameter_chart, parallel_coordinates, score_chart
from penstock.tuning import read_results

_MOST_CHARTS = 12
"""Hyperparameters that are drawn."""

_BOOKKEEPING = "tuner/"
"""Begins the names under which Hyperband keeps its rounds."""


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    trials = read_results(artifact.uri)
    scored = [trial for trial in trials if trial.get("score") is not None]
    best = scored[0] if scored else None
    figures: list[tuple[object, str]] = [(len(trials), "trials")]
    pruned = sum(trial.get("status") == "PRUNED" for trial in trials)
    if pruned:
        figures.append((pruned, "pruned"))
    if len(scored) + pruned < len(trials):
        figures.append((len(trials) - len(scored) - pruned, "without a score"))
    if best is not None:
        figures.append((best["score"], "best score"))
        figures.append((str(best.get("trial_id")), "best trial"))
    body: list[Child] = [section("Trials", _table(trials, best))]
    if len(scored) > 1:
        body += _charts(scored)
    return PageContent(head=[tiles(figures)], body=body)


def _table(trials: list[dict[str, Any]], best: dict[str, Any] | None) -> Child:
    names = list(dict.fromkeys(n for trial in trials for n in trial.get("hyperparameters") or {}))
    metrics = list(dict.fromkeys(n for trial in trials for n in trial.get("metrics") or {}))
    timed = any(trial.get("seconds") is not None for trial in trials)
    noted = any(trial.get("message") for trial in trials)
    rows = []
    for trial in trials:
        mark: Child = None
        if trial is best:
            mark = pill("best", "good")
        elif trial.get("status") != "COMPLETED":
            status = str(trial.get("status", "")).lower()
            mark = pill(status, "" if status == "pruned" else "bad")
        values, found = trial.get("hyperparameters") or {}, trial.get("metrics") or {}
        row = [tag("span", trial.get("trial_id"), " ", mark), plain(trial.get("score"))]
        row += [plain(trial.get("seconds"))] if timed else []
        row += [plain(values.get(name)) for name in names]
        row += [plain(found.get(name)) for name in metrics]
        message = str(trial.get("message") or "").strip().split("\n")[-1]
        rows.append([*row, message or None] if noted else row)
    columns = ["trial", "score", *(["seconds"] if timed else []), *names, *metrics]
    return row_table([*columns, "note"] if noted else columns, rows)


def _charts(scored: list[dict[str, Any]]) -> list[Child]:
    drawn = [{**trial, "hyperparameters": trial.get("hyperparameters") or {}} for trial in scored]
    names = [
        name
        for name in dict.fromkeys(n for trial in drawn for n in trial["hyperparameters"])
        if not name.startswith(_BOOKKEEPING)
    ]
    shown = names[:_MOST_CHARTS]
    left_out = f", the first {len(shown)} of {len(names)}" if len(shown) < len(names) else ""
    sections: list[Child] = [
        section("Score by trial", tag("div", tag("div", score_chart(drawn)), class_="figures"))
    ]
    if shown:
        each = [tag("div", hyperparameter_chart(name, drawn)) for name in shown]
        sections.append(
            section(f"Score by hyperparameter{left_out}", tag("div", each, class_="figures"))
        )
    if len(shown) > 1:
        sections.append(section("All hyperparameters", parallel_coordinates(shown, drawn)))
    return sections
