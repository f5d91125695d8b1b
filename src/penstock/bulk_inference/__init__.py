"""Bulk inference: the predictions of a model for splits of Examples, as PredictionLogs or as Examples."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.bulk_inference.inference import infer
    from penstock.bulk_inference.plan import InferencePlan
    from penstock.bulk_inference.specs import (
        ClassifyOutput,
        DataSpec,
        ModelSpec,
        OutputColumnsSpec,
        OutputExampleSpec,
        PredictOutput,
        PredictOutputCol,
        RegressOutput,
    )

_MODULE_OF = {
    "ClassifyOutput": "specs",
    "DataSpec": "specs",
    "InferencePlan": "shards",
    "ModelSpec": "specs",
    "OutputColumnsSpec": "specs",
    "OutputExampleSpec": "specs",
    "PredictOutput": "specs",
    "PredictOutputCol": "specs",
    "RegressOutput": "specs",
    "infer": "inference",
}

__all__ = [
    "ClassifyOutput",
    "DataSpec",
    "InferencePlan",
    "ModelSpec",
    "OutputColumnsSpec",
    "OutputExampleSpec",
    "PredictOutput",
    "PredictOutputCol",
    "RegressOutput",
    "infer",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
