"""Broken rows of Beam's workers, back into the order in which the local driver meets them.

A worker that is retried must not count twice, so broken rows travel as data: each with its place, the
rows of a stage and file together under one name of an `Exchange`. They are few, or the input is the
wrong one: those of one file are held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam

from penstock.beam.exchange import Exchange

if TYPE_CHECKING:
    from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken

BROKEN = "broken"
"""The tag of a transform's output that holds broken rows."""

PLANNING, READING = 0, 1
"""The stages of reading: all files of a split are surveyed before the first one is read."""


Place = tuple[int, int]
"""Where a row was found to be broken: the stage, and the number of the file."""


class _Found(NamedTuple):
    part: int
    converted: bool
    number: int
    row: BrokenRow


class BrokenRows:
    """Takes broken rows of a bundle, and gives them to Beam.

    Args:
        keep: Whether rows may be broken; else `on_broken` is None.
    """

    def __init__(self, keep: bool) -> None:
        self.on_broken: OnBroken | None = self._take if keep else None
        self._rows: list[BrokenRow] = []

    def _take(self, row: BrokenRow) -> None:
        self._rows.append(row)

    def outputs(
        self, stage: int, file: int | Mapping[str, int], part: int = 0, *, converted: bool
    ) -> Iterator[Any]:
        """Yield what was told of since the last call, as tagged outputs.

        Args:
            stage: PLANNING or READING.
            file: The file's number, or the numbers of files.
            part: The number of the part in the file.
            converted: Whether the part had been read before its rows were found to be broken.
        """
        rows, self._rows[:] = list(self._rows), []
        for number, row in enumerate(rows):
            place = stage, file if isinstance(file, int) else file[row.file]
            yield beam.pvalue.TaggedOutput(BROKEN, (place, _Found(part, converted, number, row)))


class CollectBroken(beam.PTransform):  # type: ignore[misc]
    """Makes of broken rows what an `Exchange` keeps: the rows of each place, and the places."""

    def expand(self, broken: Any) -> Any:
        """Put the rows of a place together and in order."""
        rows = broken | "ByPlace" >> beam.GroupByKey()
        places = (
            rows
            | "Places" >> beam.Keys()
            | "ListPlaces" >> beam.combiners.ToList()
            | "NamePlaces" >> beam.Map(lambda found: (BROKEN, found))
        )
        return (rows | "Order" >> beam.MapTuple(_in_order), places) | "Both" >> beam.Flatten()


def _in_order(place: Place, found: Iterable[_Found]) -> tuple[str, list[BrokenRow]]:
    ordered = sorted(found, key=lambda each: each[:3])
    return _name(place), [each.row for each in ordered]


def _name(place: Place) -> str:
    stage, file = place
    return f"{BROKEN}-{stage}-{file:06d}"


def broken_rows(exchange: Exchange, splits: Sequence[Sequence[int]]) -> Iterator[BrokenRow]:
    """Yield what `CollectBroken` has kept, as the local driver would meet it.

    Args:
        exchange: Where it was kept.
        splits: The numbers of the files of each split.
    """
    places = set(exchange.read(BROKEN, []))
    for files in splits:
        for stage in (PLANNING, READING):
            for file in files:
                if (stage, file) in places:
                    yield from exchange.read(_name((stage, file)))
