"""How Beam's workers read the results of queries."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from penstock.beam.shard_readers import Part, batch_to_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows


@dataclasses.dataclass(frozen=True)
class QueryInput:
    """Queries; a worker makes one and streams its rows, which others go on with.

    Args:
        read: Makes a query and yields its rows, in columns of lists; picklable.

    Example:
        QueryInput(functools.partial(read_query, "postgresql://me:${DB_PASSWORD}@host/shop"))
    """

    read: Callable[[str], Iterator[pa.RecordBatch]]

    def survey(self, query: str, on_broken: OnBroken | None = None) -> None:
        """Look at nothing."""

    def plan(self, surveys: Sequence[None], on_broken: OnBroken | None = None) -> None:
        """Plans nothing."""

    def parts(self, query: str, plan: None, on_broken: OnBroken | None = None) -> Iterator[Part]:
        """Make the query."""
        first_row = 0
        for batch in self.read(query):
            yield Part(query, first_row, batch_to_bytes(batch))
            first_row += batch.num_rows

    def rows(self, part: Part, plan: None, on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Serialize the rows."""
        from penstock.io.arrow.batch_stream import batch_of
        from penstock.io.ingestion.write_examples import Rows

        return Rows.of_batches([batch_of(part.content)], missing="kindless")
