"""`warm_start`: copy the weights of an earlier model into a new one, layer by layer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.spelling import counted, did_you_mean
from penstock.training.initial_weights.weights import (
    NOT_LEARNED,
    StoredLayer,
    StoredWeights,
    local_model,
    read_weights,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WarmStart:
    """What `warm_start` did.

    Args:
        source: Where the weights came from; "" if there was no base model.
        taken: The layers that have the earlier model's weights.
        grown: The layers whose rows were copied by word of a vocabulary: how many of how many.
        changed: The layers that were left as new since a shape differs, and how.
        new: The layers that the earlier model did not have.
        unused: The layers of the earlier model that this one does not have.
    """

    source: str = ""
    taken: tuple[str, ...] = ()
    grown: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as a sentence or a few."""
        if not self.source:
            return "There is no base model: all layers are new."
        parts = [f"{counted(len(self.taken), 'layer')} taken from {self.source}."]
        parts += [f"{name}: {how}." for name, how in self.grown.items()]
        parts += [f"{name} is left as new: {how}." for name, how in self.changed.items()]
        if self.new:
            parts.append(f"New: {', '.join(self.new)}.")
        if self.unused:
            parts.append(f"Not in this model: {', '.join(self.unused)}.")
        return " ".join(parts)


@dataclass(frozen=True)
class _Layer:
    """A layer of the new model: its name, where it lies, and its variables by name."""

    name: str
    path: str
    variables: Mapping[str, Any]


def warm_start(
    model: Any,
    base_model: str | None,
    *,
    vocabularies: Mapping[str, tuple[str | Sequence[str], Sequence[str]]] | None = None,
) -> WarmStart:
    """Give a model the weights of an earlier one, for each layer of the same name and shapes.

    A layer of which any weight has another shape is left as it is, and named in the log and in the
    result. The optimizer starts anew.

    Args:
        model: The model, built; with Keras, on any backend.
        base_model: What to start from: `fn_args.base_model`, any Model artifact's folder, a SavedModel
            (also one of TFX), a `.keras` or `.weights.h5` file, a checkpoint of TensorFlow, or a folder of
            checkpoints of `fit`. None, as on a first run, changes nothing.
        vocabularies: For layers whose rows are words, such as an Embedding, a pair (old, new): the words
            in the earlier model, as a list or as the name of a vocabulary that travels along with it, and
            the words now. Rows are copied by word, and the rows after the words (out-of-vocabulary
            buckets) by position; rows of new words are left as new.

    Returns:
        Which layers were taken, changed, new and unused.

    Raises:
        FileNotFoundError: If there is no model at `base_model`.
        ValueError: If the model is not built, no layer fits, or `vocabularies` names a layer or vocabulary
            that does not exist.

    Example:
        >>> report = warm_start(model, fn_args.base_model)
        >>> report.changed
        {'dense_1': 'kernel (8, 3) -> (8, 4), bias (3,) -> (4,)'}
    """
    if base_model is None:
        _log.info("%s", WarmStart())
        return WarmStart()
    layers = _layers_of(model)
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no weights yet. Build it (call it on a batch, or declare its "
            "inputs) before warm_start."
        )
    with local_model(str(base_model)) as place:
        stored = read_weights(place)
        if place not in str(base_model):  # a copy
            stored = replace(stored, path=str(base_model))
        report = _start(model, layers, stored, dict(vocabularies or {}))
    _log.log(logging.WARNING if report.changed else logging.INFO, "%s", report)
    return report


def _start(
    model: Any,
    layers: Sequence[_Layer],
    stored: StoredWeights,
    words: Mapping[str, tuple[str | Sequence[str], Sequence[str]]],
) -> WarmStart:
    """Copy what fits, and return what was done."""
    pairs = _paired(layers, stored)
    if unknown := [name for name in words if name not in {each.name for each in layers}]:
        known = [each.name for each in layers]
        raise ValueError(
            f"vocabularies names the layer {unknown[0]!r}.{did_you_mean(unknown[0], known)}"
        )
    taken: list[str] = []
    grown: dict[str, str] = {}
    changed: dict[str, str] = {}
    for layer, earlier in pairs:
        if layer.name in words:
            grown[layer.name] = _copy_by_word(layer, earlier, stored, *words[layer.name])
        elif differences := _differences(layer, earlier):
            changed[layer.name] = differences
        else:
            _copy(layer, earlier)
            taken.append(layer.name)
    paired = {layer.path for layer, _ in pairs}
    used = {earlier.name for _, earlier in pairs}
    report = WarmStart(
        stored.path,
        tuple(taken),
        grown,
        changed,
        tuple(layer.name for layer in layers if layer.path not in paired),
        tuple(name for name in stored.layers if name not in used and name),
    )
    if not taken and not grown:
        raise ValueError(
            f"No layer of {type(model).__name__} fits the model at {stored.path}. "
            f"Here: {_described({each.name: each.variables for each in layers})}. "
            f"There: {_described({name: each.weights for name, each in stored.layers.items()})}"
        )
    return report


