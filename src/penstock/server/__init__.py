"""A model server: TensorFlow Serving's interfaces, the open inference protocol, rows of features."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.server.config import Batching, ModelSource, ServerConfig, VersionPolicy
    from penstock.server.config_file import read_config
    from penstock.server.errors import ServingError
    from penstock.server.request_log.config import RequestLogConfig
    from penstock.server.request_log.labels import JoinedLabels, join_labels
    from penstock.server.running import serve
    from penstock.server.safety.access import Access
    from penstock.server.safety.limits import Limits
    from penstock.server.servables.servables import Servables
    from penstock.server.traffic import Traffic

_MODULE_OF = {
    "Access": "safety.access",
    "Batching": "config",
    "JoinedLabels": "request_log.labels",
    "Limits": "safety.limits",
    "ModelSource": "config",
    "RequestLogConfig": "request_log.config",
    "Servables": "servables.servables",
    "ServerConfig": "config",
    "ServingError": "errors",
    "Traffic": "traffic",
    "VersionPolicy": "config",
    "join_labels": "request_log.labels",
    "read_config": "config_file",
    "serve": "running",
}

__all__ = [
    "Access",
    "Batching",
    "JoinedLabels",
    "Limits",
    "ModelSource",
    "RequestLogConfig",
    "Servables",
    "ServerConfig",
    "ServingError",
    "Traffic",
    "VersionPolicy",
    "join_labels",
    "read_config",
    "serve",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
