"""Which features never reach the request log."""

from __future__ import annotations

from collections.abc import Collection

from penstock.io.pii import personal_features
from penstock.spelling import closest


def masked_by_schema(schema: str) -> frozenset[str]:
    """Return the features that a schema marks as personal: those with the tag `PII`.

    Args:
        schema: The path of a schema as text (`schema.pbtxt`).

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no schema.

    Example:
        >>> masked_by_schema("schema/schema.pbtxt")
        frozenset({'email', 'name'})
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    with open(schema, encoding="utf-8") as file:
        text = file.read()
    try:
        parsed = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ValueError(f"{schema} is no schema: {error}") from error
    return personal_features(parsed)


def unknown_names(mask: Collection[str], known: Collection[str]) -> str | None:
    """Return what to say of masked names that a model does not have: a misspelled name hides nothing.

    Args:
        mask: The names in the config.
        known: The inputs, features and outputs of the model.

    Example:
        >>> unknown_names(["emial"], ["email", "miles"])
        "mask: 'emial' (did you mean 'email'?) is no feature, input or output of the model"
    """
    unknown = sorted(set(mask) - set(known))
    if not unknown:
        return None
    told = [
        f"{name!r} (did you mean {near!r}?)" if (near := closest(name, known)) else repr(name)
        for name in unknown
    ]
    are = (
        "is no feature, input or output" if len(told) == 1 else "are no features, inputs or outputs"
    )
    return f"mask: {', '.join(told)} {are} of the model"
