"""The standard artifact types, with TFX's names and properties."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from penstock.artifacts import location
from penstock.artifacts.artifact import Artifact, PropertyType
from penstock.artifacts.splits import SplitArtifact

DEFAULT_FILE_FORMAT = "tfrecords_gzip"
DEFAULT_PAYLOAD_FORMAT = "FORMAT_TF_EXAMPLE"


class Examples(SplitArtifact):
    """Rows: `Split-<name>/` folders of TFRecord or Parquet shards.

    `penstock.io.ExamplesSplit.of(examples, "train")` reads one split, and
    `penstock.io.ExamplesWriter.like(examples, output)` writes rows as they are stored here.
    """

    TYPE_ANNOTATION: ClassVar = "mlmd.Dataset"
    PROPERTIES: ClassVar = {
        "span": PropertyType.INT,
        "version": PropertyType.INT,
        "split_names": PropertyType.STRING,
    }

    @property
    def file_format(self) -> str:
        """How the shards are stored: `tfrecords_gzip` (the default), `tfrecords` or `parquet`."""
        return str(self.custom_properties.get("file_format") or DEFAULT_FILE_FORMAT)

    @file_format.setter
    def file_format(self, name: str) -> None:
        self.custom_properties["file_format"] = name

    @property
    def payload_format(self) -> str:
        """What a record is: `FORMAT_TF_EXAMPLE` (the default) or another format that TFX knows."""
        return str(self.custom_properties.get("payload_format") or DEFAULT_PAYLOAD_FORMAT)

    @payload_format.setter
    def payload_format(self, name: str) -> None:
        self.custom_properties["payload_format"] = name


class ExampleStatistics(SplitArtifact):
    """Statistics of examples: `Split-<name>/FeatureStats.pb`."""

    TYPE_ANNOTATION: ClassVar = "mlmd.Statistics"
    PROPERTIES: ClassVar = {"span": PropertyType.INT, "split_names": PropertyType.STRING}


class ExampleAnomalies(SplitArtifact):
    """What disagrees with the schema: `Split-<name>/SchemaDiff.pb`."""

    PROPERTIES: ClassVar = {"span": PropertyType.INT, "split_names": PropertyType.STRING}


class Schema(Artifact):
    """A tensorflow-metadata schema: `schema.pbtxt`."""

    @property
    def file(self) -> str:
        """The schema's file, a text proto."""
        return f"{self.uri.rstrip('/')}/schema.pbtxt"


class TransformGraph(Artifact):
    """Transform's result: `transform_fn/`, `metadata/` and `transformed_metadata/`."""


class TransformCache(Artifact):
    """Accumulators of Transform's analyzers, for the next span."""


class HyperParameters(Artifact):
    """`best_hyperparameters.txt`: the JSON of `HyperParameters.get_config()`."""


class TunerResults(Artifact):
    """All trials of a search."""


class Model(Artifact):
    """A trained model, in one folder for each form.

    `Format-Serving/` is the SavedModel that servers take, or `model.pkl` of a scikit-learn estimator;
    `Format-TFMA/` a SavedModel for evaluation alone. `penstock.training.export_model` writes the
    others: `Format-Keras/model.keras`, `Format-TFLite/*.tflite`, `Format-ONNX/model.onnx`,
    `Format-Weights/model.weights.h5`.
    """

    TYPE_ANNOTATION: ClassVar = "mlmd.Model"
    SERVING_FOLDER: ClassVar = "Format-Serving"
    EVAL_FOLDER: ClassVar = "Format-TFMA"
    KERAS_FOLDER: ClassVar = "Format-Keras"
    TFLITE_FOLDER: ClassVar = "Format-TFLite"
    ONNX_FOLDER: ClassVar = "Format-ONNX"
    WEIGHTS_FOLDER: ClassVar = "Format-Weights"

    @property
    def serving_uri(self) -> str:
        """The SavedModel for serving; an imported model may be a SavedModel itself."""
        folder = f"{self.uri.rstrip('/')}/{self.SERVING_FOLDER}"
        bare = f"{self.uri.rstrip('/')}/saved_model.pb"
        return self.uri if not location.exists(folder) and location.exists(bare) else folder

    @property
    def forms(self) -> dict[str, str]:
        """The folders that there are, by name: `{"Format-Serving": ".../Format-Serving", ...}`."""
        root = self.uri.rstrip("/")
        folders = (
            self.SERVING_FOLDER,
            self.EVAL_FOLDER,
            self.KERAS_FOLDER,
            self.TFLITE_FOLDER,
            self.ONNX_FOLDER,
            self.WEIGHTS_FOLDER,
        )
        return {name: f"{root}/{name}" for name in folders if location.exists(f"{root}/{name}")}

    @property
    def eval_uri(self) -> str:
        """The SavedModel to evaluate: one exported for evaluation, or else the one for serving."""
        folder = f"{self.uri.rstrip('/')}/{self.EVAL_FOLDER}"
        return folder if location.exists(folder) else self.serving_uri


