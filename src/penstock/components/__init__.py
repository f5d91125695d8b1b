"""The standard components, one file each; a component's file is imported when it is named."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.components.csv_example_gen import CsvExampleGen
    from penstock.components.distribution_validator import DistributionValidator
    from penstock.components.evaluator import Evaluator
    from penstock.components.example_diff import ExampleDiff
    from penstock.components.example_validator import ExampleValidator
    from penstock.components.import_example_gen import ImportExampleGen
    from penstock.components.import_schema_gen import ImportSchemaGen
    from penstock.components.model_card import ModelCard
    from penstock.components.pusher import Pusher
    from penstock.components.schema_gen import SchemaGen
    from penstock.components.statistics_gen import StatisticsGen
    from penstock.components.trainer import Trainer
    from penstock.components.transform import Transform
    from penstock.components.tuner import Tuner

_HOME = {
    "CsvExampleGen": "csv_example_gen",
    "DistributionValidator": "distribution_validator",
    "Evaluator": "evaluator",
    "ExampleDiff": "example_diff",
    "ExampleValidator": "example_validator",
    "ImportExampleGen": "import_example_gen",
    "ImportSchemaGen": "import_schema_gen",
    "ModelCard": "model_card",
    "Pusher": "pusher",
    "SchemaGen": "schema_gen",
    "StatisticsGen": "statistics_gen",
    "Trainer": "trainer",
    "Transform": "transform",
    "Tuner": "tuner",
}

__all__ = [
    "CsvExampleGen",
    "DistributionValidator",
    "Evaluator",
    "ExampleDiff",
    "ExampleValidator",
    "ImportExampleGen",
    "ImportSchemaGen",
    "ModelCard",
    "Pusher",
    "SchemaGen",
    "StatisticsGen",
    "Trainer",
    "Transform",
    "Tuner",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
