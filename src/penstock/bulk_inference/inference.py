"""Inference over splits of Examples: a file of predictions for each file of rows."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from penstock.bulk_inference.heads import load_heads
from penstock.bulk_inference.output_file import OtherFeatures
from penstock.bulk_inference.plan import InferencePlan, InferenceShard
from penstock.bulk_inference.row_batches import feature_types, joined_types
from penstock.bulk_inference.shards import (
    check_heads,
    forget_model,
    infer_shard,
    infer_shards,
    model_of,
)
from penstock.io.examples.shard_files import shard_url, write_row_counts
from penstock.io.files.filesystem import file_size
from penstock.io.processes.shard_processes import map_shards, usable_processes
from penstock.progress import report

if TYPE_CHECKING:
    from penstock.io import ExamplesSplit

PREDICTION_LOGS = "prediction_logs"
EXAMPLES = "examples"
"""The names of files without their numbers, as TFX has them."""

# A process loads TensorFlow and the model, which takes as long as predicting about so many bytes.
_BYTES_WORTH_A_PROCESS = 256 << 20

_LEAST_GUESSED = 1024
"""How many rows of each file are looked at, for Parquet, where there are many files."""


def infer(
    splits: Sequence[ExamplesSplit],
    plan: InferencePlan,
    uri: str,
    *,
    processes: int | None = None,
) -> dict[str, int]:
    """Predict the rows of splits, on the cores of this machine.

    PredictionLogs are `prediction_logs-*.gz`, of all splits in order; Examples are in folders of splits.
    Each file of rows becomes one file of predictions, in the same order.

    Args:
        splits: The splits; those of one name are written as one.
        plan: What to infer.
        uri: The folder to write to; a path or an fsspec URL.
        processes: How many processes work; by default as many as the files are worth.

    Returns:
        The rows of each split.

    Raises:
        penstock.serving.ModelError: If there is no complete model.
        ValueError: If a signature or an output does not exist, or the model cannot take a row.
        RuntimeError: If there are other rows than the examples' `row_counts.json` says.

    Example:
        >>> plan = InferencePlan("Trainer/model/7/Format-Serving")
        >>> infer(ExamplesSplit.all_of(examples), plan, "inference_result")
        {'train': 223, 'eval': 111}
    """
    if processes is None:
        size = sum(file_size(file) for split in splits for file in split.files)
        processes = usable_processes(size // _BYTES_WORTH_A_PROCESS + 1)
    plan = dataclasses.replace(plan, job=uuid.uuid4().hex)
    try:
        with ThreadPoolExecutor(1, "load") as loading:
            model = loading.submit(model_of, plan)
            plan = prepared(splits, plan, guess=True)
            model.result()
        try:
            done = _inferred(splits, plan, uri, processes)
        except OtherFeatures:
            # The files are written anew, after a look at all rows.
            plan = prepared(splits, plan)
            done = _inferred(splits, plan, uri, processes)
    finally:
        forget_model()
    return counted(splits, done, plan, uri)


def _inferred(
    splits: Sequence[ExamplesSplit], plan: InferencePlan, uri: str, processes: int
) -> list[tuple[str, int]]:
    done: list[tuple[str, int]] = []
    with contextlib.closing(_each(shards_of(splits, plan, uri), plan, processes)) as found:
        for each in found:
            done.append(each)
            report(sum(rows for _, rows in done))
    return done


def _each(
    shards: Sequence[InferenceShard], plan: InferencePlan, processes: int
) -> Generator[tuple[str, int], None, None]:
    if processes == 1:
        return infer_shards(plan, shards)
    return map_shards(functools.partial(infer_shard, plan), shards, processes=processes)


def prepared(
    splits: Sequence[ExamplesSplit], plan: InferencePlan, *, guess: bool = False
) -> InferencePlan:
    """Return the plan with what is known of all splits before the first one is predicted.

    Args:
        splits: The splits.
        plan: The plan.
        guess: Whether the features of all rows, for Parquet, are taken to be those of the first rows of
            each file. `OtherFeatures` is raised later if they are not.

    Raises:
        ValueError: If the splits cannot be written as the plan says.
    """
    job = plan.job or uuid.uuid4().hex
    plan = dataclasses.replace(plan, job=job, columns=b"", guessed=guess)
    if plan.output is None:
        return plan
    for split in splits:
        split.with_payload("FORMAT_TF_EXAMPLE", "BulkInferrer with output_example_spec")
    if plan.stored.compression is None:
        files = [each for split in splits for each in one_file_each(split)]
        records = [each for each in files if each.file_format != "parquet"]
        if records:
            few = min(plan.batch_size, max(_LEAST_GUESSED, plan.batch_size // len(records)))
            rows = few if guess else None
            types = functools.partial(feature_types, plan=plan, first_rows=rows)
            with contextlib.closing(
                map_shards(types, records, processes=1 if guess else None)
            ) as found:
                schema = joined_types(list(found), records[-1].files[0])
            return dataclasses.replace(plan, columns=schema.serialize().to_pybytes())
    return plan


def check_model(plan: InferencePlan) -> None:
    """Load the model and check that its signatures are what the plan asks for.

    Raises:
        ValueError: If they are not.
    """
    check_heads(load_heads(plan.model, plan.model_spec), plan.output)


def shards_of(
    splits: Sequence[ExamplesSplit], plan: InferencePlan, uri: str
) -> list[InferenceShard]:
    """Return the files to predict, and where their predictions go."""
    by_name: dict[str, list[ExamplesSplit]] = {}
    for split in splits:
        by_name.setdefault(split.name, []).extend(one_file_each(split))
    if plan.output is None:
        every = [each for files in by_name.values() for each in files]
        extension, count = plan.stored.extension, len(every)
        return [
            InferenceShard(
                each, f"{uri.rstrip('/')}/{PREDICTION_LOGS}-{i:05d}-of-{count:05d}{extension}"
            )
            for i, each in enumerate(every)
        ]
    return [
        InferenceShard(each, shard_url(uri, name, EXAMPLES, i, len(files), plan.file_format))
        for name, files in by_name.items()
        for i, each in enumerate(files)
    ]


def one_file_each(split: ExamplesSplit) -> Iterator[ExamplesSplit]:
    """Yield a split for each of its files."""
    for file in split.files:
        yield dataclasses.replace(split, files=[file], row_count=None)


def counted(
    splits: Sequence[ExamplesSplit],
    done: Sequence[tuple[str, int]],
    plan: InferencePlan,
    uri: str,
) -> dict[str, int]:
    """Return the rows of each split, after a check that they are all there.

    Raises:
        RuntimeError: If there are other rows than were written.
    """
    rows: dict[str, int] = {split.name: 0 for split in splits}
    for name, count in done:
        rows[name] += count
    _check_counts(splits, rows)
    if plan.output is not None:
        write_row_counts(uri, rows)
    return rows


def _check_counts(splits: Sequence[ExamplesSplit], rows: Mapping[str, int]) -> None:
    for name, count in rows.items():
        same = [split for split in splits if split.name == name]
        known = [split.row_count for split in same]
        if None not in known:
            whole = dataclasses.replace(same[0], row_count=sum(each or 0 for each in known))
            whole.check_count(count)
