"""Functions as components."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, overload

from penstock.artifacts import Artifact, ValueArtifact
from penstock.dsl.component import RESERVED_NAMES, Component
from penstock.dsl.context import ExecutionContext
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.markers import Marker
from penstock.dsl.value_types import RETURNABLE, as_annotated, value_type

RESULT_KEY = "result"
"""Output key of a function that returns a single value."""


class FunctionComponent(Component):
    """A component that `@component` made from a function."""

    FUNCTION: ClassVar[Callable[..., Any]]
    _CONTEXT_KEY: ClassVar[str | None] = None
    _RETURNED: ClassVar[tuple[str, ...]] = ()
    _BY_NAME: ClassVar[bool] = False

    @classmethod
    def _declaration(cls) -> tuple[dict[str, Any], dict[str, Any]]:
        annotations, defaults, context_key, returned = _read_signature(cls.FUNCTION)
        cls._CONTEXT_KEY = context_key
        cls._RETURNED = returned
        cls._BY_NAME = _is_by_name(typing.get_type_hints(cls.FUNCTION).get("return"))
        return annotations, defaults

    def _field(self, key: str) -> Any:
        return getattr(self, _attribute(key))

    def _set_field(self, key: str, value: Any) -> None:
        setattr(self, _attribute(key), value)

    def run(self, context: ExecutionContext) -> None:
        """Call the function with artifacts and values, and store what it returns."""
        interface = self.interface()
        arguments = {
            key: self._field(key)
            for key in (*interface.inputs, *interface.parameters, *interface.outputs)
            if key not in self._RETURNED
        }
        for key, spec in interface.parameters.items():
            arguments[key] = as_annotated(spec.annotation, arguments[key])
        if self._CONTEXT_KEY:
            arguments[self._CONTEXT_KEY] = context
        result = type(self).FUNCTION(**arguments)
        self._store(result)

    def _store(self, result: Any) -> None:
        if not self._RETURNED:
            return
        if not self._BY_NAME:
            found: dict[str, Any] = {RESULT_KEY: result}
        elif hasattr(result, "_asdict"):
            found = result._asdict()
        elif isinstance(result, Mapping):
            found = dict(result)
        else:
            raise TypeError(
                f"{self.id} returns {sorted(self._RETURNED)} by name. "
                f"Received: {type(result).__name__} {result!r}"
            )
        for key in self._RETURNED:
            if key not in found:
                raise TypeError(f"{self.id} did not return {key!r}; it returned {sorted(found)}")
            artifact = self._field(key)
            assert isinstance(artifact, ValueArtifact)
            artifact.value = found[key]


@overload
def component(function: Callable[..., Any]) -> Callable[..., FunctionComponent]: ...
@overload
def component(
    *,
    libraries: Sequence[str] = (),
    uses_tensorflow: bool = False,
    uses_seed: bool = True,
    judges: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], Callable[..., FunctionComponent]]: ...
def component(
    function: Callable[..., Any] | None = None,
    *,
    libraries: Sequence[str] = (),
    uses_tensorflow: bool = False,
    uses_seed: bool = True,
    judges: Sequence[str] = (),
) -> Any:
    """Make a component from a typed, top-level function.

    Arguments annotated with `Input[...]` and `Output[...]` are artifacts, one annotated with
    `ExecutionContext` receives the context, and all others are parameters. A return annotation of a
    plain type (int, float, str, bool, bytes, dict, list), a DataFrame, a pyarrow Table or a NumPy
    array is an output named `result`; a `NamedTuple` or `TypedDict` is an output for each of its
    fields. A parameter takes a value, or the channel of such an output: a DataFrame is handed on as
    the artifact `Table`.

    Args:
        function: The function.
        libraries: Distributions whose versions are part of the cache key.
        uses_tensorflow: Whether the component runs in a worker that has TensorFlow imported.
        uses_seed: Whether the seed of the run is part of the cache key.
        judges: Inputs that the component judges, as a gate that may raise `Rejected`.

    Raises:
        DefinitionError: If the function is not at the top level or has unannotated parameters.

    Example:
        @component
        def count_rows(examples: Input[Examples], split: str = "train") -> int:
            return sum(1 for _ in read(examples.split_uri(split)))

        rows = count_rows(examples=example_gen.outputs["examples"])
    """

    made_in = sys._getframe(1).f_globals.get("__name__", "")

    def decorate(function: Callable[..., Any]) -> type[FunctionComponent]:
        _check_function(function)
        namespace = {
            "__doc__": function.__doc__,
            "__module__": made_in or function.__module__,
            "__qualname__": function.__qualname__,
            "__wrapped__": staticmethod(function),
            "FUNCTION": staticmethod(function),
            "LIBRARIES": tuple(libraries),
            "USES_TENSORFLOW": uses_tensorflow,
            "USES_SEED": uses_seed,
            "JUDGES": judges,
        }
        return type(function.__name__, (FunctionComponent,), namespace)

    return decorate if function is None else decorate(function)


def _check_function(function: Any) -> None:
    if not inspect.isfunction(function):
        raise DefinitionError(
            f"@component takes a function that is defined by def. Received: {function!r}"
        )
    kind = (
        "an async function"
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        else "a generator"
        if inspect.isgeneratorfunction(function)
        else ""
    )
    if kind:
        raise DefinitionError(
            f"{function.__name__} is {kind}; a component is a function that returns when its work is "
            "done. Call asyncio.run(...) or the generator inside of it."
        )


def _attribute(key: str) -> str:
    """Return where an argument is kept: apart, if every component has something of that name."""
    return f"argument {key}" if key in RESERVED_NAMES or key.startswith("_") else key


def _read_signature(
    function: Callable[..., Any],
) -> tuple[dict[str, Any], dict[str, Any], str | None, tuple[str, ...]]:
    name = function.__name__
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DefinitionError(
            f"An annotation of {name} names {error.name!r}, which its module does not define"
        ) from None
    annotations: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    context_key: str | None = None
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DefinitionError(f"{name}: a component takes no *{key}; name each argument")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise DefinitionError(
                f"{name}: a component is given its arguments by name; leave out the '/' after {key!r}"
            )
        if key not in hints:
            raise DefinitionError(
                f"{name}: argument {key!r} has no annotation. Write {key}: Input[...], Output[...], "
                "or the type of a parameter."
            )
        if hints[key] is ExecutionContext:
            context_key = key
            continue
        annotations[key] = hints[key]
        if parameter.default is not parameter.empty:
            defaults[key] = parameter.default
    returned = _returned(name, hints.get("return", type(None)))
    for key, artifact in returned.items():
        if key in annotations:
            raise DefinitionError(f"{name}: {key!r} is both an argument and an output")
        annotations[key] = Annotated[artifact, Marker("output")]
    return annotations, defaults, context_key, tuple(returned)


def _is_by_name(annotation: Any) -> bool:
    """Return whether a return annotation is a NamedTuple or a TypedDict."""
    return isinstance(annotation, type) and (
        hasattr(annotation, "_fields") or typing.is_typeddict(annotation)
    )


def _returned(name: str, annotation: Any) -> dict[str, type[Artifact]]:
    if annotation in (None, type(None)):
        return {}
    if _is_by_name(annotation):
        fields = typing.get_type_hints(annotation)
        return {key: _value_type(name, each) for key, each in fields.items()}
    return {RESULT_KEY: _value_type(name, annotation)}


def _value_type(name: str, annotation: Any) -> type[Artifact]:
    found = value_type(annotation)
    if found is None:
        raise DefinitionError(
            f"{name} returns {annotation!r}; a component returns {RETURNABLE}, or a NamedTuple or "
            "TypedDict of them. Write other artifacts to an Output[...] argument."
        )
    return found
