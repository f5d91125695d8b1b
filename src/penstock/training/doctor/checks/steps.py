"""Whether the training sees all of its data."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.training.doctor.case import Case
from penstock.training.doctor.finding import Finding


def less_than_one_epoch(case: Case) -> Iterator[Finding]:
    """Find that all steps together do not reach the end of the data once."""
    batch_size = case.train.batch_size if case.train is not None else None
    if case.steps_per_epoch is None or batch_size is None or case.num_rows is None:
        return
    steps = case.epochs * case.steps_per_epoch
    if steps * batch_size < case.num_rows:
        needed = -(-case.num_rows // batch_size)
        yield Finding(
            "less-than-one-epoch",
            "steps_per_epoch",
            f"{steps:,} steps of {batch_size:,} rows are {steps * batch_size:,} rows, but there are "
            f"{case.num_rows:,}: the model never sees the rest.",
            f"One epoch has {needed:,} steps: raise TrainArgs(num_steps=...) or steps_per_epoch.",
        )


CHECKS = (less_than_one_epoch,)
