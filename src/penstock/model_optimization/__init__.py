"""Smaller and faster models: quantization, pruning and distillation, and what each of them costs."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.model_optimization.distilling import distill
    from penstock.model_optimization.pruning import PruneByMagnitude, prune
    from penstock.model_optimization.report import Judged, Measured, judge
    from penstock.model_optimization.techniques import Distillation, Pruning, Quantization

_MODULE_OF = {
    "Distillation": "techniques",
    "Judged": "report",
    "Measured": "report",
    "PruneByMagnitude": "pruning",
    "Pruning": "techniques",
    "Quantization": "techniques",
    "distill": "distilling",
    "judge": "report",
    "prune": "pruning",
}

__all__ = [
    "Distillation",
    "Judged",
    "Measured",
    "PruneByMagnitude",
    "Pruning",
    "Quantization",
    "distill",
    "judge",
    "prune",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
