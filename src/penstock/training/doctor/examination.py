"""The doctor's look at a model, its data and its plan before the first batch."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstock.training.doctor.case import Case
from penstock.training.doctor.checks import features, labels, loss_and_head, order, splits, steps
from penstock.training.doctor.finding import Finding, check_doctor
from penstock.training.doctor.forward import Look, few_rows, look
from penstock.training.doctor.heads import heads_of
from penstock.training.doctor.sample import Sample, columns_of, sample

if TYPE_CHECKING:
    from penstock.training.fn_args import FnArgs

_LOG = logging.getLogger("penstock.training.doctor")
_CHECKS = (
    *loss_and_head.CHECKS,
    *labels.CHECKS,
    *features.CHECKS,
    *order.CHECKS,
    *splits.CHECKS,
    *steps.CHECKS,
)
_MOST_VALIDATION_ROWS = 5_000


def examine(
    model: Any,
    data: Any = None,
    *,
    validation_data: Any = None,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    fn_args: FnArgs | None = None,
    ignore: Iterable[str] = (),
) -> list[Finding]:
    """Return the mistakes that can be seen before the first batch.

    At most 10,000 rows of the data are read, 64 MiB of them, for two seconds. Neither the model nor the
    order of the data changes: training afterwards gives the same weights as without.

    Args:
        model: A compiled Keras model, on any backend.
        data: What `fit` gets: `(x, y)` or `(x, y, weights)` of arrays, a `tf.data.Dataset`, Penstock's
            `Batches`, a `PyDataset`, a `DataLoader` or a list of batches. A generator is not read,
            because that would use it up.
        validation_data: The same for validation; None if there is none.
        epochs: Epochs to train.
        steps_per_epoch: Batches of an epoch; None for all.
        fn_args: Those of `run_fn`: the number of rows is taken from them.
        ignore: Codes of findings to leave out.

    Raises:
        ValueError: If `ignore` names what is no finding.

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> [finding.code for finding in examine(model, (x, y), validation_data=(x_eval, y_eval))]
        ['loss-expects-logits']
    """
    ignore = frozenset(ignore)
    check_doctor("warn", ignore)
    case = case_of(model, data, validation_data, epochs, steps_per_epoch, fn_args)
    return [finding for finding in findings_of(case) if finding.code not in ignore]


def findings_of(case: Case) -> list[Finding]:
    """Return what all checks find."""
    return [finding for check in _CHECKS for finding in check(case)]


def case_of(
    model: Any,
    data: Any,
    validation_data: Any,
    epochs: int,
    steps_per_epoch: int | None,
    fn_args: FnArgs | None,
) -> Case:
    """Return what can be known of a training before it starts; the arguments are those of `examine`."""
    names = [tensor.name for tensor in getattr(model, "inputs", None) or []]
    train = _sampled(data, names, None)
    validation = _sampled(validation_data, names, _MOST_VALIDATION_ROWS)
    seen = _looked(model, train.first if train is not None else None, names)
    num_rows = train.rows_of_epoch if train is not None else None
    return Case(
        model=model,
        heads=heads_of(model, seen, train),
        look=seen,
        train=train,
        validation=validation,
        has_validation_data=validation_data is not None,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        num_rows=num_rows if num_rows is not None else _counted_rows(fn_args),
        handles_non_finite=_handles_non_finite(model, train),
    )


def _sampled(data: Any, names: list[str], most_rows: int | None) -> Sample | None:
    if data is None:
        return None
    try:
        return sample(data, names) if most_rows is None else sample(data, names, most_rows)
    except Exception as error:
        # What is wrong with the data is told better by the training itself.
        _LOG.info(
            "The training doctor could not read the data: %s: %s", type(error).__name__, error
        )
        return None


def _looked(model: Any, batch: tuple[Any, ...] | None, names: list[str]) -> Look | None:
    if batch is None:
        return None
    try:
        rows = few_rows(batch)
        return look(model, rows[0], columns_of(rows, names)[0])
    except Exception as error:
        _LOG.info(
            "The training doctor could not call the model: %s: %s", type(error).__name__, error
        )
        return None


def _handles_non_finite(model: Any, train: Sample | None) -> bool:
    import numpy as np

    if train is None or train.odd is None:
        return False
    seen = _looked(model, train.odd, [])
    return seen is not None and all(np.isfinite(out).all() for out in seen.outputs.values())


def _counted_rows(fn_args: FnArgs | None) -> int | None:
    """Return the rows of the splits in `train_files`, as StatisticsGen counted them."""
    if fn_args is None or not fn_args.num_examples:
        return None
    splits = [pattern.rpartition("/Split-")[2].split("/")[0] for pattern in fn_args.train_files]
    if not splits or not set(splits) <= set(fn_args.num_examples):
        return None
    return sum(fn_args.num_examples[split] for split in splits)
