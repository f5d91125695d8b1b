"""The rows of an evaluation on Beam: each worker predicts and accumulates shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import apache_beam as beam

from penstock.beam.exchange import Exchange
from penstock.beam.pipeline_options import BeamSetup

if TYPE_CHECKING:
    from penstock.evaluation.accumulation import Accumulation
    from penstock.evaluation.row_work import RowWork

_TOTAL = "total"


def accumulate_on_beam(setup: BeamSetup, work: RowWork, exchange_folder: str) -> Accumulation:
    """Evaluate the rows of each shard where a worker is, and merge what they accumulated.

    Args:
        setup: Where to run.
        work: The rows and what is done to them; each worker process loads the models once.
        exchange_folder: A folder that every worker and this process reach, for the result.

    Raises:
        ValueError: If Dataflow is to use a folder of this machine.
    """
    rows = work.rows
    setup.check_reachable([exchange_folder, *rows.models.values(), *rows.files])
    with Exchange(exchange_folder) as exchange:
        with setup.pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(list(enumerate(rows.files)))
                | "Spread" >> beam.Reshuffle()
                | "Evaluate" >> beam.FlatMap(_accumulated, work)
                | "Merge" >> beam.CombineGlobally(_Merge(work))
                | "Name" >> beam.Map(lambda total: (_TOTAL, total))
                | "Keep" >> exchange.keep()
            )
        total = exchange.read(_TOTAL)
    return work.empty() if total is None else total


def _accumulated(shard: tuple[int, str], work: RowWork) -> Iterator[Accumulation]:
    yield from work.of_shard(*shard)


class _Merge(beam.CombineFn):  # type: ignore[misc]
    def __init__(self, work: RowWork) -> None:
        self._work = work

    def create_accumulator(self) -> Any:
        """Make an accumulation that has seen nothing."""
        return self._work.empty()

    def add_input(self, accumulator: Accumulation, element: Accumulation) -> Accumulation:
        """Add what was accumulated of a part."""
        accumulator.merge(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Accumulation]) -> Accumulation:
        """Merge into a new one: one that came from another worker has lost its plan."""
        total: Accumulation = self._work.empty()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator: Accumulation) -> Accumulation:
        """Return it as it is: values need the plan."""
        return accumulator
