"""TensorFlow Transform, driven without Beam: analyze, write the transform graph, transform rows.

    from penstock.io import ExamplesSplit
    from penstock.transform import TransformFolders, transform

`tft.TFTransformOutput` reads what it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.transform.driver import (
        AnalysisElsewhere,
        Observers,
        TransformFolders,
        TransformResult,
        transform,
    )
    from penstock.transform.images import decode_images
    from penstock.transform.imports import import_tensorflow_transform
    from penstock.transform.missing_values import fill_missing
    from penstock.transform.shards import BatchObserver, ShardReader
    from penstock.transform.splits_config import SplitsConfig
    from penstock.transform.texts import character_ngrams, token_ids
    from penstock.transform.transform_graph import AnalysisFallback

__all__ = [
    "AnalysisElsewhere",
    "AnalysisFallback",
    "BatchObserver",
    "Observers",
    "ShardReader",
    "SplitsConfig",
    "TransformFolders",
    "TransformResult",
    "character_ngrams",
    "decode_images",
    "fill_missing",
    "import_tensorflow_transform",
    "token_ids",
    "transform",
]

_MODULES = {
    "AnalysisElsewhere": "driver",
    "AnalysisFallback": "transform_graph",
    "BatchObserver": "shards",
    "Observers": "driver",
    "ShardReader": "shards",
    "TransformFolders": "driver",
    "SplitsConfig": "splits_config",
    "TransformResult": "driver",
    "character_ngrams": "texts",
    "decode_images": "images",
    "fill_missing": "missing_values",
    "import_tensorflow_transform": "imports",
    "token_ids": "texts",
    "transform": "driver",
}

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
