"""The pod that a node runs in on a cluster: where it is placed, what it is given."""

from penstock.dsl.pod.placement import NodeAffinity, NodeRule, Toleration
from penstock.dsl.pod.settings import PodSettings
from penstock.dsl.pod.sources import (
    ConfigMapFiles,
    ConfigMapKey,
    EmptyFolder,
    EphemeralVolume,
    SecretFiles,
    SecretKey,
    VolumeClaim,
)

__all__ = [
    "ConfigMapFiles",
    "ConfigMapKey",
    "EmptyFolder",
    "EphemeralVolume",
    "NodeAffinity",
    "NodeRule",
    "PodSettings",
    "SecretFiles",
    "SecretKey",
    "Toleration",
    "VolumeClaim",
]
