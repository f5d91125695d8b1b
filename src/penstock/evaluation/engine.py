"""The evaluation: one batched prediction pass, and every metric in every slice from it."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.evaluation.accumulate import accumulated_parts, usable_threads
from penstock.evaluation.accumulation import Accumulation
from penstock.evaluation.blocks import read_blocks
from penstock.evaluation.checks.config_problems import refuse_problems
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.evaluated_model import check_features, load_models
from penstock.evaluation.intervals.confidence_interval import Estimate
from penstock.evaluation.intervals.resampling import resampling_of
from penstock.evaluation.keys import SliceKey
from penstock.evaluation.model_checks import check_first_rows, check_outputs, named_features
from penstock.evaluation.plan import plan_metrics, views_of
from penstock.evaluation.prediction import BatchPredictor
from penstock.evaluation.requested_metrics import metric_features
from penstock.evaluation.resolve import resolve_config
from penstock.evaluation.slice_results import SliceResult, slice_results
from penstock.evaluation.slicing_specs import spec_matches, spec_name
from penstock.evaluation.thresholds import check_thresholds, planned_thresholds
from penstock.evaluation.verdict import Validation
from penstock.evaluation.worst_rows import WorstRows, WorstRowsRequest
from penstock.progress import report


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
    """

    config: Any
    slices: list[SliceResult]
    validation: Validation
    model_paths: dict[str, str]
    num_examples: int
    seconds: dict[str, float]
    empty_slices: list[str] = field(default_factory=list)
    worst_rows: WorstRows | None = None

    def metrics(self, slice_key: SliceKey = (), model_name: str = "") -> dict[str, Estimate]:
        """Return a slice's scalar metrics of the evaluated model by name, without differences.

        Each is a float; its `interval` is the confidence interval, if the EvalConfig asks for them.
        """
        names = {model_name} if model_name else {"", "candidate"}
        for result in self.slices:
            if result.key == slice_key:
                return {
                    key.label(): Estimate(value, result.intervals.get(key))
                    for key, value in result.metrics.items()
                    if key.model_name in names and not key.is_diff and isinstance(value, float)
                }
        raise KeyError(f"No slice {slice_key!r}. Slices: {[result.key for result in self.slices]}")


def evaluate(
    files: Sequence[str],
    *,
    model: str,
    eval_config: Any,
    baseline: str | None = None,
    schema: Any = None,
    file_format: str = DEFAULT_FILE_FORMAT,
    batch_size: int = 8192,
    modules: Mapping[str, ModuleType] | None = None,
    worst_rows: WorstRowsRequest | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a SavedModel, and a baseline beside it, on examples.

    Args:
        files: Shards of raw tf.Examples.
        model: The SavedModel's folder.
        eval_config: An `EvalConfig`, TFMA's own, a dict or text.
        baseline: The SavedModel to compare with. Without one, change thresholds are dropped and the
            result says so.
        schema: A `schema_pb2.Schema` of the raw examples; with it, misspelled features are reported
            before the first batch, and only what is needed is decoded.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        batch_size: Rows per batch; a ModelSpec's `inference_batch_size` takes precedence.
        modules: User modules with metrics, by the names that a `MetricConfig.module` may have. Others
            are imported by their dotted name.
        worst_rows: Which rows with the largest errors to keep, if any.
        seed: What the samples of confidence intervals depend on, besides the rows.

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
    config = resolve_config(requested, has_baseline=baseline is not None)
    metrics = plan_metrics(config, modules)
    thresholds = planned_thresholds(config)
    resampling = resampling_of(config.options, seed)

    def empty() -> Accumulation:
        worst = None
        if worst_rows is not None:
            worst = WorstRows(worst_rows, config.model_specs, views_of(metrics))
        return Accumulation(metrics, config.slicing_specs, worst, resampling)

    total = empty()
    slicer = total.slicer
    started = time.perf_counter()
    models = load_models(config, model, baseline)
    check_outputs(models, metrics)
    of_metrics = [name for _, name in metric_features(config)]
    if schema is not None:
        check_features(slicer, models, [f.name for f in schema.feature])
        if worst_rows is not None:
            worst_rows.check_features(f.name for f in schema.feature)
    else:
        check_first_rows(
            read_blocks(files, file_format=file_format, batch_size=batch_size),
            models,
            named_features([*slicer.features, *of_metrics], models, worst_rows),
        )
    loaded = time.perf_counter()
    sizes = [m.spec.inference_batch_size for m in models if m.spec.inference_batch_size]
    predict = BatchPredictor(
        models,
        [*slicer.features, *of_metrics],
        schema,
        more=worst_rows.columns if worst_rows else (),
    )
    blocks = read_blocks(files, file_format=file_format, batch_size=min([batch_size, *sizes]))
    first = next(blocks, None)
    if first is None:
        raise ValueError(f"There is nothing to evaluate: no examples in {list(files)}.")
    predict.look_at(first)
    parts = accumulated_parts(
        itertools.chain([first], blocks),
        predict,
        empty,
        usable_threads(predict),
    )
    with contextlib.closing(parts):
        for part in parts:
            total.merge(part)
            report(total.num_examples)
    slicer.check_features(sorted(total.features))
    slices = slice_results(config, slicer.keys, total, metrics, resampling)
    validation = check_thresholds(config, requested, thresholds, slices)
    empty_slices = [
        spec_name(spec)
        for spec in config.slicing_specs
        if not any(spec_matches(spec, key) for key in slicer.keys)
    ]
    return Evaluation(
        config,
        slices,
        validation,
        {m.spec.name: m.model.path for m in models},
        total.num_examples,
        {"load": loaded - started, "evaluate": time.perf_counter() - loaded},
        empty_slices,
        total.worst_rows,
    )
