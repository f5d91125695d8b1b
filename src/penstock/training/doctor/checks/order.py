"""Whether rows come shuffled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.training.doctor.case import Case
from penstock.training.doctor.finding import Finding

if TYPE_CHECKING:
    import numpy as np

_FEWEST_EXPECTED = 30
"""Changes expected of shuffled rows. Half of them is then four standard deviations away (Wald and
Wolfowitz 1940, the runs test), so that shuffled data is called sorted in one of 20,000 trainings."""
_SHARE = 0.5
_MOST_CLASSES = 50


def unshuffled_data(case: Case) -> Iterator[Finding]:
    """Find labels that come sorted or in long runs: a batch then says little about the others."""
    if case.train is None or not case.train.is_in_order:
        return
    for head in case.heads:
        if head.labels is None:
            continue
        classes = _classes(head.labels)
        if classes is None:
            continue
        changes = int((classes[1:] != classes[:-1]).sum())
        shares = _shares(classes)
        expected = (len(classes) - 1) * (1 - float((shares**2).sum()))
        if expected >= _FEWEST_EXPECTED and changes < _SHARE * expected:
            yield Finding(
                "unshuffled-data",
                head.label_subject,
                f"From row to row the {head.label_subject} change {changes:,} times in {case.train.rows}; "
                f"of shuffled rows about {expected:,.0f} changes are expected.",
                "Shuffle the training data: fn_args.dataset does, and so does TensorFlowDatasetOptions "
                "with shuffle=True and a buffer as large as the longest run.",
            )


def _classes(labels: np.ndarray) -> np.ndarray | None:
    """Return one value a row to compare: the class, or whether a number is above the median."""
    import numpy as np

    if labels.ndim > 2 or len(labels) < 2:
        return None
    if labels.ndim == 2 and labels.shape[1] > 1:
        if labels.dtype.kind not in "biuf" or not (labels.sum(axis=1) == 1).all():
            return None
        classes: np.ndarray = np.argmax(labels, axis=1)
        return classes
    flat = labels.reshape(-1)
    if flat.dtype.kind not in "biufSU":
        return None
    if len(np.unique(flat)) <= _MOST_CLASSES or flat.dtype.kind in "SU":
        return flat
    above: np.ndarray = np.greater(flat, np.median(flat))
    return above


def _shares(classes: np.ndarray) -> np.ndarray:
    import numpy as np

    _, counts = np.unique(classes, return_counts=True)
    shares: np.ndarray = counts / len(classes)
    return shares


CHECKS = (unshuffled_data,)
