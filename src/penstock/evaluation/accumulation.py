"""What an evaluation keeps of the rows that it has seen: the slices, and the kernels of all metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.intervals.resampling import Resampling, RowIds, ids_of
from penstock.evaluation.kernels.queries import query_names
from penstock.evaluation.kernels.sums import Count, Kernel, KernelSpec, View
from penstock.evaluation.models.evaluated_model import BatchInputs
from penstock.evaluation.plan import PlannedMetric, label_sums_view
from penstock.evaluation.slices.slicing import Slicer
from penstock.evaluation.worst_rows import WorstRows


class InputsByView(Protocol):
    """The metric inputs of a batch, by model and output."""

    def get(self, view: View) -> MetricInputs:
        """Return what a kernel with this view sees."""


class Accumulation:
    """The slices that came up, and the kernels of all metrics, each once.

    Two accumulations of the same plan that saw different rows merge into what one would be that saw the
    rows of both. So rows may be divided among processes and Beam's workers. An accumulation that was
    pickled holds states only: it can be merged into one that was made from the plan, no more.

    Args:
        metrics: What is computed.
        slicing_specs: `SlicingSpec` messages.
        worst_rows: What keeps the rows with the largest errors, if they are wanted.
        resampling: How rows come into the samples of confidence intervals, if these are wanted. The kernels
            have several groups a slice then.
    """

    def __init__(
        self,
        metrics: Iterable[PlannedMetric],
        slicing_specs: Iterable[Any],
        worst_rows: WorstRows | None = None,
        resampling: Resampling | None = None,
    ) -> None:
        self.worst_rows = worst_rows
        self._resampling = resampling
        self.slicer = Slicer(slicing_specs)
        self.num_examples = 0
        self.features: set[str] = set()
        """The features that there were, in whatever row."""
        self._kernels: list[Kernel] = []
        self._index: dict[tuple[KernelSpec, View], int] = {}
        self._binary: set[View] = set()
        for metric in metrics:
            for _, part in metric.parts or ((1.0, metric),):
                self._require(part.computation.kernel, part.view)
                if metric.by_label:
                    self._require(*label_sums_view(part.view))
                if part.computation.labels == "binary" and not part.view.query_key:
                    self._binary.add(View(part.view.model_name, part.view.output_name))
        self._rows = Count((), View())

    def _require(self, spec: KernelSpec, view: View) -> None:
        if (spec, view) not in self._index:
            kernel_class, params = spec
            self._index[spec, view] = len(self._kernels)
            self._kernels.append(kernel_class(params, view))

    def add_batch(self, inputs: BatchInputs) -> None:
        """Add a batch; the first model may make the features that slices are made of."""
        features = inputs.with_features(self.slicer.features).columns
        self.add(inputs, features, inputs.batch.row_ids)

    def add(
        self, inputs: InputsByView, features: pa.RecordBatch, row_ids: RowIds | None = None
    ) -> None:
        """Add rows.

        Args:
            inputs: What the kernels see.
            features: The features that the slices are made of, and others.
            row_ids: What each row is known by wherever it is read, `[rows]`. Samples need them.
        """
        self.features.update(features.schema.names)
        slices = self.slicer.assign(features)
        membership = slices
        if self._resampling is not None:
            if row_ids is None:
                raise ValueError("Samples of the rows need row_ids.")
            membership = self._resampling.assign(slices, row_ids)
        for view in self._binary:
            inputs.get(view).check_binary_labels()
        for kernel in self._kernels:
            seen = inputs.get(kernel.view)
            if kernel.NEEDS_NUMBERS:
                seen.check_predictions()
            if self._resampling is not None and kernel.view.query_key:
                # The rows of a query come into a sample together.
                queries = ids_of(query_names(seen, kernel.view.query_key))
                kernel.add(seen, self._resampling.assign(slices, queries))
            else:
                kernel.add(seen, membership)
        every_row = np.zeros(features.num_rows)
        self._rows.add(MetricInputs(every_row, every_row), membership)
        if self.worst_rows is not None:
            self.worst_rows.add(inputs, features)
        self.num_examples += features.num_rows

    def merge(self, other: Accumulation) -> None:
        """Add what another accumulation of the same plan saw; it is not used afterwards."""
        groups = self.slicer.merge(other.slicer.keys)
        if self._resampling is not None:
            groups = self._resampling.groups_of(groups)
        for kernel, added in zip(self._kernels, other._kernels, strict=True):
            kernel.merge(added, groups)
        self._rows.merge(other._rows, groups)
        if self.worst_rows is not None and other.worst_rows is not None:
            self.worst_rows.merge(other.worst_rows)
        self.num_examples += other.num_examples
        self.features |= other.features

    def regrouped(self, groups: Sequence[int]) -> Accumulation:
        """Return an accumulation whose group `groups[i]` is the sum of all such groups `i` of this one."""
        # Not copy.copy, which leaves out what cannot be pickled.
        made = Accumulation.__new__(Accumulation)
        vars(made).update(vars(self))
        made._kernels = [kernel_class(params, view) for (kernel_class, params), view in self._index]
        made._rows = Count((), self._rows.view)
        for kernel, own in zip(
            [*made._kernels, made._rows], [*self._kernels, self._rows], strict=True
        ):
            kernel.merge(own, groups)
        return made

    def examples(self, group: int) -> int:
        """Return the rows of one slice."""
        return int(self._rows.state(group)[0])

    def value(self, metric: PlannedMetric, group: int) -> Any:
        """Return the value of a metric in one slice."""
        if not metric.parts:
            return metric.computation.value(
                self.state(metric.computation.kernel, metric.view, group)
            )
        total, weight_sum = 0.0, 0.0
        for weight, part in metric.parts:
            if metric.by_label:
                weight *= self.state(*label_sums_view(part.view), group)[0]
            total += weight * self.value(part, group)
            weight_sum += weight
        return float(total / weight_sum) if weight_sum else float("nan")

    def state(self, spec: KernelSpec, view: View, group: int) -> Any:
        """Return the state of one kernel in one slice."""
        return self._kernels[self._index[spec, view]].state(group)

    def __getstate__(self) -> dict[str, Any]:
        """Return the states without the plan, which may hold functions that cannot be pickled."""
        return {**vars(self), "_index": {}, "_binary": set()}
