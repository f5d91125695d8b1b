"""Cards: self-contained HTML about a model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.cards.model_card import collect, write_model_card
    from penstock.cards.page import render

_MODULE_OF = {"collect": "model_card", "render": "page", "write_model_card": "model_card"}

__all__ = ["collect", "render", "write_model_card"]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
