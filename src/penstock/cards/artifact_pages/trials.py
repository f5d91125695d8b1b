"""The page of TunerResults: the trials by score, and the scores in the order of the trials."""

from __future__ import annotations

from typing import Any

from penstock.artifacts import Artifact
from penstock.cards.artifact_pages.blocks import row_table, section, tiles
from penstock.cards.charts import line_chart
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, tag
from penstock.cards.row_preview import plain
from penstock.cards.tables import pill
from penstock.tuning import read_results


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    trials = read_results(artifact.uri)
    scored = [trial for trial in trials if trial.get("score") is not None]
    best = scored[0] if scored else None
    figures: list[tuple[object, str]] = [(len(trials), "trials")]
    if len(scored) < len(trials):
        figures.append((len(trials) - len(scored), "without a score"))
    if best is not None:
        figures.append((best["score"], "best score"))
        figures.append((str(best.get("trial_id")), "best trial"))
    body: list[Child] = [section("Trials", _table(trials, best))]
    if len(scored) > 1:
        body.append(section("Score by trial", tag("div", _chart(scored), class_="figures")))
    return PageContent(head=[tiles(figures)], body=body)


def _table(trials: list[dict[str, Any]], best: dict[str, Any] | None) -> Child:
    names = list(dict.fromkeys(n for trial in trials for n in trial.get("hyperparameters") or {}))
    metrics = list(dict.fromkeys(n for trial in trials for n in trial.get("metrics") or {}))
    failed = any(trial.get("message") for trial in trials)
    rows = []
    for trial in trials:
        mark: Child = None
        if trial is best:
            mark = pill("best", "good")
        elif trial.get("status") != "COMPLETED":
            mark = pill(str(trial.get("status", "")).lower(), "bad")
        values, found = trial.get("hyperparameters") or {}, trial.get("metrics") or {}
        row = [tag("span", trial.get("trial_id"), " ", mark), plain(trial.get("score"))]
        row += [plain(values.get(name)) for name in names]
        row += [plain(found.get(name)) for name in metrics]
        message = str(trial.get("message") or "").strip().split("\n")[-1]
        rows.append([*row, message or None] if failed else row)
    columns = ["trial", "score", *names, *metrics]
    return row_table([*columns, "error"] if failed else columns, rows)


def _chart(scored: list[dict[str, Any]]) -> Child:
    """Draw the scores in the order in which the trials were begun; the best is marked."""
    ids = [str(trial.get("trial_id")) for trial in scored]
    numbered = all(each.isdecimal() for each in ids)
    places = [int(each) if numbered else i for i, each in enumerate(ids)]
    points = [(float(x), float(trial["score"])) for x, trial in zip(places, scored, strict=True)]
    chart = line_chart(
        {"score": sorted(points), "best": points[:1]},
        x_label="trial",
        y_label="score",
        markers=True,
        whole_x=True,
    )
    return tag("div", chart)
