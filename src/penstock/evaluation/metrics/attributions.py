"""Sums and means of attributions: how much each feature had a part in a prediction.

Definitions follow TensorFlow Model Analysis 0.52, attributions.py of tensorflow_model_analysis/metrics. The
attributions of a feature are an output of the model's signature that is named `attributions/FEATURE`, or
`attributions/OUTPUT/FEATURE` for one of several outputs: a number a row, or one for each class.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import FloatArray, RowSums, View
from penstock.evaluation.keys import SubKey
from penstock.evaluation.metrics.registry import Computation, metric

PREFIX = "attributions/"
"""How the outputs with attributions begin."""

Layout = list[tuple[str, int]]


class AttributionSums(RowSums):
    """Weighted sums of attributions, and of the weights. Params: whether of their absolute values."""

    NEEDS_NUMBERS = False

    def __init__(self, params: Hashable, view: View) -> None:
        super().__init__(params, view)
        self._layout: Layout = []

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return the attributions of each row, feature by feature, and its weight."""
        source, view = inputs.source, self.view
        assert source is not None
        outputs = source.outputs(view.model_name)
        prefix = PREFIX + (f"{view.output_name}/" if view.output_name else "")
        names = sorted(name for name in outputs if name.startswith(prefix))
        if not names:
            raise ValueError(
                f"Attributions are outputs of the signature that are named {prefix}FEATURE. It returns: "
                f"{', '.join(outputs)}"
            )
        columns, layout = [], []
        for name in names:
            values = outputs[name].astype(np.float64)
            values = _of_class(values.reshape(len(values), -1), view.sub_key, name)
            layout.append((name.removeprefix(prefix), values.shape[1]))
            columns.append(np.abs(values) if self.params else values)
        if self._layout and layout != self._layout:
            raise ValueError(
                f"The attributions changed from {self._layout} to {layout} between two batches."
            )
        self._layout = layout
        weights = inputs.row_weights(view.weighted)[:, None]
        return np.column_stack([*(part * weights for part in columns), weights])

    def merge(self, other: Any, groups: Any) -> None:
        """Add another kernel's sums."""
        super().merge(other, groups)
        self._layout = self._layout or other._layout

    def state(self, group: int) -> Any:
        """Return the features with their numbers of values, and one group's sums."""
        return self._layout, super().state(group)


def _of_class(values: npt.NDArray[Any], key: SubKey | None, name: str) -> npt.NDArray[Any]:
    if key is None:
        return values
    wanted = key.class_id if key.class_id is not None else key.k or key.top_k or 0
    if wanted + (key.class_id is not None) > values.shape[1]:
        raise ValueError(f"A metric is for {key}, but {name!r} has {values.shape[1]} values a row.")
    if key.class_id is not None:
        return values[:, [key.class_id]]
    ranked = -np.sort(-values, axis=1)
    return ranked[:, key.k - 1 : key.k] if key.k is not None else ranked[:, : key.top_k]


def _by_feature(layout: Layout, sums: FloatArray, divisor: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    start = 0
    for name, width in layout:
        values = sums[start : start + width] / divisor
        found[name] = float(values[0]) if width == 1 else values
        start += width
    return found


def _register(class_name: str, absolute: bool, is_mean: bool) -> None:
    def value(state: tuple[Layout, FloatArray]) -> dict[str, Any]:
        layout, sums = state
        weight = float(sums[-1]) if len(sums) else 0.0
        divisor = 1.0
        if is_mean:
            divisor = float("nan") if np.isclose(weight, 0.0) else weight
        return _by_feature(layout, sums, divisor)

    @metric(class_name)
    def build() -> Computation:
        return Computation((AttributionSums, absolute), value, labels="none", is_attribution=True)


_register("TotalAttributions", False, False)
_register("TotalAbsoluteAttributions", True, False)
_register("MeanAttributions", False, True)
_register("MeanAbsoluteAttributions", True, True)
