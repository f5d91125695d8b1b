"""The models of an evaluation: their predictions, and where labels, weights and slices come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.examples import ExampleBatch
from penstock.evaluation.inputs import MetricInputs, labels_to_ids, select_prediction
from penstock.evaluation.kernels.sums import View
from penstock.evaluation.models.column_model import ColumnModel
from penstock.evaluation.models.forms import model_of
from penstock.evaluation.models.signature_model import DEFAULT_SIGNATURE
from penstock.evaluation.slices.slicing import Slicer
from penstock.serving.labels import ModelLabels, read_labels
from penstock.spelling import nearest

Array = npt.NDArray[Any]

TRANSFORM_SIGNATURE = "transform_features"


class EvaluatedModel:
    """A model with its ModelSpec."""

    def __init__(self, spec: Any, path: str) -> None:
        self.spec = spec
        self.model = model_of(spec, path)
        self.signature = spec.signature_name or DEFAULT_SIGNATURE
        wanted = [self.signature, *spec.preprocessing_function_names]
        for name in wanted:
            if name not in self.model.signatures:
                raise ValueError(
                    f"The model at {self.model.path} has no signature {name!r}, which its ModelSpec names."
                    f"{nearest(name, self.model.signatures)} "
                    f"Signatures: {', '.join(self.model.signatures) or 'none'}"
                )
        self._class_names: dict[str, Sequence[str]] = {}
        self.needed: set[str] = set(self.features)
        """The features that are needed of the batches, raw ones or transformed ones."""

    @property
    def replaced_features(self) -> set[str]:
        """The features that the ModelSpec's own functions return, in place of raw ones of the name."""
        names = self.spec.preprocessing_function_names
        return {output for name in names for output in self.model.output_names(name)}

    @property
    def transformed_features(self) -> list[str]:
        """What the model's transform signatures return."""
        names = list(self.spec.preprocessing_function_names)
        if not names and TRANSFORM_SIGNATURE in self.model.signatures:
            names = [TRANSFORM_SIGNATURE]
        return [output for name in names for output in self.model.output_names(name)]

    @property
    def in_threads(self) -> bool:
        """Whether several threads may ask the model at once, and gain by it."""
        return bool(self.model.IN_THREADS)

    @property
    def uses_tensorflow(self) -> bool:
        """Whether the model is TensorFlow's."""
        return bool(self.model.USES_TENSORFLOW)

    @property
    def features(self) -> list[str]:
        """The features that labels, weights and perhaps predictions are taken from."""
        spec = self.spec
        names = [spec.label_key, spec.example_weight_key]
        names += [*spec.label_keys.values(), *spec.example_weight_keys.values()]
        if isinstance(self.model, ColumnModel):
            names += self.model.features
        return [name for name in names if name]

    def prediction_key(self, output_name: str) -> str:
        """Return what the ModelSpec calls the prediction of an output; empty if it does not say."""
        spec = self.spec
        named = spec.prediction_keys.get(output_name) or output_name or spec.prediction_key
        return str(named)

    def class_names(self, label_key: str) -> Sequence[str]:
        """Return the classes' names that the SavedModel carries, or the label's vocabulary, or nothing."""
        if label_key not in self._class_names:
            carried = read_labels(self.model.path) if self.model.path else ModelLabels("")
            found: Sequence[str] = carried.class_names
            if not found and label_key in carried.vocabularies:
                found = carried.vocabulary(label_key)
            self._class_names[label_key] = found
        return self._class_names[label_key]

    def predict(self, batch: ExampleBatch) -> dict[str, Array]:
        """Return the signature's outputs for a batch."""
        if isinstance(self.model, ColumnModel):
            return self.model.of_batch(batch)
        outputs: dict[str, Array] = self.model.call(
            self.signature, batch.serialized, batch.first_row
        )
        return outputs

    def transforms(
        self, raw_features: Iterable[str], wanted: Iterable[str] | None = None
    ) -> list[str]:
        """Return the signatures that transformed features come from.

        They are the functions that the ModelSpec names, and else the signature `transform_features` where a
        wanted feature is not among the raw ones.

        Args:
            raw_features: The features that the examples have.
            wanted: The features that are wanted; by default all that the model needs.
        """
        names = list(self.spec.preprocessing_function_names)
        if not names and set(self.needed if wanted is None else wanted) - set(raw_features):
            names = [name for name in (TRANSFORM_SIGNATURE,) if name in self.model.signatures]
        return names

    def with_features(self, batch: ExampleBatch, wanted: Iterable[str]) -> ExampleBatch:
        """Add the model's transformed features, see `transforms`."""
        names = self.transforms(batch.columns.schema.names, wanted)
        if not names:
            return batch
        made = batch.transformed.get(self.spec.name)
        if made is None:
            made = {}
            for name in names:
                only = self.needed
                made.update(self.model.call(name, batch.serialized, batch.first_row, only=only))
            batch.transformed[self.spec.name] = made
        return batch.with_features(made)


