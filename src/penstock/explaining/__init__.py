"""Why a model answers as it does: gradients, attention, permutation importance, SHAP; usable on its own.

Importing this package imports no TensorFlow; each name loads its module when it is first used.
"""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.explaining.attention import attention_scores
    from penstock.explaining.contributions import integrated_gradients
    from penstock.explaining.gradients import grad_cam, saliency
    from penstock.explaining.permutation import permutation_importance
    from penstock.explaining.shapley import shap_values

_MODULE_OF = {
    "attention_scores": "attention",
    "grad_cam": "gradients",
    "integrated_gradients": "contributions",
    "permutation_importance": "permutation",
    "saliency": "gradients",
    "shap_values": "shapley",
}

__all__ = [
    "attention_scores",
    "grad_cam",
    "integrated_gradients",
    "permutation_importance",
    "saliency",
    "shap_values",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
