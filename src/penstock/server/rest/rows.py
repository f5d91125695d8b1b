"""Rows of raw features, asked and answered as plain JSON: `POST /v1/models/NAME:rows`.

    {"rows": [{"miles": 2.5, "company": "Blue"}]}
    {"model": "taxi", "version": 7, "rows": [{"probabilities": {"no": 0.1, "yes": 0.9}, "tip": "yes"}]}

Values are converted as in ingestion, and null is a missing value, as in `ServedModel.predict`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.server.errors import InvalidArgumentError
from penstock.server.rest.json_tensors import is_bytes, read_json, shown, to_array, to_bytes
from penstock.server.rest.predict import signature_name, to_rows
from penstock.server.servables.servable import Servable
from penstock.server.servables.signature import SignatureInfo
from penstock.serving.row_arguments import RowArguments
from penstock.serving.rows import rows_of

_MANY_VALUES = 2_000
"""Values above which rows are converted in a thread: they take more than a millisecond."""
_AT_ONCE = 4096
_MOST_CELLS = 20_000_000

Arrays = dict[str, npt.NDArray[Any]]


async def predict_rows(servable: Servable, body: bytes) -> dict[str, Any]:
    """Answer a request of rows.

    Args:
        servable: The version that answers.
        body: The request: `{"rows": [...]}`, a list of rows, or one row; `"signature_name"` beside
            "rows" chooses a signature.

    Returns:
        The model, its version, and an object for each row, for `write_json`.

    Raises:
        ServingError: If the request is wrong, or the model fails.
    """
    rows, name = _rows(read_json(body))
    signature = servable.signature(name)
    many = len(rows) * max(1, len(rows[0])) > _MANY_VALUES if rows else False
    parts = (
        await asyncio.to_thread(arguments, signature, rows) if many else arguments(signature, rows)
    )
    outputs = [await servable.predict(signature.name, part) for part in parts]
    answers = (
        await asyncio.to_thread(_answers, servable, outputs)
        if many
        else _answers(servable, outputs)
    )
    return {"model": servable.name, "version": servable.version, "rows": answers[: len(rows)]}


def arguments(signature: SignatureInfo, rows: Sequence[Mapping[str, Any]]) -> list[Arrays]:
    """Return rows as inputs of a signature, some thousand at a time.

    Raises:
        InvalidArgumentError: If a feature that the model needs is missing, or a value has another type
            or size; the message names the row and the feature.
    """
    plain = _read_values(signature, rows)
    try:
        if signature.of_rows is not None:
            return list(RowArguments(signature.of_rows).of(rows_of(plain), _AT_ONCE))
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidArgumentError(str(error)) from error
    if not plain:
        return []
    return [
        {
            name: to_array(name, [row.get(name) for row in rows], tensor)
            for name, tensor in signature.inputs.items()
        }
    ]


def _read_values(
    signature: SignatureInfo, rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the values that the model reads.

    Raises:
        InvalidArgumentError: If nothing says what it reads, and the rows have far more names than values:
            as columns they would not fit into memory.
    """
    read = None if signature.of_rows is None else signature.of_rows.features
    if read is None:
        names: set[str] = set().union(*rows)
        if len(names) * len(rows) > _MOST_CELLS:
            raise InvalidArgumentError(
                f"The {len(rows):,} rows have {len(names):,} names together. Send fewer rows at once."
            )
    # A name that differs in its case only is named in the error.
    similar = {name.casefold() for name in read or ()}
    return [
        {
            name: to_bytes(value) if is_bytes(value) else value
            for name, value in row.items()
            if read is None or name in read or name.casefold() in similar
        }
        for row in rows
    ]


def _rows(content: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of a request, and its signature."""
    name = ""
    rows = content
    if isinstance(content, dict):
        rows = [content]
        if isinstance(content.get("rows"), list):
            rows = content["rows"]
            name = signature_name(content)
            if unknown := sorted(set(content) - {"rows", "signature_name"}):
                raise InvalidArgumentError(
                    f'A request has "rows" and "signature_name". Received: {unknown[0]!r}'
                )
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidArgumentError(
            f'Expected {{"rows": [{{"feature": value, ...}}, ...]}}. Received: {shown(content)}'
        )
    return rows, name


def _answers(servable: Servable, outputs: Sequence[Arrays]) -> list[Any]:
    names = servable.labels.class_names
    answers: list[Any] = []
    for part in outputs:
        named = {
            name: _by_class(array, names) if _scores_classes(array, names) else None
            for name, array in part.items()
        }
        rest = {name: array for name, array in part.items() if named[name] is None}
        rows = _objects(rest)
        for name, dicts in named.items():
            if dicts is not None:
                rows = rows or [{} for _ in dicts]
                for row, scores in zip(rows, dicts, strict=True):
                    row[name] = scores
        answers += rows
    return answers


def _objects(outputs: Arrays) -> list[dict[str, Any]]:
    rows = to_rows(outputs) if outputs else []
    if len(outputs) == 1:
        (name,) = outputs
        return [{name: value} for value in rows]
    return list(rows)


def _scores_classes(array: npt.NDArray[Any], names: Sequence[str]) -> bool:
    return (
        len(names) > 1
        and array.ndim == 2
        and array.shape[1] == len(names)
        and array.dtype.kind in "fV"
    )


def _by_class(array: npt.NDArray[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    if array.dtype.kind == "V":
        array = array.astype(np.float32)
    return [dict(zip(names, row, strict=True)) for row in array]
