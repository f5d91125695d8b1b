"""Cutting all series of Examples into windows, and dividing these by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from penstock.io.examples.writer import ExamplesWriter
from penstock.io.series.series_rows import OneSeries, SeriesRows
from penstock.io.series.sliding import (
    Segment,
    WindowShape,
    segments,
    split_numbers,
    window_starts,
)
from penstock.io.series.time_axis import TimeStep, commonest_step
from penstock.io.series.write_windows import WindowWriter
from penstock.spelling import counted


@dataclass(frozen=True)
class Cut:
    """How series are cut.

    Args:
        shape: The shape of a window.
        features: The columns of the inputs.
        targets: The columns of the targets.
        step: The step; None for the commonest one.
        carry_forward: How many missing values in a row become the last one before.
        refuses_gaps: Whether a gap is an error.
        shared_history: Whether inputs may lie before the beginning of the split.
    """

    shape: WindowShape
    features: Sequence[str]
    targets: Sequence[str]
    step: TimeStep | None = None
    carry_forward: int = 0
    refuses_gaps: bool = False
    shared_history: bool = True


@dataclass
class CutReport:
    """What was cut.

    Attributes:
        step: The step, in ticks of the time axis.
        series: How many series there were.
        gaps: How many gaps in time divided them.
        missing: How many values were missing, in all columns together; carried ones included.
        across: Windows in no split, since they lie across a boundary.
        begins: Where each split after the first begins, as text.
    """

    step: float = 0.0
    series: int = 0
    gaps: int = 0
    missing: int = 0
    across: int = 0
    begins: dict[str, str] = field(default_factory=dict)


def shares_as_ticks(rows: SeriesRows, shares: Mapping[str, float]) -> list[float]:
    """Return the times at which the splits after the first begin, if each gets a share of the time.

    Args:
        rows: The series.
        shares: The share of each split, in the order of time.
    """
    ticks = rows.distinct_ticks
    cumulated = np.cumsum(list(shares.values())) / sum(shares.values())
    # Rounded: 0.7 + 0.15 is a little less than 0.85.
    places = np.floor(np.round(cumulated[:-1] * len(ticks), 6)).astype(int)
    return [ticks[min(place, len(ticks) - 1)].item() for place in places]


def cut_windows(
    rows: SeriesRows,
    cut: Cut,
    splits: Sequence[str],
    boundaries: Sequence[float],
    writer: ExamplesWriter,
) -> CutReport:
    """Cut series into windows and write each to its split.

    Args:
        rows: The series.
        cut: How to cut.
        splits: The splits in the order of time.
        boundaries: The ticks at which those after the first begin.
        writer: Where the windows go.

    Raises:
        ValueError: If there is a gap and gaps are refused, no step is known, or a split gets no window.
    """
    step = cut.step.ticks if cut.step is not None else _step_of(rows)
    report = CutReport(step)
    report.begins = {
        name: rows.axis.text(tick) for name, tick in zip(splits[1:], boundaries, strict=True)
    }
    with WindowWriter(writer, cut.shape, rows.axis, rows.series_key) as windows:
        for series in rows:
            report.series += 1
            found = segments(series.ticks, series.columns, cut.targets, step, cut.carry_forward)
            if cut.refuses_gaps:
                _refuse_gaps(series, found, rows, cut)
            report.gaps += len(found) - 1
            report.missing += sum(int(np.isnan(of).sum()) for of in series.columns.values())
            for segment in found:
                starts = window_starts(segment, cut.shape, cut.features)
                numbers = split_numbers(
                    segment, starts, cut.shape, boundaries, shared_history=cut.shared_history
                )
                report.across += int((numbers == -1).sum())
                kept = segment._replace(
                    inputs={name: segment.inputs[name] for name in cut.features}
                )
                for number, name in enumerate(splits):
                    windows.add(name, kept, starts[numbers == number], series.key)
    empty = [name for name, count in writer.row_counts.items() if not count]
    if empty:
        raise ValueError(_without_windows(empty[0], writer.row_counts, report, cut, rows))
    return report


def _step_of(rows: SeriesRows) -> float:
    step = commonest_step([np.diff(series.ticks) for series in rows])
    if step is None:
        raise ValueError(
            f"No series has two rows, so there are no windows. {len(rows)} rows were read; if series_key "
            "names what tells rows apart rather than series, leave it out."
        )
    return step


def _refuse_gaps(series: OneSeries, found: list[Segment], rows: SeriesRows, cut: Cut) -> None:
    of = "" if series.key is None else f" of series {series.key!r}"
    if len(found) > 1:
        last, after = found[0].ticks[-1], found[1].ticks[0]
        raise ValueError(
            f"The rows{of} have {counted(len(found) - 1, 'gap')} in time, the first from "
            f'{rows.axis.text(last)} to {rows.axis.text(after)}. Use gaps="split" to begin anew after each '
            "gap, carry_forward to fill short ones, or another step."
        )
    for name in dict.fromkeys([*cut.features, *cut.targets]):
        segment = found[0]
        values: Any = segment.targets[name] if name in segment.targets else segment.inputs[name]
        missing = np.flatnonzero(np.isnan(values))
        if len(missing):
            raise ValueError(
                f"Column {name!r}{of} has {counted(len(missing), 'missing value')}, the first at "
                f'{rows.axis.text(segment.ticks[missing[0]])}. Use gaps="split" to leave out the windows '
                "that would hold them, or fill them before."
            )


def _without_windows(
    name: str, counts: Mapping[str, int], report: CutReport, cut: Cut, rows: SeriesRows
) -> str:
    length = cut.shape.length
    return (
        f"Split {name!r} gets no window: one is {length} steps long, and there are {len(rows)} rows in "
        f"{report.series} series with {counted(report.gaps, 'gap')} in time and "
        f"{counted(report.missing, 'missing value')}; "
        f"{report.across} windows lie across a boundary. Splits begin at {report.begins}, and have "
        f"{dict(counts)} windows. Use a smaller input_width or horizon, another step, larger splits, or "
        "carry_forward."
    )
