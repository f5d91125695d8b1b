"""Inference over shards: read, predicted and written batch by batch, in order."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Self

import pyarrow as pa

from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
from penstock.bulk_inference.heads import HeadedModel, HeadOutputs, load_heads
from penstock.bulk_inference.joint_rows import JointRows
from penstock.bulk_inference.output_file import OutputFile, conformed
from penstock.bulk_inference.plan import InferencePlan, InferenceShard
from penstock.bulk_inference.row_batches import RowBatch, row_batches
from penstock.bulk_inference.specs import ModelSpec, OutputColumnsSpec, OutputExampleSpec
from penstock.io.examples.reader import RecordDecoder
from penstock.io.examples.shard_files import written_whole
from penstock.io.processes.threads import in_threads
from penstock.serving.serialized_examples import SerializedExamples

_READ_AHEAD = _WRITTEN_LATER = 1

Written = tuple[str, int]
"""The name of a split, and rows of it that are written."""


def infer_shard(plan: InferencePlan, shard: InferenceShard) -> Written:
    """Predict the rows of one shard, see `infer_shards`."""
    (written,) = infer_shards(plan, [shard])
    return written


def infer_shards(
    plan: InferencePlan, shards: Sequence[InferenceShard]
) -> Generator[Written, None, None]:
    """Predict the rows of shards and write a file with as many for each, in the same order.

    While the model works on batches, the next ones are read, also those of the next shard, and those before
    are written.

    Args:
        plan: What to do.
        shards: The shards.

    Yields:
        The name of the split and the number of rows, of each shard when its file is there.

    Raises:
        ValueError: If the model cannot take a row; the message names the file and the row.
    """
    with contextlib.ExitStack() as stack:

        def staged(function: Any, items: Any, threads: int, waiting: int, name: str) -> Any:
            stage = in_threads(function, items, threads, waiting=waiting, name=name)
            return stack.enter_context(contextlib.closing(stage))

        next_part = functools.partial(next, _read(plan, shards), None)
        read = staged(lambda _: next_part(), itertools.repeat(None), 1, _READ_AHEAD, "read")
        with ThreadPoolExecutor(1, "load") as loading:
            loaded = loading.submit(_loaded, plan)
            first = next(read)
            model, specs, joint = loaded.result()
        predict = functools.partial(_predicted, model, joint)
        parts = itertools.takewhile(bool, itertools.chain([first], read))
        predicted = staged(predict, parts, model.at_once, model.at_once, "predict")
        output = stack.enter_context(_Output(plan, specs))
        yield from filter(None, staged(output.take, predicted, 1, _WRITTEN_LATER, "write"))


class _Part(NamedTuple):
    """Rows of a shard.

    Args:
        shard: The shard.
        batch: Some of its rows; None at its end.
        heads: What the signatures returned for them.
    """

    shard: InferenceShard
    batch: RowBatch | None
    heads: Sequence[HeadOutputs] = ()


def _read(plan: InferencePlan, shards: Sequence[InferenceShard]) -> Iterator[_Part]:
    for shard in shards:
        for batch in row_batches(plan, shard.split):
            yield _Part(shard, batch)
        yield _Part(shard, None)


def _predicted(model: HeadedModel, joint: JointRows | None, part: _Part) -> _Part:
    shard, batch, _ = part
    if batch is None:
        return part
    try:
        if joint is not None and batch.columns is None:
            found = joint(batch.records, batch.first_row)
            if found is not None:
                heads, columns = found
                return _Part(shard, batch._replace(columns=columns), heads)
        return _Part(shard, batch, model.infer(batch.records, batch.first_row))
    except ValueError as error:
        error.add_note(f"The rows are those of {shard.split.files[0]}, from 0.")
        raise


class _Output:
    """The file of the shard that is being written; one thread writes it."""

    def __init__(self, plan: InferencePlan, specs: dict[str, OutputColumnsSpec]) -> None:
        self._plan = plan
        self._specs = specs
        self._open = contextlib.ExitStack()
        self._file: OutputFile | None = None
        self._rows = 0
        self._is_broken = False

    def take(self, part: _Part) -> Written | None:
        """Append predictions to the shard's file, or complete it."""
        if self._is_broken:
            return None  # what was taken before is an error
        shard, batch, heads = part
        self._is_broken = True
        if self._file is None:
            target = self._open.enter_context(written_whole(shard.target))
            self._file = self._open.enter_context(OutputFile(self._plan, self._specs, target))
        if batch is not None:
            self._file.write(batch, heads)
            self._rows += len(batch.records)
            self._is_broken = False
            return None
        written = shard.split.name, self._rows
        self._rows, self._file = 0, None
        self._open.close()
        self._is_broken = False
        return written

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        # A file that is not complete is removed.
        self._open.__exit__(*error)


@functools.lru_cache(maxsize=1)
def _loaded(
    plan: InferencePlan,
) -> tuple[HeadedModel, dict[str, OutputColumnsSpec], JointRows | None]:
    """Make what a process needs once."""
    model = model_of(plan)
    schema, joint = plan.schema, None
    if schema is not None:
        decode = RecordDecoder(DEFAULT_PAYLOAD_FORMAT)

        def decoded(records: SerializedExamples, first_row: int) -> pa.RecordBatch:
            return conformed(decode(records.records, plan.model, first_row), schema)

        joint = JointRows(model, schema, decoded)
    return model, check_heads(model, plan.output), joint


def model_of(plan: InferencePlan) -> HeadedModel:
    """Return the model of a plan; a process loads it once."""
    return _model_of_job(plan.model, plan.model_spec, plan.job)


@functools.lru_cache(maxsize=1)
def _model_of_job(path: str, spec: ModelSpec, job: str) -> HeadedModel:
    del job
    return load_heads(path, spec)


def forget_model() -> None:
    """Let go of the model that this process loaded."""
    _loaded.cache_clear()
    _model_of_job.cache_clear()


def check_heads(
    model: HeadedModel, output: OutputExampleSpec | None
) -> dict[str, OutputColumnsSpec]:
    """Return the columns for each signature, after a check that they fit what the signatures are for.

    Raises:
        ValueError: If they do not, or several signatures are to be logged of which one predicts.
    """
    methods = model.methods()
    if output is None:
        if len(methods) > 1 and "predict" in methods.values():
            name = next(name for name, method in methods.items() if method == "predict")
            raise ValueError(
                f"A PredictionLog holds several signatures only if each classifies or regresses; {name!r} "
                "predicts. Call one signature, or ask for Examples with output_example_spec."
            )
        return {}
    specs = output.by_signature(list(methods))
    for name, spec in specs.items():
        if spec.method != methods[name]:
            raise ValueError(
                f"The OutputColumnsSpec for the signature {name!r} has a {spec.method}_output, but the "
                f"signature is there to {methods[name]}. Give it a {methods[name]}_output."
            )
    return specs
