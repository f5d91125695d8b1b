"""A model server: TensorFlow Serving's interfaces, the open inference protocol, rows of features."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.server.config import Batching, ModelSource, ServerConfig, VersionPolicy
    from penstock.server.errors import ServingError
    from penstock.server.running import serve
    from penstock.server.servables.servables import Servables

_MODULE_OF = {
    "Batching": "config",
    "ModelSource": "config",
    "Servables": "servables.servables",
    "ServerConfig": "config",
    "ServingError": "errors",
    "VersionPolicy": "config",
    "serve": "running",
}

__all__ = [
    "Batching",
    "ModelSource",
    "Servables",
    "ServerConfig",
    "ServingError",
    "VersionPolicy",
    "serve",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
