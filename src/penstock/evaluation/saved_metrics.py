"""The metrics and the loss that a Keras model was compiled with, as its `.keras` file keeps them.

They are read without Keras. The format is Keras 3's: `compile_config` in the file's `config.json`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.evaluation.config import EvalConfig, MetricsSpec
from penstock.evaluation.metrics.catalog import CATALOG, snake_case
from penstock.evaluation.models.forms import keras_file
from penstock.spelling import nearest

_SHORT = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "bce": "BinaryCrossentropy",
    "kld": "KLDivergence",
    "logcosh": "LogCosh",
    "auc": "AUC",
}
_BY_LOSS = {
    "accuracy": "Accuracy",
    "acc": "Accuracy",
    "crossentropy": "Crossentropy",
    "ce": "Crossentropy",
}
_NAMES = {snake_case(name): name for name in CATALOG if "." not in name} | _SHORT


def with_saved_metrics(config: Any, folders: Mapping[str, str]) -> Any:
    """Return a resolved EvalConfig with the metrics that its models were compiled with, if it wants them.

    The loss is named `loss`. It and the weighted metrics are weighted where the ModelSpec has weights.

    Args:
        config: The `EvalConfig`.
        folders: The models' folders by the names of their ModelSpecs.

    Raises:
        ValueError: If a model was saved without metrics, or with one that is not computed.
    """
    if not config.options.include_default_metrics.value:
        return config
    found = EvalConfig()
    found.CopyFrom(config)
    for model in config.model_specs:
        for spec in _specs(folders[model.name]):
            spec.model_names.append(model.name)
            has_weights = bool(model.example_weight_key)
            if not has_weights or not spec.example_weights.weighted:
                spec.ClearField("example_weights")
                spec.example_weights.unweighted = True
            found.metrics_specs.append(spec)
    return found


def _specs(path: str) -> Iterator[Any]:
    try:
        file = keras_file(path)
    except FileNotFoundError as error:
        raise ValueError(
            f"options.include_default_metrics: only a .keras file keeps the metrics that a model was "
            f"compiled with. {error}"
        ) from None
    with zipfile.ZipFile(file) as archive:
        compiled = json.loads(archive.read("config.json")).get("compile_config") or {}
    loss = compiled.get("loss")
    weighted = [("loss", loss), *(("", each) for each in _list(file, compiled, "weighted_metrics"))]
    plain = [("", each) for each in _list(file, compiled, "metrics")]
    for entries, is_weighted in ((weighted, True), (plain, False)):
        spec = MetricsSpec()
        for name, entry in entries:
            if entry is not None:
                _add(spec, entry, name, _name_of(loss), file)
        spec.example_weights.weighted = is_weighted
        if spec.metrics:
            yield spec
    if loss is None and not plain and len(weighted) == 1:
        raise ValueError(
            f"options.include_default_metrics: the model in {file} was saved without a loss and metrics. "
            "Compile it before it is saved, or name metrics in metrics_specs."
        )


def _list(file: str, compiled: Mapping[str, Any], field: str) -> list[Any]:
    entries = compiled.get(field) or []
    if not isinstance(entries, list) or any(isinstance(each, list) for each in entries):
        raise ValueError(
            f"options.include_default_metrics: the model in {file} has {field} by output. Name them in "
            "metrics_specs, with output_names."
        )
    return entries


def _name_of(entry: Any) -> str:
    """Return a saved metric's or loss's name in snake case."""
    if isinstance(entry, Mapping):
        config = entry.get("config")
        return snake_case(str(config if isinstance(config, str) else entry.get("class_name", "")))
    return snake_case(entry) if isinstance(entry, str) else ""


def _add(spec: Any, entry: Any, name: str, loss: str, file: str) -> None:
    """Add a saved metric or loss to a MetricsSpec."""
    if isinstance(entry, Mapping) and isinstance(entry.get("config"), Mapping):
        arguments = {key: value for key, value in entry["config"].items() if value is not None}
        arguments |= {"name": name} if name else {}
        module = str(entry.get("module") or "")
        spec.metrics.add(
            class_name=entry["class_name"], module=module, config=json.dumps(arguments)
        )
        return
    short = _name_of(entry)
    if not short or isinstance(entry, list):
        raise ValueError(
            f"options.include_default_metrics: the model in {file} has losses by output. Name metrics in "
            "metrics_specs, with output_names."
        )
    class_name = _class_of(short, loss)
    if class_name not in CATALOG:
        raise ValueError(
            f"options.include_default_metrics: the model in {file} was compiled with {short!r}, which is "
            f"no metric here.{nearest(short, _NAMES)} Name metrics in metrics_specs."
        )
    module = "keras.losses" if name else "keras.metrics"
    config = json.dumps({"name": name or short})
    spec.metrics.add(class_name=class_name, module=module, config=config)


def _class_of(short: str, loss: str) -> str:
    """Return the class of a metric by its name; an accuracy is that of the loss's labels."""
    if short not in _BY_LOSS:
        return _NAMES.get(short, "")
    kinds = ("sparse_categorical", "categorical")
    kind = next((each for each in kinds if loss.startswith(each)), "binary")
    return "".join(map(str.capitalize, kind.split("_"))) + _BY_LOSS[short]
