"""Whether there is validation data, and whether it is new to the model."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.training.doctor.case import Case
from penstock.training.doctor.finding import Finding
from penstock.training.doctor.row_hashes import row_hashes

_FEWEST_ROWS = 20
_DEVIATIONS = 4


def no_validation_data(case: Case) -> Iterator[Finding]:
    """Find that nothing tells when the model only learns its rows by heart."""
    if not case.has_validation_data:
        yield no_validation_data_finding()


def no_validation_data_finding() -> Finding:
    """Return the finding; the callback only knows it at the end of a training."""
    return Finding(
        "no-validation-data",
        "validation_data",
        "There is no validation_data: nothing shows when the model begins to overfit.",
        "Pass the eval split to fit, as validation_data.",
    )


def eval_rows_in_train(case: Case) -> Iterator[Finding]:
    """Find rows of the validation data that are also rows of the training data.

    Rows that are equal by chance do not count. Of two splits drawn at random from the same rows, a row
    for validation has a twin in training as often as a training row has: only more than that is found.
    """
    import numpy as np

    if case.train is None or case.validation is None:
        return
    names = sorted(case.train.features.keys() & case.validation.features.keys())
    labels = sorted(case.train.labels.keys() & case.validation.labels.keys())
    train = row_hashes(
        [case.train.features[n] for n in names] + [case.train.labels[n] for n in labels]
    )
    other = row_hashes(
        [case.validation.features[n] for n in names] + [case.validation.labels[n] for n in labels]
    )
    if not names or len(train) < _FEWEST_ROWS or len(other) < _FEWEST_ROWS:
        return
    _, which, counts = np.unique(train, return_inverse=True, return_counts=True)
    # By the rule of three: no twin in n rows still allows a rate of 3/n.
    twins = min(1.0, float((counts[which] > 1).mean()) + 3 / len(train))
    shared = np.isin(other, train)
    share = float(shared.mean())
    spread = (twins * (1 - twins) * (1 / len(train) + 1 / len(other))) ** 0.5
    if share > twins + _DEVIATIONS * spread:
        yield Finding(
            "eval-rows-in-train",
            "validation_data",
            f"{int(shared.sum()):,} of {case.validation.rows} for validation ({share:.1%}) are also among "
            f"{case.train.rows} for training: the model looks better than it is.",
            "Split the data so that no row is in two splits; duplicates must go into the same one.",
        )


CHECKS = (no_validation_data, eval_rows_in_train)
