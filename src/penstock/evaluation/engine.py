"""The evaluation: one batched prediction pass, and every metric in every slice from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.evaluation.accumulation import Accumulation
from penstock.evaluation.by_tfma.left_metrics import left_config
from penstock.evaluation.by_tfma.run import add_values_by_tfma
from penstock.evaluation.checks.config_problems import refuse_problems
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.intervals.confidence_interval import Estimate
from penstock.evaluation.keys import SliceKey
from penstock.evaluation.models.folders import Folders, resolved_with_folders
from penstock.evaluation.row_work import RowInput, RowWork
from penstock.evaluation.saved_metrics import with_saved_metrics
from penstock.evaluation.slices.cross_slices import CrossSliceResult, compare_further
from penstock.evaluation.slices.results import SliceResult, slice_results
from penstock.evaluation.slices.slicing_specs import spec_matches, spec_name
from penstock.evaluation.thresholds import check_thresholds, planned_thresholds
from penstock.evaluation.verdict import Validation
from penstock.evaluation.worst_rows import WorstRows, WorstRowsRequest


@dataclass
class Evaluation:
    """The result of an evaluation.

    Args:
        config: The EvalConfig as resolved for the given models.
        slices: The overall slice first, then by name.
        validation: The verdict of the thresholds.
        model_paths: The models' folders by name.
        num_examples: Rows read.
        seconds: Wall time of loading the models, and of reading, predicting and computing.
        empty_slices: The slicing specs, for people, in whose slices there was no example.
        worst_rows: The rows on which the model is most wrong, if they were asked for.
        cross_slices: The comparisons of slices that the EvalConfig asks for.
    """

    config: Any
    slices: list[SliceResult]
    validation: Validation
    model_paths: dict[str, str]
    num_examples: int
    seconds: dict[str, float]
    empty_slices: list[str] = field(default_factory=list)
    worst_rows: WorstRows | None = None
    cross_slices: list[CrossSliceResult] = field(default_factory=list)

    def metrics(self, slice_key: SliceKey = (), model_name: str = "") -> dict[str, Estimate]:
        """Return a slice's scalar metrics of the evaluated model by name, without differences.

        Each is a float; its `interval` is the confidence interval, if the EvalConfig asks for them.

        Args:
            slice_key: The slice; `()` is the whole data set.
            model_name: Which of several models; the first that is no baseline by default.

        Raises:
            KeyError: If there is no such slice.
        """
        specs = self.config.model_specs
        name = model_name or next(spec.name for spec in specs if not spec.is_baseline)
        for result in self.slices:
            if result.key == slice_key:
                return {
                    key.label(): Estimate(value, result.intervals.get(key))
                    for key, value in result.metrics.items()
                    if key.model_name == name and not key.is_diff and isinstance(value, float)
                }
        raise KeyError(f"No slice {slice_key!r}. Slices: {[result.key for result in self.slices]}")


def evaluate(
    files: Sequence[str],
    *,
    model: Folders | None,
    eval_config: Any,
    baseline: Folders | None = None,
    schema: Any = None,
    file_format: str = DEFAULT_FILE_FORMAT,
    batch_size: int = 8192,
    modules: Mapping[str, ModuleType] | None = None,
    worst_rows: WorstRowsRequest | None = None,
    seed: int = 0,
    accumulate: Callable[[RowWork], Accumulation] = RowWork.here,
) -> Evaluation:
    """Evaluate a model, and a baseline beside it, on examples.

    Args:
        files: Shards of raw tf.Examples.
        model: A SavedModel's folder, a `.keras` or `.tflite` file, or the folder of a pickled estimator;
            several models by the names of their ModelSpecs. None where predictions are columns of the
            examples, which `ModelSpec.prediction_key` names.
        eval_config: An `EvalConfig`, TFMA's own, a dict or text.
        baseline: The model to compare with, or several by name. Without one, change thresholds are
            dropped and the result says so.
        schema: A `schema_pb2.Schema` of the raw examples; with it, misspelled features are reported
            before the first batch, and only what is needed is decoded.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        batch_size: Rows per batch; a ModelSpec's `inference_batch_size` takes precedence.
        modules: User modules with metrics, by the names that a `MetricConfig.module` may have. Others
            are imported by their dotted name.
        worst_rows: Which rows with the largest errors to keep, if any.
        seed: What the samples of confidence intervals depend on, besides the rows.
        accumulate: Where the rows are worked on; by default on the cores of this machine.

    Returns:
        Metrics by slice and the verdict of the thresholds. Nothing is written.

    Raises:
        ValueError: If the config asks for something that does not exist: a metric, a signature, a
            feature, a label, a threshold on a metric that is not computed.

    Example:
        >>> config = EvalConfig(
        ...     model_specs=[ModelSpec(label_key="species")],
        ...     metrics_specs=[MetricsSpec(metrics=[MetricConfig(class_name="AUC")])],
        ... )
        >>> evaluate(files, model="Format-Serving", eval_config=config).metrics()
        {'auc': 0.98}
    """
    requested = as_eval_config(eval_config)
    refuse_problems(requested)
    config, folders = resolved_with_folders(requested, model, baseline)
    config = with_saved_metrics(config, folders)
    left = left_config(config, modules or {})
    thresholds = planned_thresholds(config)
    rows = RowInput(files, folders, schema, file_format, batch_size, worst_rows, seed)
    work = RowWork(config, rows, modules)
    started = time.perf_counter()
    work.check()
    loaded = time.perf_counter()
    total = work.empty()
    total.merge(accumulate(work))
    slicer = total.slicer
    slicer.check_features(sorted(total.features))
    slices, compared = slice_results(config, slicer.keys, total, work.metrics, work.resampling)
    if left is not None:
        add_values_by_tfma(slices, left, folders, files, file_format, modules or {})
        compare_further(compared, slices)
    validation = check_thresholds(config, requested, thresholds, slices, compared)
    empty_slices = [
        spec_name(spec)
        for spec in config.slicing_specs
        if not any(spec_matches(spec, key) for key in slicer.keys)
    ]
    return Evaluation(
        config,
        slices,
        validation,
        {m.spec.name: m.model.path for m in work.models},
        total.num_examples,
        {"load": loaded - started, "evaluate": time.perf_counter() - loaded},
        empty_slices,
        total.worst_rows,
        compared,
    )
