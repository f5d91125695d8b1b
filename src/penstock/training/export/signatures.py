"""The functions of an exported model: from serialized tf.Examples, and from tensors by name."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from penstock.training.export.forms import ExportError
from penstock.training.transform_graph import declared_inputs

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.training.transform_graph import AppliedTransformGraph

SERVING_SIGNATURE = "serving_default"
TENSORS_SIGNATURE = "serving_tensors"
TRANSFORM_SIGNATURE = "transform_features"
EVALUATION_SIGNATURE = "evaluation"
INPUT_NAME = "examples"
OUTPUT_NAME = "outputs"

_ARGUMENT = re.compile("[A-Za-z][A-Za-z0-9_]*")
_log = logging.getLogger(__name__)

# What stands for no value in a padded row; TensorFlow has none for integers.
_PADDING = {"string": "", "int": -(2**63)}


class ModelFunctions:
    """What a model computes from raw features, as functions to trace.

    Args:
        model: A Keras model, or anything that is called with a dict of features.
        graph: The transform graph; None if the model takes raw features.
        schema: The raw examples' schema.
        labels: The raw features that are absent when the model serves.
        postprocess: Returns the outputs to serve from the model's.

    Raises:
        ValueError: If a label is not a raw feature, or an input of the model is no feature.
    """

    def __init__(
        self,
        model: Any,
        graph: AppliedTransformGraph | None,
        schema: schema_pb2.Schema,
        labels: Iterable[str],
        postprocess: Callable[[Any], Mapping[str, Any]] | None,
    ) -> None:
        import tensorflow as tf

        from penstock.training.parsing import feature_spec

        labels = set(labels)
        names = {feature.name for feature in schema.feature}
        if unknown := labels - names:
            raise ValueError(
                f"label_key={min(unknown)!r} is not a raw feature. "
                f"Features: {', '.join(sorted(names))}"
            )
        self.graph = graph
        self._model = model
        self._full_spec = feature_spec(schema)
        used = graph.inputs_for(model) if graph is not None else set(self._full_spec)
        self._spec = {name: spec for name, spec in self._full_spec.items() if name in used - labels}
        # AutoGraph stays off: it would convert TensorFlow Transform's sources too, which takes 1.5 s.
        self._outputs = tf.function(self._compute, autograph=False)
        self._traced: Mapping[str, Any] | None = None
        self._named = tf.function(postprocess) if postprocess is not None else named_outputs

    def signatures(self) -> dict[str, Any]:
        """Return the concrete function of each signature."""
        import tensorflow as tf

        examples = [tf.TensorSpec([None], tf.string, name=INPUT_NAME)]
        functions: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
            SERVING_SIGNATURE: (self._serve, examples),
            EVALUATION_SIGNATURE: (self._evaluate, examples),
        }
        if self.graph is not None:
            functions[TRANSFORM_SIGNATURE] = (self._transform, examples)
        tensors = {name: _tensor_spec(name, spec) for name, spec in self._spec.items()}
        if unusable := sorted(name for name in tensors if not is_argument_name(name, tensors)):
            _log.info(
                "The model has no signature %s: TensorFlow's signatures have no argument called %r",
                TENSORS_SIGNATURE,
                unusable[0],
            )
        elif all(spec is not None for spec in tensors.values()):
            functions[TENSORS_SIGNATURE] = (self._serve_tensors, [tensors])
        return {
            name: tf.function(function, specs, autograph=False).get_concrete_function()
            for name, (function, specs) in functions.items()
        }

    def check_class_names(self, class_names: Sequence[str]) -> None:
        """Check that the names are as many as the scores of the model's one output.

        One score, of two classes, may have two names.

        Raises:
            ExportError: If they are not.
        """
        if not class_names or self._traced is None:
            return
        outputs = [each for each in self._traced.values() if each.dtype.is_floating]
        sizes = {each.shape[-1] for each in outputs if each.shape.rank and each.shape.rank > 1}
        fitting = {len(class_names), 1 if len(class_names) == 2 else len(class_names), None}
        if sizes and not sizes & fitting:
            raise ExportError(
                f"class_names has {len(class_names)} names, but the model gives "
                f"{' or '.join(map(str, sorted(sizes)))} scores. Received: {list(class_names)[:10]}"
            )

    def state(self) -> list[Any]:
        """Return the variables and tables that the functions need."""
        return model_state(self._model)

    def own_function(self) -> Any:
        """Return the `tf.function` of what the model itself computes, from a dict of its inputs.

        Raises:
            ValueError: If an input is not a dense tensor, or its name cannot be an argument's.
        """
        import tensorflow as tf

        inputs = self._own_inputs()
        if strange := [name for name in inputs if not is_argument_name(name, inputs)]:
            raise ValueError(
                f"the name of its input {strange[0]!r} cannot be an argument's name. Name it with letters, "
                "digits and underscores alone."
            )
        specs = {
            name: tf.TensorSpec([None, *shape[1:]], dtype, name=name)
            for name, (shape, dtype) in inputs.items()
        }

        def compute(tensors: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
            return dict(named_outputs(self._outputs(tensors)))

        return tf.function(compute, [specs], autograph=False)

    def _own_inputs(self) -> dict[str, tuple[Any, Any]]:
        """Return the shape and the type of each of the model's inputs."""
        import tensorflow as tf

        declared = declared_inputs(self._model)
        if isinstance(declared, Mapping):
            return {name: (tuple(each.shape), each.dtype) for name, each in declared.items()}
        if declared is not None:
            listed = declared if isinstance(declared, list | tuple) else [declared]
            return {each.name: (tuple(each.shape), each.dtype) for each in listed}
        if self.graph is not None:
            specs = self.graph.output_specs(self._spec)
        else:
            specs = {name: _tensor_spec(name, spec) for name, spec in self._spec.items()}
            varying = [
                name for name, spec in self._spec.items() if not hasattr(spec, "default_value")
            ]
            specs |= dict.fromkeys(varying)
        for name, spec in specs.items():
            if not isinstance(spec, tf.TensorSpec):
                raise ValueError(
                    f"its input {name!r} is not a dense tensor. Declare the inputs of the model "
                    "(keras.Input), or give the feature a shape."
                )
        return {name: (tuple(spec.shape), spec.dtype) for name, spec in specs.items()}

    def _compute(self, features: Mapping[str, Any]) -> Any:
        inputs = model_inputs(self._model, features)
        if not _is_of_keras(self._model):
            return self._model(inputs)
        # Without the argument, a layer of augmentation would take itself, and all after it, to be trained.
        return self._model(inputs, training=False)

    def _features(self, examples: tf.Tensor) -> Mapping[str, Any]:
        import tensorflow as tf

        features = tf.io.parse_example(examples, self._spec)
        return features if self.graph is None else self.graph.apply(features)

    def _serve(self, examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return dict(self._named(self._outputs(self._features(examples))))

    def _evaluate(self, examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
        self._traced = dict(named_outputs(self._outputs(self._features(examples))))
        return self._traced

    def _transform(self, examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
        import tensorflow as tf

        assert self.graph is not None
        return self.graph.apply(tf.io.parse_example(examples, self._full_spec))

    def _serve_tensors(self, tensors: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        features: Mapping[str, Any] = {
            name: _parsed(tensors[name], spec) for name, spec in self._spec.items()
        }
        if self.graph is not None:
            features = self.graph.apply(features)
        return dict(self._named(self._outputs(features)))


def _is_of_keras(model: Any) -> bool:
    """Return whether a model is one of Keras 3 or 2, whose call takes `training`."""
    return any(
        each.__name__ == "Model" and each.__module__.partition(".")[0] in ("keras", "tf_keras")
        for each in type(model).__mro__
    )


def is_argument_name(name: str, names: Iterable[str]) -> bool:
    """Return whether TensorFlow takes a name as that of a signature's argument, among these names."""
    same = [each for each in names if each.casefold() == name.casefold()]
    reserved = iskeyword(name) or name == "self"  # a method of TensorFlow takes them as keywords
    return bool(_ARGUMENT.fullmatch(name)) and not reserved and len(same) == 1


def model_state(model: Any) -> list[Any]:
    """Return a model's variables, and the lookup tables of its layers.

    Saving a Keras model itself would save a function for each of its layers, which makes loading slow.
    """
    import tensorflow as tf

    lookup = tf.lookup
    tables = (
        lookup.StaticHashTable,
        lookup.StaticVocabularyTable,
        lookup.experimental.MutableHashTable,
        lookup.experimental.DenseHashTable,
    )
    if isinstance(model, tf.Module) and not hasattr(model, "_flatten_layers"):
        return [model]
    state = [
        each if isinstance(each, tf.Variable) else getattr(each, "value", each)
        for each in model.variables
    ]
    for layer in model._flatten_layers() if hasattr(model, "_flatten_layers") else ():
        state += [value for value in vars(layer).values() if isinstance(value, tables)]
    return state


def named_outputs(outputs: Any) -> Mapping[str, Any]:
    """Return a model's outputs by name: one tensor is `outputs`, several are `outputs_0` and so on."""
    if isinstance(outputs, Mapping):
        return outputs
    if isinstance(outputs, list | tuple):
        return {f"{OUTPUT_NAME}_{i}": value for i, value in enumerate(outputs)}
    return {OUTPUT_NAME: outputs}


def model_inputs(model: Any, features: Mapping[str, Any]) -> Any:
    """Return features in the structure that a model takes: a dict, or its inputs in their order.

    Raises:
        ValueError: If an input is not among the features.
    """
    wanted = declared_inputs(model)
    if wanted is None:
        return features
    if isinstance(wanted, Mapping):
        _check_inputs(list(wanted), features)
        return {name: features[name] for name in wanted}
    if isinstance(wanted, list | tuple):
        names = [each.name for each in wanted]
        _check_inputs(names, features)
        return [features[name] for name in names]
    if wanted.name not in features and len(features) == 1:
        return next(iter(features.values()))
    _check_inputs([wanted.name], features)
    return features[wanted.name]


def input_names(model: Any) -> list[str]:
    """Return the names of a model's declared inputs.

    Raises:
        ValueError: If it declares none.
    """
    declared = declared_inputs(model)
    if declared is None:
        raise ValueError(
            f"{type(model).__name__} does not declare its inputs, so representative_data cannot be kept "
            "for it. Build the model from keras.Input."
        )
    if isinstance(declared, Mapping):
        return list(declared)
    listed = declared if isinstance(declared, list | tuple) else [declared]
    return [each.name for each in listed]


def _check_inputs(names: Iterable[str], features: Mapping[str, Any]) -> None:
    for name in names:
        if name not in features:
            raise ValueError(
                f"The model's input {name!r} is not a feature that follows from what it is served. "
                f"Features: {', '.join(sorted(features)) or 'none'}. Name inputs as the features, or "
                "leave the feature out of label_key."
            )


def _tensor_spec(name: str, spec: Any) -> tf.TensorSpec | None:
    """Return the dense tensor for a feature; None for nested and sparse ones, which have none."""
    import tensorflow as tf

    if isinstance(spec, tf.io.FixedLenFeature):
        return tf.TensorSpec([None, *spec.shape], spec.dtype, name=name)
    plain_ragged = isinstance(spec, tf.io.RaggedFeature) and not spec.partitions
    if isinstance(spec, tf.io.VarLenFeature) or plain_ragged:
        return tf.TensorSpec([None, None], spec.dtype, name=name)
    return None


def _parsed(values: tf.Tensor, spec: Any) -> Any:
    """Return a dense tensor as parsing gives the feature: without what pads the rows."""
    import tensorflow as tf

    if isinstance(spec, tf.io.FixedLenFeature):
        return values
    if values.dtype.is_floating:
        present = tf.logical_not(tf.math.is_nan(values))
    else:
        padding = _PADDING["string" if values.dtype == tf.string else "int"]
        present = values != tf.constant(padding, values.dtype)
    ragged = tf.ragged.boolean_mask(values, present)
    return ragged if isinstance(spec, tf.io.RaggedFeature) else ragged.to_sparse()
