"""The registry of models: what was pushed, with its lineage, under names, versions and aliases."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.registry.changes import promote, prune, rollback
    from penstock.registry.destinations import ModelNotFound, find_destination
    from penstock.registry.mlflow_export import export_to_mlflow
    from penstock.registry.model_uri import ModelLocation, locate
    from penstock.registry.models import list_models, read_model
    from penstock.registry.records import ModelVersion, RegisteredModel

_MODULE_OF = {
    "ModelLocation": "model_uri",
    "ModelNotFound": "destinations",
    "ModelVersion": "records",
    "RegisteredModel": "records",
    "export_to_mlflow": "mlflow_export",
    "find_destination": "destinations",
    "list_models": "models",
    "locate": "model_uri",
    "promote": "changes",
    "prune": "changes",
    "read_model": "models",
    "rollback": "changes",
}

__all__ = [
    "ModelLocation",
    "ModelNotFound",
    "ModelVersion",
    "RegisteredModel",
    "export_to_mlflow",
    "find_destination",
    "list_models",
    "locate",
    "promote",
    "prune",
    "read_model",
    "rollback",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
