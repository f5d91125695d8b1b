"""Evaluation: metrics by slice, thresholds and a blessing; reads and writes TFMA's formats.

The configuration messages need protobuf only; `evaluate` needs TensorFlow.
"""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.evaluation.checks.check_config import check_config
    from penstock.evaluation.checks.problem import ConfigProblem
    from penstock.evaluation.config import (
        AggregationOptions,
        BinarizationOptions,
        ConfidenceIntervalOptions,
        CrossSliceMetricThreshold,
        CrossSliceMetricThresholds,
        CrossSlicingSpec,
        EvalConfig,
        ExampleWeightOptions,
        GenericChangeThreshold,
        GenericValueThreshold,
        MetricConfig,
        MetricDirection,
        MetricsSpec,
        MetricThreshold,
        ModelSpec,
        Options,
        PerSliceMetricThreshold,
        PerSliceMetricThresholds,
        SlicingSpec,
        as_eval_config,
    )
    from penstock.evaluation.engine import Evaluation, evaluate
    from penstock.evaluation.intervals.confidence_interval import ConfidenceInterval, Estimate
    from penstock.evaluation.keys import MetricKey, SliceKey, slice_name
    from penstock.evaluation.metric import Metric, row_metric
    from penstock.evaluation.metrics.catalog import metric_names
    from penstock.evaluation.results import (
        read_checks,
        read_cross_slice_metrics,
        read_eval_config,
        read_metrics,
        read_plots,
        read_validation,
        write_evaluation,
    )
    from penstock.evaluation.slices.cross_slices import CrossSliceResult
    from penstock.evaluation.slices.results import SliceResult
    from penstock.evaluation.tidy_tables import load_evaluation
    from penstock.evaluation.verdict import ThresholdCheck, Validation, failures, summary
    from penstock.evaluation.worst_rows import WorstRowsRequest, read_worst_rows

_MODULE_OF = {
    "AggregationOptions": "config",
    "BinarizationOptions": "config",
    "ConfidenceInterval": "intervals.confidence_interval",
    "ConfidenceIntervalOptions": "config",
    "ConfigProblem": "checks.problem",
    "CrossSliceMetricThreshold": "config",
    "CrossSliceMetricThresholds": "config",
    "CrossSliceResult": "slices.cross_slices",
    "CrossSlicingSpec": "config",
    "EvalConfig": "config",
    "Estimate": "intervals.confidence_interval",
    "Evaluation": "engine",
    "ExampleWeightOptions": "config",
    "GenericChangeThreshold": "config",
    "GenericValueThreshold": "config",
    "Metric": "metric",
    "MetricConfig": "config",
    "MetricDirection": "config",
    "MetricKey": "keys",
    "MetricThreshold": "config",
    "MetricsSpec": "config",
    "ModelSpec": "config",
    "Options": "config",
    "PerSliceMetricThreshold": "config",
    "PerSliceMetricThresholds": "config",
    "SliceKey": "keys",
    "SliceResult": "slices.results",
    "SlicingSpec": "config",
    "ThresholdCheck": "verdict",
    "Validation": "verdict",
    "WorstRowsRequest": "worst_rows",
    "as_eval_config": "config",
    "check_config": "checks.check_config",
    "evaluate": "engine",
    "failures": "verdict",
    "load_evaluation": "tidy_tables",
    "metric_names": "metrics.catalog",
    "read_checks": "results",
    "read_cross_slice_metrics": "results",
    "read_eval_config": "results",
    "read_metrics": "results",
    "read_plots": "results",
    "read_validation": "results",
    "read_worst_rows": "worst_rows",
    "row_metric": "metric",
    "slice_name": "keys",
    "summary": "verdict",
    "write_evaluation": "results",
}

__all__ = [
    "AggregationOptions",
    "BinarizationOptions",
    "ConfidenceInterval",
    "ConfidenceIntervalOptions",
    "ConfigProblem",
    "CrossSliceMetricThreshold",
    "CrossSliceMetricThresholds",
    "CrossSliceResult",
    "CrossSlicingSpec",
    "Estimate",
    "EvalConfig",
    "Evaluation",
    "ExampleWeightOptions",
    "GenericChangeThreshold",
    "GenericValueThreshold",
    "Metric",
    "MetricConfig",
    "MetricDirection",
    "MetricKey",
    "MetricThreshold",
    "MetricsSpec",
    "ModelSpec",
    "Options",
    "PerSliceMetricThreshold",
    "PerSliceMetricThresholds",
    "SliceKey",
    "SliceResult",
    "SlicingSpec",
    "ThresholdCheck",
    "Validation",
    "WorstRowsRequest",
    "as_eval_config",
    "check_config",
    "evaluate",
    "failures",
    "load_evaluation",
    "metric_names",
    "read_checks",
    "read_cross_slice_metrics",
    "read_eval_config",
    "read_metrics",
    "read_plots",
    "read_validation",
    "read_worst_rows",
    "row_metric",
    "slice_name",
    "summary",
    "write_evaluation",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
