"""Serving: checking models and predicting with them.

What pushes models is in `penstock.pushing`; its names are found here, too.
"""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.pushing.destination import Filesystem, PushDestination
    from penstock.pushing.local_folder import sweep_staging
    from penstock.pushing.push import PushedVersion, push_model
    from penstock.serving.labels import ModelLabels, read_labels
    from penstock.serving.model import ServedModel, load_model
    from penstock.serving.saved_model import ModelError, SavedModelInfo, inspect_saved_model
    from penstock.serving.served_estimator import ServedEstimator
    from penstock.serving.variables import Variable, read_variables
    from penstock.serving.versions import list_versions

_MODULE_OF = {
    "Filesystem": "penstock.pushing.destination",
    "ModelError": "saved_model",
    "ModelLabels": "labels",
    "PushDestination": "penstock.pushing.destination",
    "PushedVersion": "penstock.pushing.push",
    "SavedModelInfo": "saved_model",
    "ServedEstimator": "served_estimator",
    "ServedModel": "model",
    "Variable": "variables",
    "inspect_saved_model": "saved_model",
    "list_versions": "versions",
    "load_model": "model",
    "push_model": "penstock.pushing.push",
    "read_labels": "labels",
    "read_variables": "variables",
    "sweep_staging": "penstock.pushing.local_folder",
}

__all__ = [
    "Filesystem",
    "ModelError",
    "ModelLabels",
    "PushDestination",
    "PushedVersion",
    "SavedModelInfo",
    "ServedEstimator",
    "ServedModel",
    "Variable",
    "inspect_saved_model",
    "list_versions",
    "load_model",
    "push_model",
    "read_labels",
    "read_variables",
    "sweep_staging",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
