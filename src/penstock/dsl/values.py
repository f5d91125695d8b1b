"""Parameter values: whether they fit an annotation, and their form in JSON."""

from __future__ import annotations

import collections.abc
import copy
import dataclasses
import enum
import json
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.named_function import NamedFunction
from penstock.dsl.plain_forms import plain_form, plain_value
from penstock.dsl.references import reference, resolve
from penstock.dsl.runtime_parameter import RuntimeParameter


def accepts(annotation: Any, value: Any) -> bool:
    """Return whether `value` fits `annotation`.

    An int fits a float, a bool fits only a bool, a list or tuple fits a Sequence. A
    `RuntimeParameter` fits what its type fits. Annotations that cannot be checked accept
    everything.
    """
    if isinstance(value, RuntimeParameter):
        sample = {int: 0, float: 0.0, str: "", bool: True}[value.ptype]
        return accepts(annotation, sample)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return accepts(args[0], value)
    if annotation is Any or isinstance(annotation, (typing.TypeVar, str)):
        return True
    if annotation is None or annotation is type(None):
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(accepts(each, value) for each in args)
    if origin is typing.Literal:
        return value in args
    if origin is collections.abc.Callable or annotation in (Callable, typing.Callable):
        return callable(value)
    if origin is not None:
        return _accepts_container(origin, args, value)
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if typing.is_typeddict(annotation):
        return _accepts_typed_dict(annotation, value)
    if isinstance(annotation, type):
        return isinstance(value, annotation) or _same_message(annotation, value)
    return True


