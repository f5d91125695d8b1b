"""FilterRows: keeps the rows of Examples that a function chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from penstock.artifacts import Examples
from penstock.components.named_function import as_function
from penstock.dsl import Component, ExecutionContext, Input, Output, output


class FilterRows(Component):
    """Keeps rows of every split as they are stored: format, payload and bytes do not change.

    Args:
        examples: The rows.
        keep: A function, or its dotted name, that takes a `pyarrow.RecordBatch` (each column holds
            one list of values per row) and returns a boolean for each row.

    Outputs:
        filtered: The rows that were kept.

    Example:
        FilterRows(examples=gen.outputs["examples"], keep="modules.taxi.has_fare")
    """

    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl")
    USES_SEED: ClassVar = False

    examples: Input[Examples]
    keep: Callable[..., Any] | str
    filtered: Output[Examples] = output()

    def check(self) -> None:
        """Check that `keep` is a function or could be the name of one."""
        self.keep = as_function("FilterRows(keep=...)", self.keep)

    def run(self, context: ExecutionContext) -> None:
        """Write the rows to keep, and report how many there are."""
        from penstock.io import ExamplesSplit, ExamplesWriter

        assert callable(self.keep)
        with ExamplesWriter.like(self.examples, self.filtered) as writer:
            for split in ExamplesSplit.all_of(self.examples):
                for rows in split.rows():
                    writer.write_rows(split.name, rows.filter(self.keep(rows.batch)))
        counts = {f"rows/{split}": count for split, count in writer.row_counts.items()}
        context.report_metrics(counts)
