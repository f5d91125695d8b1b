"""Explanations of a Keras model as numbers and pictures of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.explaining.attention import attention_scores
from penstock.explaining.contributions import (
    contributions_by_feature,
    integrated_gradients,
)
from penstock.explaining.explained_model import ExplainedModel
from penstock.explaining.gradients import grad_cam, saliency
from penstock.explaining.report import ExplanationReport
from penstock.plots import attention_maps, bars, heat_map_over_image

if TYPE_CHECKING:
    import numpy.typing as npt

_MOST_TOKENS = 30


class KerasExplanations:
    """What gradients and layers of a Keras model say about some rows.

    Args:
        model: The model.
        inputs: Its inputs by name, tensors with the rows first.
        output: The output to explain, if there are several.
        target_class: The class; by default the model's own answer in each row.
        pictures: How many rows have a picture of their own.
    """

    def __init__(
        self,
        model: Any,
        inputs: Mapping[str, Any],
        output: str,
        target_class: int | None,
        pictures: int,
    ) -> None:
        self._model = model
        self._inputs = inputs
        self._of: dict[str, Any] = {"output": output, "target_class": target_class}
        self._first = {name: each[:pictures] for name, each in inputs.items()}

    def add_integrated_gradients(self, report: ExplanationReport) -> None:
        """Add the mean contribution of each input, and the tokens' own in the first rows."""
        found = integrated_gradients(self._model, self._inputs, **self._of)
        report.add_importances(
            "integrated_gradients",
            contributions_by_feature(found),
            "mean absolute contribution to the score",
        )
        for name, values in found.items():
            tokens = self._inputs.get(name)
            if (
                tokens is None
                or values.ndim != 2
                or values.shape[1] < 2
                or tokens.dtype.is_floating
            ):
                continue
            for row in range(len(next(iter(self._first.values())))):
                told = {
                    f"{place + 1}: {token}": float(value)
                    for place, (token, value) in enumerate(
                        zip(tokens[row].numpy().tolist(), values[row], strict=True)
                    )
                    if token
                }
                if told:
                    figure = bars(told, x_label=f"contribution of {name}", most=_MOST_TOKENS)
                    report.add(f"integrated_gradients-{row}", figure)

    def add_saliency(self, report: ExplanationReport, image_key: str) -> None:
        """Add which pixels move the score."""
        name = self._image(image_key)
        heat = saliency(self._model, self._first, name, **self._of)
        self._add_heat(report, "saliency", self._first[name].numpy(), heat)

    def add_grad_cam(self, report: ExplanationReport, image_key: str, layer: str) -> None:
        """Add which regions speak for the score."""
        name = self._image(image_key)
        heat = grad_cam(self._model, self._first, layer=layer, **self._of)
        self._add_heat(report, "grad_cam", self._first[name].numpy(), heat)

    def add_attention(self, report: ExplanationReport) -> None:
        """Add who looks at whom in the first row, layer by layer."""
        found = attention_scores(self._model, {n: each[:1] for n, each in self._first.items()})
        focus = {}
        for place, (name, scores) in enumerate(found.items()):
            report.add(f"attention-{place}", attention_maps(scores[0], title=name))
            entropy = -(scores * np.log(np.maximum(scores, 1e-12))).sum(axis=-1)
            focus[name] = float(np.exp(entropy.mean()))
        report.numbers["attention"] = {"places_looked_at": focus}
        told = ", ".join(f"{name} {value:.1f}" for name, value in focus.items())
        report.sentences.append(f"attention: places that each one looks at: {told}")

    def _image(self, image_key: str) -> str:
        images = [name for name, each in self._inputs.items() if len(each.shape) == 4]
        if image_key in images:
            return image_key
        if image_key or len(images) != 1:
            raise ValueError(
                "Say in image_key which input is the image, of the shape (height, width, channels). "
                f"Received: {image_key!r}; such inputs: {', '.join(images) or 'none'}"
            )
        return images[0]

    def _add_heat(
        self,
        report: ExplanationReport,
        method: str,
        images: npt.NDArray[Any],
        heat: npt.NDArray[np.float32],
    ) -> None:
        explained = ExplainedModel(self._model, **self._of)
        targets = explained.targets(self._first)
        scores = explained.score(self._first, targets).numpy()
        for row, (image, warm) in enumerate(zip(images, heat, strict=True)):
            title = f"class {targets[row]}, score {scores[row]:.2f}"
            report.add(f"{method}-{row}", heat_map_over_image(_drawn(image), warm, title=title))
        report.numbers[method] = {
            "classes": targets.tolist(),
            "scores": [float(each) for each in scores],
        }
        report.sentences.append(f"{method.replace('_', '-')}: {len(images)} pictures")


def _drawn(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an image as floats from 0 to 1, whatever range the model reads."""
    values = image.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return values
    spread: npt.NDArray[Any] = (values - low) / (high - low or 1.0)
    return spread
