"""Serving: checking, pushing and asking models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.serving.destination import Filesystem, PushDestination
    from penstock.serving.model import ServedModel, load_model
    from penstock.serving.push import PushedVersion, list_versions, push_model, sweep_staging
    from penstock.serving.saved_model import ModelError, SavedModelInfo, inspect_saved_model

_MODULE_OF = {
    "Filesystem": "destination",
    "ModelError": "saved_model",
    "PushDestination": "destination",
    "PushedVersion": "push",
    "SavedModelInfo": "saved_model",
    "ServedModel": "model",
    "inspect_saved_model": "saved_model",
    "list_versions": "push",
    "load_model": "model",
    "push_model": "push",
    "sweep_staging": "push",
}

__all__ = [
    "Filesystem",
    "ModelError",
    "PushDestination",
    "PushedVersion",
    "SavedModelInfo",
    "ServedModel",
    "inspect_saved_model",
    "list_versions",
    "load_model",
    "push_model",
    "sweep_staging",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