def load_models(config: Any, folders: Mapping[str, str]) -> list[EvaluatedModel]:
    """Load the models of a resolved EvalConfig.

    Args:
        config: The resolved EvalConfig.
        folders: The models' folders by the names of the ModelSpecs; empty where the predictions are columns
            of the examples.

    Raises:
        ValueError: If a signature that a ModelSpec names does not exist.
    """
    return [EvaluatedModel(spec, folders[spec.name]) for spec in config.model_specs]


def check_features(
    slicer: Slicer, models: Sequence[EvaluatedModel], raw_features: Sequence[str]
) -> None:
    """Raise a `ValueError` when a slice, label or weight is taken from a feature that does not exist.

    Args:
        slicer: The slices.
        models: The models; what their transform signatures return counts as features too.
        raw_features: The raw examples' features.
    """
    available = {*raw_features, *(name for model in models for name in model.transformed_features)}
    slicer.check_features(sorted(available))
    for model in models:
        for name in model.features:
            if name not in available:
                raise ValueError(
                    f"The ModelSpec names {name!r}, which is not a feature of the examples."
                    f"{nearest(name, available)} Features: {', '.join(sorted(available))}"
                )


class BatchInputs:
    """The metric inputs of a batch by model and output, made when a kernel asks for them."""

    def __init__(
        self,
        models: Sequence[EvaluatedModel],
        batch: ExampleBatch,
        outputs: dict[str, dict[str, Array]],
    ) -> None:
        self._models = {m.spec.name: m for m in models}
        self.batch = batch
        self._outputs = outputs
        self._made: dict[tuple[str, str, bool, bool], MetricInputs] = {}

    def with_features(self, wanted: Iterable[str]) -> ExampleBatch:
        """Return the batch with the first model's transformed features, where wanted ones are of them."""
        return next(iter(self._models.values())).with_features(self.batch, wanted)

    def get(self, view: View) -> MetricInputs:
        """Return what a kernel with this view sees."""
        name = (view.model_name, view.output_name, view.raw, view.rows_only)
        if name not in self._made:
            self._made[name] = self._make(*name)
        return self._made[name]

    def feature(self, name: str) -> Array:
        """Return a feature as an object array `[rows]` of one array a row."""
        model = next(iter(self._models.values()))
        return model.with_features(self.batch, [name]).lists(name, "feature")

    def outputs(self, model_name: str) -> dict[str, Array]:
        """Return everything that a model's signature returned, by name."""
        return self._outputs[model_name]

    def of_model(self, model_name: str, output_name: str) -> MetricInputs:
        """Return a model's labels, predictions and weights."""
        return self.get(View(model_name, output_name))

    def _make(self, model_name: str, output_name: str, raw: bool, rows_only: bool) -> MetricInputs:
        model = self._models[model_name]
        spec, outputs = model.spec, self._outputs[model_name]
        label_key = spec.label_keys.get(output_name, "") or spec.label_key
        weight_key = spec.example_weight_keys.get(output_name, "") or spec.example_weight_key
        batch = model.with_features(self.batch, [k for k in (label_key, weight_key) if k])
        weights = batch.weights(weight_key) if weight_key else None
        rows = np.zeros(len(batch.serialized))
        if rows_only:
            return MetricInputs(rows, rows, weights, self)
        if raw:
            lists = batch.lists(label_key, "label") if label_key else rows
            name = model.prediction_key(output_name)
            return MetricInputs(lists, _prediction_or(rows, outputs, name), weights, self)
        predictions = select_prediction(outputs, model.prediction_key(output_name))
        if predictions.ndim == 0 or len(predictions) != len(batch.serialized):
            raise ValueError(
                f"The model at {model.model.path} returned predictions of the shape "
                f"{list(predictions.shape)} for {len(batch.serialized)} examples. Expected one row an "
                "example."
            )
        if label_key:
            names = model.class_names(label_key)
            labels = labels_to_ids(batch.dense(label_key, "label"), outputs, names)
        else:
            # Only metrics that need no labels are planned then.
            labels = np.zeros(predictions.shape)
        return MetricInputs(labels, predictions, weights, self)


def _prediction_or(default: Array, outputs: dict[str, Array], prediction_key: str) -> Array:
    """Return the predictions, or a default where several outputs leave open which they are."""
    try:
        return select_prediction(outputs, prediction_key)
    except ValueError:
        if prediction_key:
            raise
        return default