def _accepts_typed_dict(annotation: Any, value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    fields = typing.get_type_hints(annotation)
    return (annotation.__required_keys__ <= value.keys() <= fields.keys()) and all(
        accepts(fields[key], each) for key, each in value.items()
    )


def _accepts_container(origin: Any, args: tuple[Any, ...], value: Any) -> bool:
    if not isinstance(origin, type):
        return True
    if issubclass(origin, tuple):
        if not isinstance(value, (tuple, list)):
            return False
        if len(args) == 2 and args[1] is Ellipsis:
            return all(accepts(args[0], each) for each in value)
        return len(args) == len(value) and all(map(accepts, args, value))
    if issubclass(origin, collections.abc.Mapping):
        return isinstance(value, Mapping) and all(
            accepts(args[0], key) and accepts(args[1], each) for key, each in value.items()
        )
    if issubclass(origin, (collections.abc.Sequence, collections.abc.Set)) or origin in (
        collections.abc.Iterable,
        collections.abc.Collection,
    ):
        if isinstance(value, (str, bytes)) or not isinstance(value, collections.abc.Collection):
            return False
        return all(accepts(args[0], each) for each in value)
    return isinstance(value, origin)


def _same_message(annotation: type, value: Any) -> bool:
    """Return whether a protobuf message of another pool has the same name."""
    wanted = getattr(annotation, "DESCRIPTOR", None)
    given = getattr(value, "DESCRIPTOR", None)
    return wanted is not None and given is not None and wanted.full_name == given.full_name


def describe(annotation: Any) -> str:
    """Return an annotation's name for error messages.

    Example:
        >>> describe(int | None)
        'int or None'
    """
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return describe(args[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(each) for each in args)
    if origin is typing.Literal:
        return " or ".join(repr(each) for each in args)
    if annotation is type(None):
        return "None"
    if origin is not None:
        inner = ", ".join("..." if each is Ellipsis else describe(each) for each in args)
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return str(getattr(annotation, "__name__", annotation))


def encode(value: Any) -> Any:
    """Return the JSON form of a parameter value, from which `decode` makes an equal one of its type.

    Takes what JSON has, floats that JSON lacks, bytes, tuples, sets, paths, dates and times, Decimals,
    UUIDs, enums, dataclasses, named tuples, protobuf messages, objects with `to_json` and `from_json`,
    top-level functions and classes, and runtime parameters.

    Raises:
        ParameterError: If the value has no such form.
    """
    if value is None or (isinstance(value, (bool, int, str)) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, RuntimeParameter):
        return {"$runtime_parameter": value.name}
    if isinstance(value, enum.Enum):
        if value.name in type(value).__members__:
            return {"$enum": reference(type(value)), "name": value.name}
        return {"$flags": reference(type(value)), "value": value.value}
    if isinstance(value, list):
        return [encode(each) for each in value]
    if isinstance(value, tuple):
        elements = [encode(each) for each in value]
        if hasattr(value, "_fields"):
            return {"$named_tuple": reference(type(value)), "elements": elements}
        return {"$tuple": elements}
    if isinstance(value, (set, frozenset)):
        # Sets have no order of their own: equal ones have one form.
        elements = sorted(map(encode, value), key=lambda each: json.dumps(each, sort_keys=True))
        return {"$set" if isinstance(value, set) else "$frozenset": elements}
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    return plain_form(value) or _encode_object(value)


def _encode_mapping(value: Mapping[Any, Any]) -> Any:
    if type(value).__name__ == "defaultdict" or hasattr(value, "default_factory"):
        raise ParameterError(
            f"A defaultdict cannot be a parameter: its function has no form in JSON. Write "
            f"dict(...) around it. Received: {value!r}"
        )
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: encode(each) for key, each in value.items()}
    return {"$items": [[encode(key), encode(each)] for key, each in value.items()]}


def _encode_object(value: Any) -> Any:
    if callable(value) and hasattr(value, "__qualname__"):
        return {"$name": reference(value)}
    kind = type(value)
    if hasattr(value, "to_json") and hasattr(kind, "from_json"):
        return {"$object": reference(kind), "json": encode(value.to_json())}
    if hasattr(value, "DESCRIPTOR") and hasattr(value, "SerializeToString"):
        from google.protobuf import json_format

        fields = json_format.MessageToDict(value, preserving_proto_field_name=True)
        return {"$message": reference(kind), "fields": fields}
    if dataclasses.is_dataclass(value):
        fields = {
            each.name: encode(getattr(value, each.name))
            for each in dataclasses.fields(value)
            if each.init
        }
        return {"$dataclass": reference(kind), "fields": fields}
    if hasattr(value, "__fspath__"):
        return str(value)
    raise ParameterError(
        f"{kind.__name__!r} cannot be the type of a parameter: it has no JSON form. Give it methods "
        f"to_json and from_json, or make it a dataclass. Received: {value!r}"
    )


def decode(value: Any, *, import_functions: bool = True) -> Any:
    """Return the value that `encode` wrote.

    Args:
        value: The JSON form.
        import_functions: Whether to import functions and classes; otherwise each becomes a
            `NamedFunction`, for code that only inspects a component.

    Raises:
        ParameterError: If it holds a runtime parameter without a value (`Graph.bind`).
    """

    def inner(each: Any) -> Any:
        return decode(each, import_functions=import_functions)

    if isinstance(value, list):
        return [inner(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = plain_value(value)
    if plain is not None:
        return plain[0]
    for key, build in _CONTAINERS.items():
        if key in value:
            return build(map(inner, value[key]))
    if "$float" in value:
        return float(value["$float"])
    if "$enum" in value:
        return resolve(value["$enum"])[value["name"]]
    if "$flags" in value:
        return resolve(value["$flags"])(value["value"])
    if "$named_tuple" in value:
        return resolve(value["$named_tuple"])(*map(inner, value["elements"]))
    if "$name" in value:
        module, _, name = value["$name"].partition(":")
        return resolve(value["$name"]) if import_functions else NamedFunction(module, name)
    if "$object" in value:
        return resolve(value["$object"]).from_json(inner(value["json"]))
    if "$message" in value:
        from google.protobuf import json_format

        return json_format.ParseDict(value["fields"], resolve(value["$message"])())
    if "$dataclass" in value:
        return resolve(value["$dataclass"])(**inner(value["fields"]))
    if "$runtime_parameter" in value:
        raise ParameterError(f"Runtime parameter {value['$runtime_parameter']!r} has no value")
    return {key: inner(each) for key, each in value.items()}


_CONTAINERS: Mapping[str, Callable[[Iterator[Any]], Any]] = {
    "$tuple": tuple,
    "$set": set,
    "$frozenset": frozenset,
    "$items": dict,
}


def copy_of(value: Any) -> Any:
    """Return a value that does not change when the lists, dicts, sets or messages in `value` do.

    Functions, objects and frozen dataclasses are returned themselves.
    """
    kind = type(value)
    if kind in (list, tuple, set):
        return kind(map(copy_of, value))
    if kind is dict:
        return {key: copy_of(each) for key, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if value.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            return value
        copied = copy.copy(value)
        for field in dataclasses.fields(value):
            setattr(copied, field.name, copy_of(getattr(value, field.name)))
        return copied
    if hasattr(value, "DESCRIPTOR") and hasattr(value, "CopyFrom"):
        return copy.deepcopy(value)
    return value


def runtime_parameters_in(value: Any) -> Iterator[RuntimeParameter]:
    """Yield the runtime parameters in a parameter's value, including those inside containers."""
    if isinstance(value, RuntimeParameter):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from runtime_parameters_in(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from runtime_parameters_in(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from runtime_parameters_in(getattr(value, field.name))


def with_defaults(value: Any) -> Any:
    """Return a parameter's value with the runtime parameters in it replaced by their defaults.

    A value without runtime parameters is returned itself.
    """
    if isinstance(value, RuntimeParameter):
        return value.default
    if not any(True for _ in runtime_parameters_in(value)):
        return value
    if isinstance(value, Mapping):
        return {key: with_defaults(each) for key, each in value.items()}
    if hasattr(value, "_fields"):
        return type(value)(*map(with_defaults, value))
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(map(with_defaults, value))
    fields = dataclasses.fields(value)
    return dataclasses.replace(
        value, **{each.name: with_defaults(getattr(value, each.name)) for each in fields}
    )
