"""TensorFlow Transform, driven without Beam: analyze, write the transform graph, transform rows.

    from penstock.transform import Shards, transform

`tft.TFTransformOutput` reads what it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.transform.driver import TransformResult, transform
    from penstock.transform.imports import import_tensorflow_transform
    from penstock.transform.missing_values import fill_missing
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
    "fill_missing": "missing_values",
    "import_tensorflow_transform": "imports",
    "transform": "driver",
}

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
