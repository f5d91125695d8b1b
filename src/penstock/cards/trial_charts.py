"""Charts of a search's trials: scores as they came, by each hyperparameter, and all side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import HEIGHT, WIDTH, Plane, number, svg
from penstock.cards.markup import Markup, tag

# A hyperparameter whose values span more is shown by powers of ten.
_SPAN_OF_LOG = 50
_LONGEST_NAME = 14
_FAINTEST = 0.15


def score_chart(trials: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the scores in the order in which the trials began, and the best so far.

    Args:
        trials: Those with a score, the best first.
    """
    order = {id(trial): rank for rank, trial in enumerate(trials)}
    begun = sorted(trials, key=lambda trial: _begun(trial, order[id(trial)]))
    places = [float(_begun(trial, order[id(trial)])) for trial in begun]
    scores = [float(trial["score"]) for trial in begun]
    plane = Plane(list(zip(places, scores, strict=True)), (None, None), whole_x=True)
    steps: list[tuple[float, float]] = []
    best: Mapping[str, Any] | None = None
    for x, trial in zip(places, begun, strict=True):
        if best is not None:
            steps.append(plane.place(x, float(best["score"])))
        # Which of two is better is told by the order of the trials.
        if best is None or order[id(trial)] < order[id(best)]:
            best = trial
        steps.append(plane.place(x, float(best["score"])))
    line = tag(
        "polyline",
        tag("title", "best so far"),
        class_="series s1",
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in steps),
    )
    dots = [
        _dot(plane.place(x, float(trial["score"])), trial, best=trial is trials[0])
        for x, trial in zip(places, begun, strict=True)
    ]
    legend = [
        tag("span", tag("i", class_=f"key {colour}"), name)
        for name, colour in (("score", "s0"), ("best so far", "s1"))
    ]
    return tag(
        "div",
        svg(
            WIDTH,
            HEIGHT,
            *plane.grid(),
            line,
            *dots,
            *plane.labels("trial", "score"),
            label="score by trial",
        ),
        tag("div", legend, class_="legend"),
        class_="chart plane",
    )


def hyperparameter_chart(name: str, trials: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the scores over the values of one hyperparameter.

    Args:
        name: The hyperparameter.
        trials: Those with a score, the best first.
    """
    scale = _Scale(name, trials)
    shown = [trial for trial in trials if name in trial["hyperparameters"]]
    points = [(scale.place(trial), float(trial["score"])) for trial in shown]
    ends = (-0.05, 1.05)
    plane = Plane(points, (ends, None))
    plane.name_x([(place, text) for place, text in scale.marks()])
    dots = [
        _dot(plane.place(*point), trial, best=trial is trials[0])
        for point, trial in reversed(list(zip(points, shown, strict=True)))
    ]
    return tag(
        "div",
        svg(
            WIDTH,
            HEIGHT,
            *plane.grid(),
            *dots,
            *plane.labels(name, "score"),
            label=f"score by {name}",
        ),
        class_="chart plane",
    )


def parallel_coordinates(names: Sequence[str], trials: Sequence[Mapping[str, Any]]) -> Markup:
    """Return one line per trial through its hyperparameters' values and its score; better ones are darker.

    Args:
        names: The hyperparameters, an axis each.
        trials: Those with a score, the best first.
    """
    scales = [*(_Scale(name, trials) for name in names), _Scale(None, trials)]
    left, right, top, bottom = 60.0, 70.0, 26.0, HEIGHT - 34.0
    wide = max(WIDTH, 110.0 * len(scales))
    gap = (wide - left - right) / max(1, len(scales) - 1)
    parts = []
    for rank, trial in reversed(list(enumerate(trials))):
        corners = [
            (left + i * gap, bottom - scale.place(trial) * (bottom - top))
            for i, scale in enumerate(scales)
            if scale.has(trial)
        ]
        opacity = 1.0 if rank == 0 else max(_FAINTEST, 0.75 * (1 - rank / len(trials)))
        parts.append(
            tag(
                "polyline",
                tag("title", _title(trial)),
                class_=f"series {'s1' if rank == 0 else 's0'}",
                points=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners),
                stroke_opacity=round(opacity, 2),
            )
        )
    for i, scale in enumerate(scales):
        x = left + i * gap
        parts.append(tag("line", class_="grid", x1=x, x2=x, y1=top, y2=bottom))
        for place, text in scale.marks():
            y = bottom - place * (bottom - top)
            parts.append(tag("text", text, class_="tick", x=x + 5, y=y + 3.5))
        shown = _cut(scale.name or "score")
        parts.append(tag("text", shown, class_="axis", x=x, y=HEIGHT - 10, text_anchor="middle"))
    return tag("div", svg(wide, HEIGHT, *parts, label="parallel coordinates"), class_="chart wide")


class _Scale:
    """Where the values of a hyperparameter, or the scores, lie between 0 and 1.

    Args:
        name: The hyperparameter; None for the score.
        trials: The trials.
    """

    def __init__(self, name: str | None, trials: Sequence[Mapping[str, Any]]) -> None:
        self.name = name
        values: list[Any] = [self._value(trial) for trial in trials if self.has(trial)]
        self._numeric = all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        )
        self._choices = [] if self._numeric else sorted(dict.fromkeys(map(str, values)))
        self._low: float = min(values) if self._numeric else 0
        self._high: float = max(values) if self._numeric else 1
        self._log = self._numeric and self._low > 0 and self._high > self._low * _SPAN_OF_LOG

    def has(self, trial: Mapping[str, Any]) -> bool:
        """Whether a trial has a value: hyperparameters may depend on others."""
        return self.name is None or self.name in trial["hyperparameters"]

    def _value(self, trial: Mapping[str, Any]) -> Any:
        return trial["score"] if self.name is None else trial["hyperparameters"][self.name]

    def place(self, trial: Mapping[str, Any]) -> float:
        """Return where a trial's value lies; in the middle if all are equal."""
        value = self._value(trial)
        if not self._numeric:
            return _share(self._choices.index(str(value)), 0, len(self._choices) - 1)
        if self._log:
            return _share(math.log(value), math.log(self._low), math.log(self._high))
        return _share(value, self._low, self._high)

    def marks(self) -> list[tuple[float, str]]:
        """Return places with their values: the ends and the middle, or the choices."""
        if not self._numeric:
            last = len(self._choices) - 1
            return [(_share(i, 0, last), _cut(text)) for i, text in enumerate(self._choices)]
        if self._low == self._high:
            return [(0.5, number(self._low))]
        middle = math.sqrt(self._low * self._high) if self._log else (self._low + self._high) / 2
        return [(0.0, number(self._low)), (0.5, number(middle)), (1.0, number(self._high))]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _begun(trial: Mapping[str, Any], rank: int) -> int:
    identifier = str(trial.get("trial_id"))
    return int(identifier) if identifier.isdecimal() else rank


def _dot(place: tuple[float, float], trial: Mapping[str, Any], *, best: bool) -> Markup:
    return tag(
        "circle",
        tag("title", _title(trial)),
        class_=f"dot {'s1' if best else 's0'}",
        cx=place[0],
        cy=place[1],
        r=5 if best else 3.5,
    )


def _title(trial: Mapping[str, Any]) -> str:
    values = ", ".join(f"{name} {_text(value)}" for name, value in trial["hyperparameters"].items())
    return f"trial {trial.get('trial_id')}: score {number(trial['score'])}; {values}"


def _text(value: Any) -> str:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return number(value) if plain else str(value)


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= _LONGEST_NAME
        else f"{text[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
