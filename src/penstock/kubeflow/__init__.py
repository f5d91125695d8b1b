"""Kubeflow Pipelines as a user does: upload, run, schedule, watch, cancel, over its API."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.kubeflow.client import Kubeflow
    from penstock.kubeflow.connection import Connection, find_connection
    from penstock.kubeflow.errors import KubeflowError
    from penstock.kubeflow.package import PipelinePackage
    from penstock.kubeflow.records import ClusterRun, Schedule, UploadedVersion
    from penstock.kubeflow.schedules import When

_MODULE_OF = {
    "ClusterRun": "records",
    "Connection": "connection",
    "Kubeflow": "client",
    "KubeflowError": "errors",
    "PipelinePackage": "package",
    "Schedule": "records",
    "UploadedVersion": "records",
    "When": "schedules",
    "find_connection": "connection",
}

__all__ = [
    "ClusterRun",
    "Connection",
    "Kubeflow",
    "KubeflowError",
    "PipelinePackage",
    "Schedule",
    "UploadedVersion",
    "When",
    "find_connection",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
