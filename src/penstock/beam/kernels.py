"""Kernels on Beam: objects with `add`, `merge` and `result`, as a CombineFn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import apache_beam as beam

if TYPE_CHECKING:
    import pyarrow as pa


class Kernel(Protocol):
    """A mergeable accumulator over RecordBatches; must be picklable."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""

    def merge(self, other: Any) -> None:
        """Add the state of another kernel, which is not used afterwards."""

    def result(self) -> Any:
        """Says what all rows gave."""


MakeKernel = Callable[[], Kernel]
"""A picklable function that makes an empty kernel."""


class Sample(NamedTuple):
    """Rows to add to a kernel, and how many were read for them.

    Args:
        batch: The rows to look at.
        rows: The rows that were read; more than the batch has where data is sampled.
    """

    batch: pa.RecordBatch
    rows: int


class Total(NamedTuple):
    """What a kernel made of a data set.

    Args:
        result: The kernel's result.
        rows: The rows that were read.
    """

    result: Any
    rows: int


class KernelCombineFn(beam.CombineFn):  # type: ignore[misc]
    """Combines Samples into a Total.

    Args:
        make_kernel: Makes an empty kernel.

    Example:
        batches | beam.CombinePerKey(KernelCombineFn(functools.partial(SlicedStatistics, options)))
    """

    def __init__(self, make_kernel: MakeKernel) -> None:
        self._make_kernel = make_kernel

    def create_accumulator(self) -> tuple[Kernel, int]:
        """Make an empty kernel."""
        return self._make_kernel(), 0

    def add_input(self, accumulator: tuple[Kernel, int], element: Sample) -> tuple[Kernel, int]:
        """Add rows."""
        kernel, rows = accumulator
        kernel.add(element.batch)
        return kernel, rows + element.rows

    def merge_accumulators(self, accumulators: Iterable[tuple[Kernel, int]]) -> tuple[Kernel, int]:
        """Merge into a new kernel, so that a retried merge starts from unchanged parts."""
        total, rows = self.create_accumulator()
        for kernel, seen in accumulators:
            total.merge(kernel)
            rows += seen
        return total, rows

    def extract_output(self, accumulator: tuple[Kernel, int]) -> Total:
        """Take the kernel's result."""
        kernel, rows = accumulator
        return Total(kernel.result(), rows)
