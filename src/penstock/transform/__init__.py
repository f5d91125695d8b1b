"""TensorFlow Transform, driven without Beam: analyze, write the transform graph, transform rows.

    from penstock.transform import Shards, transform

`tft.TFTransformOutput` reads what it writes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.transform.driver import TransformResult, transform
    from penstock.transform.imports import import_tensorflow_transform
    from penstock.transform.missing_values import fill_missing
    from penstock.transform.results import UnsupportedAnalyzerError
    from penstock.transform.shards import BatchObserver, ShardReader, Shards
    from penstock.transform.splits_config import SplitsConfig
    from penstock.transform.transform_graph import AnalysisFallback

__all__ = [
    "AnalysisFallback",
    "BatchObserver",
    "ShardReader",
    "Shards",
    "SplitsConfig",
    "TransformResult",
    "UnsupportedAnalyzerError",
    "fill_missing",
    "import_tensorflow_transform",
    "transform",
]

_MODULES = {
    "AnalysisFallback": "transform_graph",
    "BatchObserver": "shards",
    "ShardReader": "shards",
    "Shards": "shards",
    "SplitsConfig": "splits_config",
    "TransformResult": "driver",
    "UnsupportedAnalyzerError": "results",
    "fill_missing": "missing_values",
    "import_tensorflow_transform": "imports",
    "transform": "driver",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
