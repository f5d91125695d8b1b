"""The artifact types of a model beside another one."""

from __future__ import annotations

from penstock.artifacts.value import JsonValue


class ModelComparison(JsonValue):
    """A model's scores beside a baseline's, as a JSON value.

    `metrics` is a list with `name`, `model`, `baseline`, `improvement`, `lower_is_better`, `margin` and
    `ok`; besides there are `baseline` and `description`, `label`, `rows` by split, `train_split`,
    `eval_split` and `ok`. The custom properties `model_seconds` and `baseline_seconds` are how long each
    took to predict, the baseline to learn as well.
    """


class OptimizationReport(JsonValue):
    """An optimized model beside the original, as a JSON value.

    `original` and `optimized` have `file_bytes`, `gzip_bytes`, `one_row_ms` and `batch_ms` (each with
    `median` and `p99`) and `metric`; `judged` is a list with `name` ("size ratio", "latency ratio",
    "metric loss"), `value`, `bound` and `ok`; besides there are `technique`, `details`, `metric` (its
    name), `rows`, `batch_size`, `requests` and `ok`.
    """


class ABComparison(JsonValue):
    """Two versions of a model, their difference in each metric, and a decision, as a JSON value.

    `metrics` is a list with `name`, `candidate`, `baseline`, `improvement` and its interval `lower` and
    `upper`, `standard_error`, `units`, `method`, `lower_is_better`, `margin`, `outcome` and
    `units_needed`; besides there are `outcome` ("candidate", "baseline" or "undecided") and `reasons`,
    `candidate`, `baseline`, `rows`, `units`, `paired`, `confidence`, `label` and `splits`.
    """
