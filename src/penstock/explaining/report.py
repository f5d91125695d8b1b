"""What an explanation holds: numbers, pictures, and a sentence for each method."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.explaining.permutation import permutation_importance
from penstock.explaining.shapley import shap_values
from penstock.plots import bars, write_pictures

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

EXPLANATION_FILE = "explanation.json"
_NAMED = 3


class ExplanationReport:
    """Numbers, pictures and sentences, collected method by method.

    Attributes:
        numbers: By method, as JSON values.
        figures: Pictures by name.
        captions: A sentence below a picture.
        sentences: What each method found, in short.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, Any] = {}
        self.figures: dict[str, Figure] = {}
        self.captions: dict[str, str] = {}
        self.sentences: list[str] = []

    def add(self, name: str, figure: Figure, caption: str = "") -> None:
        """Add a picture."""
        self.figures[name] = figure
        if caption:
            self.captions[name] = caption

    def add_importances(
        self,
        method: str,
        values: Mapping[str, float],
        x_label: str,
        *,
        errors: Mapping[str, float] | None = None,
        caption: str = "",
        **facts: Any,
    ) -> None:
        """Add a number for each feature, the greatest first, and its bars."""
        self.numbers[method] = {**facts, "importances": dict(values)}
        if errors is not None:
            self.numbers[method]["deviations"] = dict(errors)
        self.add(method, bars(values, errors=errors, x_label=x_label), caption)
        first = [f"{name} {value:.3g}" for name, value in list(values.items())[:_NAMED]]
        self.sentences.append(f"{method.replace('_', ' ')}: {', '.join(first)}")

    def add_permutation(
        self,
        score: Callable[[dict[str, npt.NDArray[Any]]], float],
        columns: Mapping[str, npt.NDArray[Any]],
        metric: str,
        seed: int,
    ) -> None:
        """Shuffle each feature and add what that costs."""
        whole, found = permutation_importance(score, columns, seed=seed)
        self.add_importances(
            "permutation",
            {name: each.mean for name, each in found.items()},
            f"how much worse {metric} gets when the feature is shuffled",
            errors={name: each.deviation for name, each in found.items()},
            caption=f"{metric} with nothing shuffled: {abs(whole):.4g}",
            metric=metric,
            whole=abs(whole),
        )

    def add_shap(
        self,
        predict: Callable[[dict[str, npt.NDArray[Any]]], npt.NDArray[Any]],
        columns: Mapping[str, npt.NDArray[Any]],
        target_class: int,
        seed: int,
    ) -> None:
        """Add SHAP values: their mean size by feature."""
        values, base = shap_values(predict, columns, seed=seed)
        sizes = {name: float(np.abs(each).mean()) for name, each in values.items()}
        self.add_importances(
            "shap",
            dict(sorted(sizes.items(), key=lambda each: -each[1])),
            "mean absolute SHAP value",
            caption=f"of the score of class {target_class}, over {len(base)} rows",
            target_class=target_class,
            base=float(base.mean()),
            by_row={name: each.tolist() for name, each in values.items()},
        )

    def write(self, folder: str) -> None:
        """Write `explanation.json`, the pictures and `index.html`."""
        write_pictures(folder, self.figures, title="Explanation", captions=self.captions)
        text = json.dumps(self.numbers, indent=1, sort_keys=True)
        Path(folder, EXPLANATION_FILE).write_text(f"{text}\n", encoding="utf-8")
