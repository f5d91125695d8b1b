"""Penstock: TFX-style machine-learning pipelines that are parallel, resumable and explainable.

What a pipeline file needs is here and in `penstock.components`; importing it imports neither
TensorFlow nor Beam nor pyarrow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.dsl import (
        Component,
        DefinitionError,
        ExecutionContext,
        ExternalPath,
        Importer,
        Input,
        LatestArtifacts,
        LatestBlessedModel,
        ModuleFile,
        Output,
        Pipeline,
        Policy,
        Resolver,
        Resources,
        RuntimeParameter,
        component,
        output,
    )
    from penstock.runners.local import LocalDagRunner
    from penstock.runners.result import RunFailed, RunResult

__version__ = "0.1.0"

_HOME = {
    "LocalDagRunner": "penstock.runners.local",
    "RunFailed": "penstock.runners.result",
    "RunResult": "penstock.runners.result",
}
"""Where a name lies that is not of `penstock.dsl`."""

__all__ = [
    "Component",
    "DefinitionError",
    "ExecutionContext",
    "ExternalPath",
    "Importer",
    "Input",
    "LatestArtifacts",
    "LatestBlessedModel",
    "LocalDagRunner",
    "ModuleFile",
    "Output",
    "Pipeline",
    "Policy",
    "Resolver",
    "Resources",
    "RunFailed",
    "RunResult",
    "RuntimeParameter",
    "__version__",
    "component",
    "output",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME.get(name, "penstock.dsl")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
