"""Windows: windowed examples of time series, split by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from penstock.artifacts import Examples
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.spelling import counted

_SHARES = {"train": 0.7, "eval": 0.15, "test": 0.15}


class Windows(Component):
    """Cuts time series into windows: what was, and what came after it.

    The rows of all splits of `examples` are taken together, divided into series and put in the order of
    time. A window is `input_width` steps that a model sees, and `horizon` steps that it is to tell. Each
    window is one row: a list of `input_width` values for each of `features`, a list of `horizon` values
    for each target, named `<target>_target`, and the time of its last input.

    Splits are stretches of time, the same for all series, and no target of a split lies in the time of an
    earlier one. A window that lies across a boundary is in no split, so nothing that is evaluated on has
    been trained on.

    No window reaches across a gap: a time that is missing, or a value that is. All rows are held in
    memory.

    Args:
        examples: Rows with a time and one number for each feature.
        time_key: The column of the time: integers, floats, or dates as in ISO 8601.
        features: The columns that the model sees.
        targets: The columns that it is to tell; by default those of `features`.
        series_key: The column that tells series apart, such as a shop or a sensor.
        input_width: Steps that the model sees.
        horizon: Steps that it is to tell.
        delay: Steps between the last input and the first target.
        stride: Steps from one window to the next.
        step: The time from one row to the next: `"7D"`, `"1h"`, `"15min"`, `"1M"` (a month), or a number
            for times that are numbers. By default the commonest one in the data.
        gaps: What to do about gaps: "split" begins anew after each, "refuse" is an error.
        carry_forward: At most so many missing values in a row become the last value before, in inputs
            alone: no target is made up.
        splits: The share of the time that each split gets, in the order of time; by default 0.7 for
            `train`, 0.15 for `eval` and 0.15 for `test`.
        split_times: The time at which each split begins, instead of `splits`: `{"train": None, "eval":
            "1990-01-01", "test": "1996-01-01"}`. The first
            is None: it begins where the data do.
        shared_history: Whether the inputs of a window may lie before its split begins, as they will when
            the model serves. With False no value is in two splits.

    Outputs:
        windows: The windows. Each split is in the order of the series and of time.

    Example:
        Windows(
            examples=example_gen.outputs["examples"],
            time_key="date",
            features=["co2"],
            input_width=52,
            horizon=13,
            step="7D",
        )
    """

    LIBRARIES: ClassVar = ("numpy", "pyarrow", "tfx-bsl")
    USES_SEED: ClassVar = False

    examples: Input[Examples]
    time_key: str
    features: Sequence[str]
    targets: Sequence[str] | None = None
    series_key: str = ""
    input_width: int
    horizon: int = 1
    delay: int = 0
    stride: int = 1
    step: str | float | None = None
    gaps: str = "split"
    carry_forward: int = 0
    splits: Mapping[str, float] | None = None
    split_times: Mapping[str, str | float | None] | None = None
    shared_history: bool = True
    windows: Output[Examples] = output()

    def check(self) -> None:
        """Check the sizes, the names and the splits."""
        _check_names("features", self.features)
        if self.targets is not None:
            _check_names("targets", self.targets)
        least = {"input_width": 1, "horizon": 1, "delay": 0, "stride": 1, "carry_forward": 0}
        for name, bound in least.items():
            value: Any = getattr(self, name)
            if isinstance(value, bool) or (isinstance(value, int) and value < bound):
                raise ValueError(f"{name} must be {bound} or more. Received: {name}={value!r}")
        if isinstance(self.gaps, str) and self.gaps not in ("split", "refuse"):
            raise ValueError(f'gaps is "split" or "refuse". Received: gaps={self.gaps!r}')
        _check_splits(self.splits, self.split_times)

    def run(self, context: ExecutionContext) -> None:
        """Cut the windows and write them."""
        from penstock.io import ExamplesSplit, ExamplesWriter
        from penstock.io.series.cut_windows import Cut, cut_windows, shares_as_ticks
        from penstock.io.series.series_rows import SeriesRows
        from penstock.io.series.sliding import WindowShape
        from penstock.io.series.time_axis import TimeStep

        targets = list(self.features if self.targets is None else self.targets)
        cut = Cut(
            WindowShape(self.input_width, self.horizon, self.delay, self.stride),
            self.features,
            targets,
            None if self.step is None else TimeStep.of(self.step),
            self.carry_forward,
            self.gaps == "refuse",
            self.shared_history,
        )
        rows = SeriesRows(
            ExamplesSplit.all_of(self.examples),
            self.time_key,
            list(dict.fromkeys([*self.features, *targets])),
            self.series_key,
            cut.step,
        )
        if self.split_times is None:
            shares = self.splits or _SHARES
            splits, boundaries = list(shares), shares_as_ticks(rows, shares)
        else:
            splits = list(self.split_times)
            begins = [time for time in self.split_times.values() if time is not None]
            boundaries = [rows.axis.tick(time) for time in begins]
        with ExamplesWriter.like(self.examples, self.windows, splits=splits) as writer:
            report = cut_windows(rows, cut, splits, boundaries, writer)
        counts = writer.row_counts
        context.log.info("Splits begin at %s; a step is %g ticks", report.begins, report.step)
        context.report_metrics({f"rows/{split}": count for split, count in counts.items()})
        context.report_metrics(
            {"series": report.series, "gaps": report.gaps, "across_boundaries": report.across}
        )
        context.report_verdict(
            f"{counted(sum(counts.values()), 'window')} of {report.series} series, "
            f"{counted(report.gaps, 'gap')} in time, {counted(report.missing, 'missing value')}; "
            f"{report.across} across boundaries left out",
            ok=True,
        )


def _check_names(argument: str, names: Any) -> None:
    if not isinstance(names, list | tuple):
        return  # a string or a runtime parameter: the declaration says what is wrong
    if not names or len(set(names)) != len(names):
        raise ValueError(
            f"{argument} are the names of columns, each once. Received: {argument}={names!r}"
        )


def _check_splits(splits: Any, split_times: Any) -> None:
    if splits is not None and split_times is not None:
        raise ValueError(
            "Give the splits either by splits (shares) or by split_times. Received: both."
        )
    for argument, given in (("splits", splits), ("split_times", split_times)):
        if given is not None and not given:
            raise ValueError(f"{argument} needs a split. Received: {argument}={given!r}")
    if isinstance(splits, Mapping):
        bad = [share for share in splits.values() if isinstance(share, bool) or not share > 0]
        if bad or not abs(sum(splits.values()) - 1) < 1e-6:
            raise ValueError(
                "splits are shares above 0 that make 1 together, in the order of time, such as "
                f"{_SHARES}. Received: splits={dict(splits)!r}"
            )
    if isinstance(split_times, Mapping):
        times = list(split_times.values())
        later = times[1:]
        kinds = {isinstance(time, str) for time in later}
        if None in later or len(kinds) > 1 or later != sorted(set(later)):
            raise ValueError(
                "split_times are the times at which the splits begin, each later than the one before; only "
                f"the first may be None. Received: split_times={dict(split_times)!r}"
            )
        if times[0] is not None:
            raise ValueError(
                "The first split begins where the data begin: give None as its time, and leave earlier "
                f"rows out before (FilterRows). Received: split_times={dict(split_times)!r}"
            )
