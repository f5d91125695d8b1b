"""Pushing by a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.pushing.answers import check_answers
from penstock.pushing.object_store import timestamp_or_next
from penstock.serving.forms import form_of


@dataclass(frozen=True)
class PushArgs:
    """What a user's `push_fn` gets.

    Args:
        model_dir: The folder on this machine to push, a SavedModel or another form. It is read only.
        model_name: The model's name.
        version: A version: the time in seconds since 1970.
        form: "SavedModel", "scikit-learn estimator", "ONNX file" or "Keras file".
        lineage: Where the model comes from: plain values by name, such as `metrics` and `run`.
        custom_config: The Pusher's `custom_config`.
    """

    model_dir: str
    model_name: str
    version: int
    form: str
    lineage: Mapping[str, Any] = field(default_factory=dict, repr=False)
    custom_config: Mapping[str, Any] = field(default_factory=dict)


def push_by(
    push_fn: Callable[[PushArgs], Any],
    model_dir: str,
    *,
    model_name: str,
    lineage: Mapping[str, Any],
    custom_config: Mapping[str, Any],
    answers_within: float | None,
) -> tuple[PushArgs, str]:
    """Check a model, hand it to the user's function, and return what was given and where it lies now.

    Raises:
        ModelError: If the model is incomplete, or does not load or answer.
        TypeError: If the function does not say where the model lies.
    """
    form, _ = form_of(model_dir)
    if answers_within is not None:
        check_answers(model_dir, seconds=answers_within)
    version = timestamp_or_next("timestamp")(0)
    arguments = PushArgs(model_dir, model_name, version, form, lineage, custom_config)
    place = push_fn(arguments)
    if not isinstance(place, str) or not place:
        raise TypeError(
            "A push_fn returns where the model lies now, such as a URL, as a string. Received: "
            f"{place!r}"
        )
    return arguments, place
