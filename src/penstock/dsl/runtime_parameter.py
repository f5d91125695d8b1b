"""Parameters whose value is given when a pipeline is run."""

from __future__ import annotations

from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.placeholder import Placeholder
from penstock.spelling import names_its_arguments

_TYPES = {int: "an int", float: "a float", str: "a str", bool: "a bool"}
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@names_its_arguments
class RuntimeParameter(Placeholder):
    """A value that is chosen when the pipeline runs: `penstock run FILE --param epochs=5`.

    Use it wherever a component takes a parameter or `Resources` takes a value. For static type
    checkers it is `Any`, so it fits there.

    Args:
        name: Its name for `--param`.
        ptype: int, float, str or bool.
        default: The value if none is given; None means that a value is required.
        description: One line for `penstock check` and for forms.

    Raises:
        ParameterError: If the type is not one of these, or the default is not of that type.

    Example:
        >>> RuntimeParameter("epochs", int, default=20).parse("5")
        5
    """

    name: str
    ptype: type
    default: Any
    description: str

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return a parameter, typed as Any."""
        return super().__new__(cls)

    def __init__(
        self, name: str, ptype: type = str, default: Any = None, description: str = ""
    ) -> None:
        if ptype not in _TYPES:
            raise ParameterError(
                f"A runtime parameter is an int, float, str or bool. Received: {name}: {ptype!r}"
            )
        if not isinstance(name, str) or not name.isidentifier():
            raise ParameterError(f"A runtime parameter's name is an identifier. Received: {name!r}")
        self.name = name
        self.ptype = ptype
        self.description = description
        self.default = None if default is None else self.check(default)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.name, self.ptype, self.default, self.description)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RuntimeParameter):
            return self.__getnewargs__() == other.__getnewargs__()
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"RuntimeParameter({self.name!r}, {self.ptype.__name__}, default={self.default!r})"

    def check(self, value: Any) -> Any:
        """Return `value` as the parameter's type.

        Raises:
            ParameterError: If it is of another type.
        """
        if self.ptype is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, self.ptype) and (self.ptype is bool or not isinstance(value, bool)):
            return value
        raise ParameterError(
            f"Runtime parameter {self.name!r} is {_TYPES[self.ptype]}. "
            f"Received: {type(value).__name__} {value!r}"
        )

    def parse(self, text: str) -> Any:
        """Return the value of `text` as typed on a command line.

        Raises:
            ParameterError: If it does not read as the parameter's type.
        """
        try:
            if self.ptype is bool:
                word = text.strip().lower()
                if word not in _TRUE + _FALSE:
                    raise ValueError(text)
                return word in _TRUE
            return self.ptype(text)
        except ValueError:
            raise ParameterError(
                f"Runtime parameter {self.name!r} is {_TYPES[self.ptype]}. Received: {text!r}"
            ) from None
