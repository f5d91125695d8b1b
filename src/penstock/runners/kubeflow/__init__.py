"""The Kubeflow runner: a pipeline as Kubeflow Pipelines IR, one container per node."""

from penstock.dsl.pod import SecretKey
from penstock.runners.kubeflow.config import KubeflowConfig
from penstock.runners.kubeflow.limits import limits
from penstock.runners.kubeflow.replicas import ReplicaPods
from penstock.runners.kubeflow.runner import KubeflowDagRunner, compile_to_yaml
from penstock.runners.protocol import Limit, UnsupportedSetting

__all__ = [
    "KubeflowConfig",
    "KubeflowDagRunner",
    "Limit",
    "ReplicaPods",
    "SecretKey",
    "UnsupportedSetting",
    "compile_to_yaml",
    "limits",
]
