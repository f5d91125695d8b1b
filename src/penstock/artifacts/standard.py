"""The standard artifact types, with TFX's names and properties."""

from __future__ import annotations

from typing import ClassVar

from penstock.artifacts.artifact import Artifact, PropertyType
from penstock.artifacts.splits import SplitArtifact


class Examples(SplitArtifact):
    """Rows: `Split-<name>/` folders of TFRecord or Parquet shards."""

    TYPE_ANNOTATION: ClassVar = "mlmd.Dataset"
    PROPERTIES: ClassVar = {
        "span": PropertyType.INT,
        "version": PropertyType.INT,
        "split_names": PropertyType.STRING,
    }


class ExampleStatistics(SplitArtifact):
    """Statistics of examples: `Split-<name>/FeatureStats.pb`."""

    TYPE_ANNOTATION: ClassVar = "mlmd.Statistics"
    PROPERTIES: ClassVar = {"span": PropertyType.INT, "split_names": PropertyType.STRING}


class ExampleAnomalies(SplitArtifact):
    """What disagrees with the schema: `Split-<name>/SchemaDiff.pb`."""

    PROPERTIES: ClassVar = {"span": PropertyType.INT, "split_names": PropertyType.STRING}


class Schema(Artifact):
    """A tensorflow-metadata schema: `schema.pbtxt`."""


class TransformGraph(Artifact):
    """What Transform learnt: `transform_fn/`, `metadata/` and `transformed_metadata/`."""


class TransformCache(Artifact):
    """Accumulators of Transform's analyzers, for the next span."""


class HyperParameters(Artifact):
    """`best_hyperparameters.txt`: the JSON of `HyperParameters.get_config()`."""


class TunerResults(Artifact):
    """All trials of a search."""


class Model(Artifact):
    """A trained model: `Format-Serving/` and, if exported, `Format-TFMA/`."""

    TYPE_ANNOTATION: ClassVar = "mlmd.Model"


class ModelRun(Artifact):
    """What training logged: TensorBoard event files."""


class ModelEvaluation(Artifact):
    """Metrics by slice and their validation, in TFMA's files."""


class ModelBlessing(Artifact):
    """An empty file `BLESSED` or `NOT_BLESSED`."""


class InfraBlessing(Artifact):
    """An empty file `INFRA_BLESSED` or `INFRA_NOT_BLESSED`."""


class PushedModel(Artifact):
    """A copy of what was pushed, with where it went."""

    TYPE_ANNOTATION: ClassVar = "mlmd.Model"


class ModelCard(Artifact):
    """A model's page, `model_card.html`, and the same as `model_card.json`."""


class InferenceResult(Artifact):
    """PredictionLog records of a batch inference."""


class ExamplesDiff(Artifact):
    """How two sets of examples differ, row by row."""
