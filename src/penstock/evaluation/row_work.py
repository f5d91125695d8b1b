"""What an evaluation does to rows: the same in this process, in helper processes and on Beam's workers."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.evaluation.accumulate import accumulated_parts
from penstock.evaluation.accumulation import Accumulation
from penstock.evaluation.blocks import Block, parts_of, read_blocks
from penstock.evaluation.config import EvalConfig
from penstock.evaluation.intervals.resampling import Resampling, resampling_of
from penstock.evaluation.models.checks import check_first_rows, check_outputs, named_features
from penstock.evaluation.models.evaluated_model import EvaluatedModel, check_features, load_models
from penstock.evaluation.models.feature_decoder import Learned
from penstock.evaluation.models.prediction import BatchPredictor
from penstock.evaluation.plan import PlannedMetric, plan_metrics, views_of
from penstock.evaluation.requested_metrics import metric_features
from penstock.evaluation.worst_rows import WorstRows, WorstRowsRequest
from penstock.io.files.filesystem import file_size
from penstock.io.processes.shard_processes import map_shards, usable_processes
from penstock.progress import report

_MOST_THREADS = 16
_THREADS_A_PROCESS = 4
# Importing TensorFlow and loading a model takes as long as evaluating about so many (compressed) bytes.
_BYTES_WORTH_A_PROCESS = 256 << 20
# The same of joining the models' graphs.
_BYTES_WORTH_JOINING = 4 << 20


@dataclass(frozen=True)
class RowInput:
    """The rows of an evaluation, and the models that are asked about them; picklable.

    Args:
        files: Shards of raw tf.Examples.
        models: The models' paths by the names of their ModelSpecs; empty ones for columns.
        schema: A `schema_pb2.Schema` of the raw examples.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        batch_size: Rows per batch, at most.
        worst_rows: Which rows with the largest errors to keep, if any.
        seed: What the samples of confidence intervals depend on, besides the rows.
    """

    files: Sequence[str]
    models: Mapping[str, str]
    schema: Any = None
    file_format: str = DEFAULT_FILE_FORMAT
    batch_size: int = 8192
    worst_rows: WorstRowsRequest | None = None
    seed: int = 0


class RowWork:
    """Reads, predicts and accumulates; picklable where its metrics' modules can be imported by name.

    Where it is unpickled, the models are loaded anew, once in a process.

    Args:
        config: A resolved `EvalConfig`.
        rows: The rows and the models.
        modules: User modules with metrics, by the names that a `MetricConfig.module` may have.

    Example:
        >>> work = RowWork(config, RowInput(files, {"": "Format-Serving"}))
        >>> work.here().num_examples
        20000
    """

    def __init__(
        self, config: Any, rows: RowInput, modules: Mapping[str, ModuleType] | None = None
    ) -> None:
        self.config = config
        self.rows = rows
        self.metrics: list[PlannedMetric] = plan_metrics(config, modules)
        self._modules = dict(modules or {})
        self._token = uuid.uuid4().hex
        self._begun: Iterator[Block] | None = None
        self._learned: Learned | None = None
        self._threads: int | None = None
        _made[self._token] = self

    @cached_property
    def models(self) -> list[EvaluatedModel]:
        """The models, loaded when they are first needed."""
        return load_models(self.config, self.rows.models)

    @cached_property
    def resampling(self) -> Resampling | None:
        """How the rows are sampled for confidence intervals, if these are wanted."""
        return resampling_of(self.config.options, self.rows.seed)

    @property
    def _features(self) -> list[str]:
        """The features that slices and metrics are made of."""
        of_metrics = [name for _, name in metric_features(self.config)]
        return [*self.empty().slicer.features, *of_metrics]

    @cached_property
    def _predict(self) -> BatchPredictor:
        worst = self.rows.worst_rows
        predict = BatchPredictor(
            self.models,
            self._features,
            self.rows.schema,
            more=worst.columns if worst else (),
            is_long=self._is_long,
        )
        if self._learned is not None:
            predict.decode.learned = self._learned
        return predict

    @cached_property
    def _is_long(self) -> bool:
        return sum(map(file_size, self.rows.files)) >= _BYTES_WORTH_JOINING

    @property
    def batch_size(self) -> int:
        """Rows per batch, at most; a ModelSpec's `inference_batch_size` takes precedence."""
        given = [int(spec.inference_batch_size) for spec in self.config.model_specs]
        return min([self.rows.batch_size, *(size for size in given if size)])

    def empty(self) -> Accumulation:
        """Return an accumulation that has seen nothing."""
        worst = None
        if self.rows.worst_rows is not None:
            views = views_of(self.metrics)
            worst = WorstRows(self.rows.worst_rows, self.config.model_specs, views)
        return Accumulation(self.metrics, self.config.slicing_specs, worst, self.resampling)

    def check(self) -> None:
        """Load the models and read the first rows, to find what does not fit before it is predicted.

        What is learned of the rows is known to unpickled copies too.

        Raises:
            ValueError: If there are no rows, or the config names what models and rows do not have.
        """
        check_outputs(self.models, self.metrics)
        sliced_by, worst_rows = self.empty().slicer, self.rows.worst_rows
        if self.rows.schema is not None:
            available = [feature.name for feature in self.rows.schema.feature]
            check_features(sliced_by, self.models, available)
            if worst_rows is not None:
                worst_rows.check_features(available)
        else:
            named = named_features(self._features, self.models, worst_rows)
            check_first_rows(self._blocks(), self.models, named)
        blocks = self._blocks()
        first = next(blocks, None)
        if first is None:
            raise ValueError(
                f"There is nothing to evaluate: no examples in {list(self.rows.files)}."
            )
        self._begun = itertools.chain([first], blocks)
        self._learned = self._predict.look_at(first)

    def here(self, processes: int | None = None) -> Accumulation:
        """Do the work on this machine; the result is the same for any number of processes.

        Args:
            processes: How many processes work, this one included; by default as many as are worth their
                start.
        """
        if processes is None:
            processes = self._worthwhile_processes()
        total = self.empty()
        with contextlib.closing(self._parts(processes)) as parts:
            for part in parts:
                total.merge(part)
                report(total.num_examples)
        return total

    def of_shard(self, number: int, file: str) -> Iterator[Accumulation]:
        """Yield the accumulations of the parts of one file; for Beam's workers."""
        blocks = read_blocks(
            [file],
            file_format=self.rows.file_format,
            batch_size=self.batch_size,
            first_shard=number,
            as_tensors=self._as_tensors,
        )
        yield from self._accumulated(blocks)

    def of_part(self, part: list[Block]) -> Accumulation:
        """Return the accumulation of one part; for helper processes."""
        (accumulated,) = self._accumulated(part)
        return accumulated

    def _parts(self, processes: int) -> Generator[Accumulation, None, None]:
        if processes <= 1:
            return self._accumulated(self._blocks(self._as_tensors))
        self._threads = max(1, usable_processes(_MOST_THREADS * processes) // processes)
        return map_shards(self.of_part, parts_of(self._blocks()), processes=processes)

    def _accumulated(self, blocks: Iterable[Block]) -> Generator[Accumulation, None, None]:
        threads = 1
        if self._predict.in_threads:
            threads = self._threads or usable_processes(_MOST_THREADS)
        return accumulated_parts(blocks, self._predict, self.empty, threads)

    @property
    def _as_tensors(self) -> bool:
        return self._is_long and self._predict.uses_tensorflow

    def _blocks(self, as_tensors: bool = False) -> Iterator[Block]:
        rows = self.rows
        begun, self._begun = self._begun, None
        if begun is not None and not as_tensors:
            return begun
        return read_blocks(
            rows.files,
            file_format=rows.file_format,
            batch_size=self.batch_size,
            as_tensors=as_tensors,
        )

    def _worthwhile_processes(self) -> int:
        a_process = _THREADS_A_PROCESS if self._predict.in_threads else 1
        cores = usable_processes(_MOST_THREADS * _THREADS_A_PROCESS)
        size = sum(map(file_size, self.rows.files))
        return max(1, min(cores // a_process, 1 + size // _BYTES_WORTH_A_PROCESS))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what it is made of, with modules by their names."""
        modules = {key: module.__name__ for key, module in self._modules.items()}
        for metrics_spec in self.config.metrics_specs:
            for metric in metrics_spec.metrics:
                if metric.module == "__main__" or "__main__" in modules.values():
                    raise TypeError("A metric of the main module is not known to another process.")
        config = self.config.SerializeToString()
        return _work_of, (
            self._token,
            config,
            self.rows,
            modules,
            self._learned,
            self._threads,
        )


_made: WeakValueDictionary[str, RowWork] = WeakValueDictionary()
_latest: list[RowWork] = []


def _work_of(
    token: str,
    config: bytes,
    rows: RowInput,
    modules: Mapping[str, str],
    learned: Learned | None,
    threads: int | None,
) -> RowWork:
    """Return the work where it was pickled, or make it of the same parts in another process."""
    if (found := _made.get(token)) is not None:
        return found
    if threads is not None:
        _limit_tensorflow(threads)
    work = RowWork(
        EvalConfig.FromString(config),
        rows,
        {key: import_module(name) for key, name in modules.items()},
    )
    work._token, work._learned, work._threads = token, learned, threads
    _made[token] = work
    _latest[:] = [work]
    return work


def _limit_tensorflow(threads: int) -> None:
    """Let TensorFlow use so many threads, unless it has begun already."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
