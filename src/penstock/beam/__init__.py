"""Work on Beam: pipelines from `beam_pipeline_args`, and Transform's analysis there."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.beam.analyze import AnalyzeOnBeam
    from penstock.beam.pipeline_options import make_pipeline, runner_name, runs_locally

__all__ = ["AnalyzeOnBeam", "make_pipeline", "runner_name", "runs_locally"]

_MODULES = {
    "AnalyzeOnBeam": "analyze",
    "make_pipeline": "pipeline_options",
    "runner_name": "pipeline_options",
    "runs_locally": "pipeline_options",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
