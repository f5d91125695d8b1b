"""Artifacts: what components read and write, their types, values, splits and fingerprints."""

from penstock.artifacts.array import Array
from penstock.artifacts.artifact import Artifact, ArtifactState, PropertyType, type_for_name
from penstock.artifacts.model_comparison import ABComparison, ModelComparison
from penstock.artifacts.splits import SplitArtifact, split_uri
from penstock.artifacts.standard import (
    ComparisonBlessing,
    DriftReport,
    ExampleAnomalies,
    Examples,
    ExamplesDiff,
    ExampleStatistics,
    HyperParameters,
    InferenceResult,
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelCard,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    Schema,
    TransformCache,
    TransformGraph,
    TunerResults,
)
from penstock.artifacts.table import Table
from penstock.artifacts.value import (
    Boolean,
    Bytes,
    Float,
    Integer,
    JsonValue,
    String,
    ValueArtifact,
)
from penstock.artifacts.verdict import Verdict

__all__ = [
    "ABComparison",
    "Array",
    "Artifact",
    "ArtifactState",
    "Boolean",
    "Bytes",
    "ComparisonBlessing",
    "DriftReport",
    "ExampleAnomalies",
    "ExampleStatistics",
    "Examples",
    "ExamplesDiff",
    "Float",
    "HyperParameters",
    "InferenceResult",
    "InfraBlessing",
    "Integer",
    "JsonValue",
    "Model",
    "ModelBlessing",
    "ModelCard",
    "ModelComparison",
    "ModelEvaluation",
    "ModelRun",
    "PropertyType",
    "PushedModel",
    "Schema",
    "SplitArtifact",
    "String",
    "Table",
    "TransformCache",
    "TransformGraph",
    "TunerResults",
    "ValueArtifact",
    "Verdict",
    "split_uri",
    "type_for_name",
]
