"""Answers of TensorFlow Serving's classify and regress: what a signature must return for them.

Since `tf.saved_model.save` marks every signature as one of predict, a signature also classifies if its
outputs are named as those of a classification, `classes` and `scores`, and regresses if it has the
output `outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from penstock.server.errors import InternalError, InvalidArgumentError
from penstock.server.servables.servable import Servable
from penstock.server.servables.signature import SignatureInfo

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
_CLASSES, _SCORES, _OUTPUTS = "classes", "scores", "outputs"

Arrays = Mapping[str, npt.NDArray[Any]]


class Class(NamedTuple):
    """A class of a row.

    Args:
        label: Its name; "" if the model gives scores only.
        score: Its score; 0 if the model gives names only.
    """

    label: str
    score: float


async def classify(
    servable: Servable, signature: str, examples: Sequence[bytes]
) -> list[list[Class]]:
    """Return the classes of each row.

    Args:
        servable: The version that answers.
        signature: Its signature; `serving_default` if empty.
        examples: Serialized tf.Examples.

    Raises:
        InvalidArgumentError: If the signature does not classify, or there is no example.
        InternalError: If the model returns something else than classes for each row.
        ServingError: As `Servable.predict`.
    """
    described = servable.signature(signature)
    names = set(described.outputs)
    named = bool(names & {_CLASSES, _SCORES}) and names <= {_CLASSES, _SCORES}
    if not named:
        raise InvalidArgumentError(
            f'Expected classification signature outputs to be "{_CLASSES}", "{_SCORES}" or both. The '
            f"signature {described.name!r} of {servable.name!r} has {_quoted(names)}"
            f"{_method(described, CLASSIFY)}"
        )
    outputs = await _ask(servable, described, examples)
    count = len(examples)
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    given = [array for array in (classes, scores) if array is not None]
    for array in given:
        if array.ndim != 2 or array.shape != given[0].shape or len(array) != count:
            raise InternalError(
                "The model returned classes and scores of the shapes "
                f"{' and '.join(str(list(each.shape)) for each in given)}. Expected: [{count}, classes]"
            )
    width = given[0].shape[1]
    labels = [[""] * width] * count if classes is None else classes.tolist()
    values = [[0.0] * width] * count if scores is None else scores.astype(np.float64).tolist()
    return [
        [Class(_text(label), score) for label, score in zip(*row, strict=True)]
        for row in zip(labels, values, strict=True)
    ]


async def regress(servable: Servable, signature: str, examples: Sequence[bytes]) -> list[float]:
    """Return the value of each row.

    Args:
        servable: The version that answers.
        signature: Its signature; `serving_default` if empty.
        examples: Serialized tf.Examples.

    Raises:
        InvalidArgumentError: If the signature does not regress, or there is no example.
        InternalError: If the model returns something else than a value for each row.
        ServingError: As `Servable.predict`.
    """
    described = servable.signature(signature)
    if set(described.outputs) != {_OUTPUTS}:
        raise InvalidArgumentError(
            f'Expected the regression signature output "{_OUTPUTS}". The signature '
            f"{described.name!r} of {servable.name!r} has {_quoted(described.outputs)}"
            f"{_method(described, REGRESS)}"
        )
    values = (await _ask(servable, described, examples))[_OUTPUTS]
    count = len(examples)
    if values.shape not in ((count,), (count, 1)) or values.dtype.kind not in "fV":
        raise InternalError(
            f"The model returned {values.dtype} of the shape {list(values.shape)}. Expected: floats of "
            f"the shape [{count}, 1] or [{count}]"
        )
    result: list[float] = values.astype(np.float64).ravel().tolist()
    return result


async def _ask(
    servable: Servable, signature: SignatureInfo, examples: Sequence[bytes]
) -> dict[str, npt.NDArray[Any]]:
    if not examples:
        raise InvalidArgumentError("Input is empty.")
    return await servable.examples(examples, signature.name)


def _method(signature: SignatureInfo, wanted: str) -> str:
    return (
        ""
        if signature.method_name == wanted
        else f", and the method {signature.method_name!r} instead of {wanted!r}"
    )


def _quoted(names: Sequence[str] | set[str] | Mapping[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names)) or "none"


def _text(label: Any) -> str:
    if isinstance(label, bytes):
        return label.decode(errors="replace")
    return str(label)