def _layers_of(model: Any) -> list[_Layer]:
    """Return the layers that have weights of their own."""
    found: dict[str, dict[str, Any]] = {}
    for variable in model.variables:
        path = str(getattr(variable, "path", "") or variable.name).removesuffix(":0")
        if NOT_LEARNED not in path:
            layer, _, name = path.rpartition("/")
            found.setdefault(layer, {})[name] = variable
    return [_Layer(path.rpartition("/")[2], path, each) for path, each in found.items()]


def _paired(layers: Sequence[_Layer], stored: StoredWeights) -> list[tuple[_Layer, StoredLayer]]:
    """Return each layer with the earlier one of the same place, or else of the same name alone."""
    by_name: dict[str, list[StoredLayer]] = {}
    for each in stored.layers.values():
        by_name.setdefault(each.name.rpartition("/")[2], []).append(each)
    times = [layer.name for layer in layers]
    pairs = []
    for layer in layers:
        earlier = stored.layers.get(layer.path)
        named = by_name.get(layer.name, [])
        if earlier is None and len(named) == 1 and times.count(layer.name) == 1:
            (earlier,) = named
        if earlier is not None:
            pairs.append((layer, earlier))
    return pairs


def _matched(layer: _Layer, earlier: StoredLayer) -> dict[str, Any]:
    """Return the earlier value of each weight by its name here; None where there is none."""
    if all(name.isdecimal() for name in earlier.weights):
        values = [earlier.weights[name] for name in sorted(earlier.weights, key=int)]
        names = list(layer.variables)
        return dict(zip(names, [*values, *[None] * len(names)], strict=False))
    return {name: earlier.weights.get(name) for name in layer.variables}


def _differences(layer: _Layer, earlier: StoredLayer) -> str:
    """Return which weights have another shape, or are missing on one side; "" if none."""
    found = []
    for name, value in _matched(layer, earlier).items():
        now = tuple(int(size) for size in layer.variables[name].shape)
        if value is None:
            found.append(f"{name} {now} is new")
        elif tuple(value.shape) != now:
            found.append(f"{name} {tuple(value.shape)} -> {now}")
    if len(earlier.weights) > len(layer.variables):
        found.append(f"it had {counted(len(earlier.weights), 'weight')}")
    return ", ".join(found)


def _copy(layer: _Layer, earlier: StoredLayer) -> None:
    for name, value in _matched(layer, earlier).items():
        layer.variables[name].assign(value)


def _copy_by_word(
    layer: _Layer,
    earlier: StoredLayer,
    stored: StoredWeights,
    old: str | Sequence[str],
    new: Sequence[str],
) -> str:
    """Copy the rows of the words that both vocabularies have."""
    import numpy as np

    if isinstance(old, str):
        from penstock.serving.labels import read_labels

        old = read_labels(stored.labels_path or stored.path).vocabulary(old)
    (name, value), *others = _matched(layer, earlier).items()
    variable = layer.variables[name]
    shape = tuple(int(size) for size in variable.shape)
    if others or value is None or tuple(value.shape[1:]) != shape[1:]:
        raise ValueError(
            f"The layer {layer.name!r} has no rows of words: one weight of [words, ...] was expected. "
            f"Received: {_described({layer.name: layer.variables})}, earlier "
            f"{_described({earlier.name: earlier.weights})}"
        )
    if len(value) < len(old) or shape[0] < len(new):
        raise ValueError(
            f"The layer {layer.name!r} has {shape[0]} rows for {counted(len(new), 'word')}, and had "
            f"{len(value)} for {len(old)}: a row for each word was expected."
        )
    rows = np.array(variable.numpy())
    places = {word: place for place, word in enumerate(old)}
    known = [(place, places[word]) for place, word in enumerate(new) if word in places]
    rest = min(len(value) - len(old), shape[0] - len(new))
    known_rows = [*known, *((len(new) + i, len(old) + i) for i in range(rest))]
    for here, there in known_rows:
        rows[here] = value[there]
    variable.assign(rows)
    return f"the rows of {len(known)} of {counted(len(new), 'word')} taken"


def _described(layers: Mapping[str, Mapping[str, Any]]) -> str:
    texts = [
        f"{name or '(none)'} ({', '.join(f'{key} {tuple(each.shape)}' for key, each in values.items())})"
        for name, values in list(layers.items())[:10]
    ]
    return ", ".join(texts) or "no weights"
