"""Penstock: TFX-style machine-learning pipelines that are parallel, resumable and explainable.

What a pipeline file needs is here and in `penstock.components`; importing it imports neither
TensorFlow nor Beam nor pyarrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock import module_names
from penstock.lazy_exports import lazy_exports
from penstock.project_root import import_from_project_of_script

if TYPE_CHECKING:
    from penstock.checks.finding import CheckFailed
    from penstock.dsl import (
        Component,
        ConfigMapFiles,
        ConfigMapKey,
        DefinitionError,
        EmptyFolder,
        EphemeralVolume,
        ExecutionContext,
        ExternalPath,
        Importer,
        Input,
        LatestArtifacts,
        LatestBlessedModel,
        ModuleFile,
        NodeAffinity,
        NodeRule,
        Output,
        Pipeline,
        PodSettings,
        Policy,
        Rejected,
        Resolver,
        Resources,
        RuntimeParameter,
        SecretFiles,
        SecretKey,
        Toleration,
        VolumeClaim,
        component,
        output,
    )
    from penstock.runners.local import LocalDagRunner
    from penstock.runners.result import RunFailed, RunResult

__version__ = "0.1.0"

# Before anything of the user's is imported, in each process that imports Penstock.
module_names.install()

_HOME = {
    "CheckFailed": "penstock.checks.finding",
    "LocalDagRunner": "penstock.runners.local",
    "RunFailed": "penstock.runners.result",
    "RunResult": "penstock.runners.result",
}
"""Where a name lies that is not of `penstock.dsl`."""

__all__ = [
    "CheckFailed",
    "Component",
    "ConfigMapFiles",
    "ConfigMapKey",
    "DefinitionError",
    "EmptyFolder",
    "EphemeralVolume",
    "ExecutionContext",
    "ExternalPath",
    "Importer",
    "Input",
    "LatestArtifacts",
    "LatestBlessedModel",
    "LocalDagRunner",
    "ModuleFile",
    "NodeAffinity",
    "NodeRule",
    "Output",
    "Pipeline",
    "PodSettings",
    "Policy",
    "Rejected",
    "Resolver",
    "Resources",
    "RunFailed",
    "RunResult",
    "RuntimeParameter",
    "SecretFiles",
    "SecretKey",
    "Toleration",
    "VolumeClaim",
    "__version__",
    "component",
    "output",
]

__getattr__, __dir__ = lazy_exports(
    __name__, {name: _HOME.get(name, "penstock.dsl") for name in __all__ if name != "__version__"}
)


import_from_project_of_script()