class ModelRun(Artifact):
    """What training logged: TensorBoard event files."""


class ModelEvaluation(Artifact):
    """Metrics by slice and their validation, in TFMA's files."""


class Blessing(Artifact):
    """A verdict about a model: an empty file whose name says what it is."""

    BLESSED_FILE: ClassVar[str]
    NOT_BLESSED_FILE: ClassVar[str]

    @property
    def blessed(self) -> bool:
        """Whether the model passed: the one file is there, and the other is not."""
        folder = self.uri.rstrip("/")
        return location.exists(f"{folder}/{self.BLESSED_FILE}") and not location.exists(
            f"{folder}/{self.NOT_BLESSED_FILE}"
        )

    def write(self, ok: bool, model: Artifact | None, reasons: Iterable[str], **facts: Any) -> None:
        """Write the verdict: the empty file, and the properties that pages and the Pusher read.

        Args:
            ok: Whether the model passed.
            model: The model; None if the verdict is about none that the store knows.
            reasons: Why it did not pass, a sentence each.
            **facts: Further properties, or other values of those above.

        Example:
            >>> blessing.write(False, model, ["auc 0.61 below 0.7"])
        """
        name = self.BLESSED_FILE if ok else self.NOT_BLESSED_FILE
        location.write_bytes(f"{self.uri.rstrip('/')}/{name}", b"")
        verdict: dict[str, Any] = {
            "blessed": int(ok),
            "current_model": "" if model is None else model.uri,
            "current_model_id": 0 if model is None else model.id or 0,
            "reasons": list(reasons),
        }
        self.custom_properties.update({**verdict, **facts})


class ModelBlessing(Blessing):
    """An empty file `BLESSED` or `NOT_BLESSED`."""

    BLESSED_FILE: ClassVar = "BLESSED"
    NOT_BLESSED_FILE: ClassVar = "NOT_BLESSED"


class InfraBlessing(Blessing):
    """An empty file `INFRA_BLESSED` or `INFRA_NOT_BLESSED`."""

    BLESSED_FILE: ClassVar = "INFRA_BLESSED"
    NOT_BLESSED_FILE: ClassVar = "INFRA_NOT_BLESSED"

    @property
    def warm_model_uri(self) -> str:
        """The model with its warm-up requests, if the InfraValidator was asked for them (`has_model`)."""
        return f"{self.uri.rstrip('/')}/stamped_model"


class ComparisonBlessing(Blessing):
    """An empty file `COMPARISON_BLESSED` or `COMPARISON_NOT_BLESSED`: is the model better than another one?

    It is a type of its own, so that what looks for the latest model that the Evaluator blessed does not
    take it for the Evaluator's verdict.
    """

    BLESSED_FILE: ClassVar = "COMPARISON_BLESSED"
    NOT_BLESSED_FILE: ClassVar = "COMPARISON_NOT_BLESSED"


class PushedModel(Artifact):
    """A copy of the pushed model, with its destination."""

    TYPE_ANNOTATION: ClassVar = "mlmd.Model"


class ModelCard(Artifact):
    """A page about a model, `model_card.html`, and its content as `model_card.json`."""


class InferenceResult(Artifact):
    """PredictionLog records of a batch inference."""


class ExamplesDiff(Artifact):
    """How two sets of examples differ, row by row."""


class DriftReport(Artifact):
    """How far rows have moved from training data: `drift.json`, and `drift.html` for people."""


class Explanation(Artifact):
    """Why a model answers as it does: `explanation.json`, pictures, and `index.html` with all of them."""
