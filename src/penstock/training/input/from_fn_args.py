"""`fn_args.dataset(...)`: batches of the splits that a Trainer or Tuner was given."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from penstock import machine
from penstock.spelling import did_you_mean
from penstock.training.data_accessor import known_rows, matching_files
from penstock.training.input.batches import Batches, ElementForm
from penstock.training.input.feature_columns import FeatureColumn, feature_columns
from penstock.training.input.source import ExampleFiles
from penstock.training.input.windows import BatchOrder

if TYPE_CHECKING:
    from penstock.training.fn_args import FnArgs

DEFAULT_BATCH_SIZE = 32
"""Keras's own."""
SPLITS = ("train", "eval")
_SHARE_OF_MEMORY = 4
_UNKNOWN_MEMORY = 1 << 30


def dataset(
    fn_args: FnArgs,
    split_or_splits: str | Sequence[str],
    *,
    batch_size: int | None,
    label_key: str | Sequence[str] | None,
    weight_key: str | None,
    shuffle: bool | None,
    seed: int | None,
    drop_remainder: bool | None,
    features: Sequence[str] | None,
    cache: bool | int | None,
    prefetch: bool | None,
) -> Batches:
    """Return the batches of splits; see `FnArgs.dataset`."""
    splits = [split_or_splits] if isinstance(split_or_splits, str) else list(split_or_splits)
    training = splits == ["train"]
    files = _files(fn_args, splits)
    rows = known_rows(files)
    if rows == 0:
        raise ValueError(f"The split {splits[0]!r} has no rows: {', '.join(files)}")
    element, columns = _element(fn_args, features, label_key, weight_key)
    source = ExampleFiles(files, columns, fn_args.file_format, fn_args.payload_format)
    if drop_remainder is None:
        drop_remainder = training and fn_args.distribution != "none"
    order = BatchOrder(
        _batch_size(fn_args, batch_size, training),
        shuffle=training if shuffle is None else shuffle,
        seed=(fn_args.seed or 0) if seed is None else seed,
        drop_remainder=drop_remainder,
    )
    return Batches(
        source,
        element,
        order,
        cache_bytes=_cache_bytes(cache, fn_args.num_workers),
        read_ahead=prefetch is not False,
        repeats=training and fn_args.train_steps is not None,
        num_rows=rows,
    )


def _files(fn_args: FnArgs, splits: Sequence[str]) -> list[str]:
    patterns = {"train": fn_args.train_files, "eval": fn_args.eval_files}
    if not splits:
        raise ValueError('dataset needs a split: "train" or "eval". Received: an empty list')
    files: list[str] = []
    for split in splits:
        if split not in patterns:
            raise ValueError(
                f"dataset takes 'train' and 'eval', the splits of the Trainer's train_args and "
                f"eval_args. Received: {split!r}. For another split of the examples, name it there: "
                f"EvalArgs(splits=[{split!r}])."
            )
        if not patterns[split]:
            raise ValueError(f"fn_args.{split}_files is empty, so there is no dataset {split!r}.")
        files += matching_files(patterns[split])
    return files


def _element(
    fn_args: FnArgs,
    features: Sequence[str] | None,
    label_key: str | Sequence[str] | None,
    weight_key: str | None,
) -> tuple[ElementForm, list[FeatureColumn]]:
    forms, others = feature_columns(fn_args.schema)
    known = [*forms, *others]
    labels: tuple[str, ...] = ()
    if label_key is not None:
        labels = (label_key,) if isinstance(label_key, str) else tuple(label_key)
    for argument, names in (
        ("label_key", labels),
        ("weight_key", () if weight_key is None else (weight_key,)),
        ("features", () if features is None else tuple(features)),
    ):
        _check_names(argument, names, known)
    if weight_key is not None and not labels:
        raise ValueError(
            f"weight_key={weight_key!r} needs a label_key: weights are for the loss of labels."
        )
    apart = {*labels, *(() if weight_key is None else (weight_key,))}
    chosen = [name for name in known if name not in apart] if features is None else list(features)
    if twice := [name for name in chosen if name in apart]:
        raise ValueError(f"features names {twice[0]!r}, which is the label or the weight.")
    read = [*chosen, *labels, *(() if weight_key is None else (weight_key,))]
    for name in read:
        if name in others:
            raise ValueError(
                f"Feature {name!r} is {others[name]}, which has no NumPy form. Leave it out by "
                "features=[...], or use fn_args.data_accessor.tf_dataset_factory."
            )
    if weight_key is not None and not _is_one_number(forms[weight_key]):
        raise ValueError(
            f"weight_key={weight_key!r} must be one number a row by the schema. "
            f"It has dtype {forms[weight_key].dtype} and shape {forms[weight_key].shape}."
        )
    label: str | tuple[str, ...] | None = label_key if isinstance(label_key, str) else labels
    element = ElementForm(tuple(chosen), label or None, weight_key)
    return element, [forms[name] for name in dict.fromkeys(read)]


def _check_names(argument: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(
                f"{argument}={name!r} is not a feature of the examples.{did_you_mean(name, known)}"
            )


def _is_one_number(form: FeatureColumn) -> bool:
    return form.is_dense and form.width == 1 and not form.holds_bytes


def _batch_size(fn_args: FnArgs, given: int | None, training: bool) -> int:
    size: Any = given
    if size is None:
        size = fn_args.global_batch_size if training else fn_args.eval_batch_size
    if size is None:
        return DEFAULT_BATCH_SIZE
    try:
        size = operator.index(size)
    except TypeError as error:
        raise TypeError(f"batch_size must be a whole number. Received: {size!r}") from error
    if size < 1:
        raise ValueError(f"batch_size must be 1 or more. Received: batch_size={size}")
    return int(size)


def _cache_bytes(cache: bool | int | None, workers: int) -> int:
    """Return the limit of decoded rows in memory; by default a quarter of what is available."""
    if cache is True:
        return 1 << 62
    if cache is False:
        return 0
    if cache is not None:
        if cache < 0:
            raise ValueError(f"cache is True, False or a number of bytes. Received: {cache!r}")
        return cache
    memory = machine.memory()
    available = _UNKNOWN_MEMORY if memory is None else memory[1] // _SHARE_OF_MEMORY
    return available // max(1, workers)
