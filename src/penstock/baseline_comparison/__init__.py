"""A model beside a simple baseline: the same rows, the same metrics, and whether the model is better."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.baseline_comparison.comparison import (
        ComparedMetric,
        compared,
        summary,
    )
    from penstock.baseline_comparison.metric_directions import metric_names
    from penstock.baseline_comparison.metrics import measure

_MODULE_OF = {
    "ComparedMetric": "comparison",
    "compared": "comparison",
    "measure": "metrics",
    "metric_names": "metric_directions",
    "summary": "comparison",
}

__all__ = ["ComparedMetric", "compared", "measure", "metric_names", "summary"]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
