"""The value artifacts for annotations."""

from __future__ import annotations

import types
import typing
from typing import Any

from penstock.artifacts import Array, Float, Integer, JsonValue, Table, ValueArtifact
from penstock.artifacts.table import is_data_frame
from penstock.artifacts.value import VALUE_TYPES

RETURNABLE = (
    "int, float, str, bool, bytes, dict, list, a DataFrame, an Arrow table or a NumPy array"
)


def value_type(annotation: Any) -> type[ValueArtifact] | None:
    """Return the value artifact that holds values of an annotation; None if none does.

    pandas, pyarrow and NumPy types are recognized by name, so that defining a component imports
    none of them.

    Example:
        >>> value_type(float | None).TYPE_NAME
        'Float'
    """
    plain = _plain(annotation)
    if not isinstance(plain, type):
        return None
    if plain in VALUE_TYPES:
        return VALUE_TYPES[plain]
    if plain in (dict, list):
        return JsonValue
    module = plain.__module__.partition(".")[0]
    if is_data_frame(plain) or (module, plain.__name__) in _ARROW_TABLES:
        return Table
    return Array if (module, plain.__name__) == ("numpy", "ndarray") else None


def fits(given: type[ValueArtifact], wanted: type[ValueArtifact]) -> bool:
    """Return whether a channel of type `given` fits a parameter that is stored as `wanted`."""
    return issubclass(given, wanted) or (given is Integer and wanted is Float)


_ARROW_TABLES = {("pyarrow", "Table"), ("pyarrow", "RecordBatch")}


def as_annotated(annotation: Any, value: Any) -> Any:
    """Return a value read from an artifact, in the form that an annotation asks for.

    A table is read as a `pyarrow.Table` and converted if a DataFrame or a RecordBatch is asked for.
    """
    plain = _plain(annotation)
    if is_data_frame(plain):
        return value.to_pandas() if hasattr(value, "to_pandas") else value
    if getattr(plain, "__name__", "") == "RecordBatch" and hasattr(value, "combine_chunks"):
        import pyarrow as pa

        whole = value.combine_chunks()
        columns = [
            column.chunk(0) if column.num_chunks else pa.array([], column.type)
            for column in whole.columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=whole.schema)
    return value


def _plain(annotation: Any) -> Any:
    """Return an annotation without `Annotated`, `None` and type arguments."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(annotation) if each is not type(None)]
        return _plain(rest[0]) if len(rest) == 1 else annotation
    return typing.get_origin(annotation) or annotation
