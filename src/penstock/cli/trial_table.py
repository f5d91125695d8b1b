"""Trials of a hyperparameter search on the terminal: the best ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact, location
from penstock.cli.console import Cell, Console
from penstock.cli.quantities import duration

_NARROWEST = 9
_GAP = 2
_ROOM_OF_THE_OTHERS = 40


def print_trials(console: Console, title: str, artifact: Artifact, *, most: int) -> None:
    """Print the best trials of TunerResults, and how many more there are; nothing if it cannot be read.

    Args:
        console: Where to.
        title: Heads the column of the trials.
        artifact: The TunerResults.
        most: How many trials are printed.
    """
    trials = _read(artifact)
    if not trials:
        return
    console.print()
    shown = trials[:most]
    names = _columns(shown, console.width)
    rows: list[Sequence[Cell]] = []
    for trial in shown:
        status = str(trial.get("status", "")).lower()
        mark: Cell = "" if status == "completed" else (status, "" if status == "pruned" else "bad")
        if trial is trials[0] and trial.get("score") is not None:
            mark = "best"
        values = trial.get("hyperparameters") or {}
        rows.append(
            (
                str(trial.get("trial_id")),
                _value(trial.get("score")),
                *(_value(values.get(name)) for name in names),
                duration(trial.get("seconds")),
                mark,
            )
        )
    numbers = (title, "SCORE", *names, "TIME")
    console.table((*numbers, ""), rows, right=numbers)
    if len(trials) > len(shown):
        console.print(f"({len(trials) - len(shown)} more trials: penstock open {artifact.id})")


def _read(artifact: Artifact) -> list[dict[str, Any]]:
    from penstock.tuning.trial_results import RESULTS_FILE

    try:
        found = json.loads(location.read_bytes(f"{artifact.uri}/{RESULTS_FILE}"))
    except (OSError, ValueError):
        return []  # deleted, or damaged: `penstock open` says so
    listed = isinstance(found, list) and all(isinstance(each, dict) for each in found)
    return found if listed else []


def _columns(trials: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Return the hyperparameters that find room side by side."""
    names = dict.fromkeys(
        name
        for trial in trials
        for name in trial.get("hyperparameters") or {}
        if not name.startswith("tuner/")  # Hyperband's own
    )
    room = width - _ROOM_OF_THE_OTHERS
    chosen: list[str] = []
    for name in names:
        room -= max(len(name), _NARROWEST) + _GAP
        if room < 0:
            break
        chosen.append(name)
    return chosen


def _value(value: Any) -> str:
    if value is None:
        return "-"
    plain = isinstance(value, float) and not isinstance(value, bool)
    return f"{value:.4g}" if plain else str(value)
