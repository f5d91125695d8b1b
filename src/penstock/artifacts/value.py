"""Value artifacts: one number, text or JSON value in a file named `value`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from penstock.artifacts import location
from penstock.artifacts.artifact import Artifact, PropertyType


class ValueArtifact(Artifact):
    """An artifact that is a single value.

    The file is `<uri>/value` where the URI is a folder, as in TFX's layout. An artifact written by
    TFX has a URI that already ends in `/value`; it is read at that path.
    """

    PROPERTIES: ClassVar[dict[str, PropertyType]] = {}
    URI_NAMES_FILE: ClassVar[bool] = True
    """Whether the URI is the file `value`, as TFX's publisher has it, and not the folder."""

    @property
    def value_uri(self) -> str:
        """File that holds the value."""
        return self.uri if self.uri.endswith("/value") else f"{self.uri.rstrip('/')}/value"

    def encode(self, value: Any) -> bytes:
        """Return `value` as bytes."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define how a value is written (encode)"
        )

    def decode(self, data: bytes) -> Any:
        """Return the value that `data` holds."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define how a value is read (decode)"
        )

    def _refuse(self, value: Any, expected: str) -> TypeError:
        return TypeError(
            f"{self.TYPE_NAME} takes {expected}. Received: {type(value).__name__} {value!r}"
        )

    @property
    def value(self) -> Any:
        """The value; reading it reads the file, setting it writes the file.

        Raises:
            FileNotFoundError: If nothing has been written yet.
            TypeError: If the new value is not of the artifact's type.
        """
        return self.decode(location.read_bytes(self.value_uri))

    @value.setter
    def value(self, value: Any) -> None:
        location.write_bytes(self.value_uri, self.encode(value))


class Integer(ValueArtifact):
    """A whole number, as decimal text."""

    def encode(self, value: Any) -> bytes:
        """Return decimal text."""
        value = _plain(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._refuse(value, "an int")
        return str(value).encode()

    def decode(self, data: bytes) -> int:
        """Return the number."""
        return int(data)


class Float(ValueArtifact):
    """A floating-point number, as text (`NaN`, `Infinity` and `-Infinity` as TFX spells them)."""

    def encode(self, value: Any) -> bytes:
        """Return the shortest text that reads back as the same number."""
        value = _plain(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._refuse(value, "a float")
        number = float(value)
        if math.isnan(number):
            return b"NaN"
        if math.isinf(number):
            return b"Infinity" if number > 0 else b"-Infinity"
        return repr(number).encode()

    def decode(self, data: bytes) -> float:
        """Return the number."""
        return float(data)


class String(ValueArtifact):
    """Text in UTF-8."""

    def encode(self, value: Any) -> bytes:
        """Return UTF-8."""
        if not isinstance(value, str):
            raise self._refuse(value, "a str")
        return value.encode()

    def decode(self, data: bytes) -> str:
        """Return the text."""
        return data.decode()


class Bytes(ValueArtifact):
    """Bytes, stored unchanged."""

    def encode(self, value: Any) -> bytes:
        """Return the bytes."""
        if not isinstance(value, bytes):
            raise self._refuse(value, "bytes")
        return value

    def decode(self, data: bytes) -> bytes:
        """Return the bytes."""
        return data


class Boolean(ValueArtifact):
    """A boolean: `1` or `0`."""

    def encode(self, value: Any) -> bytes:
        """Return `1` or `0`."""
        value = _plain(value)
        if not isinstance(value, bool):
            raise self._refuse(value, "a bool")
        return b"1" if value else b"0"

    def decode(self, data: bytes) -> bool:
        """Return the boolean."""
        return data.strip() == b"1"


class JsonValue(ValueArtifact):
    """Any JSON value, with sorted keys; numbers of NumPy are taken as Python's."""

    def encode(self, value: Any) -> bytes:
        """Return JSON text."""
        self._check_keys(value)
        return json.dumps(value, sort_keys=True, default=self._default).encode()

    def _default(self, value: Any) -> Any:
        plain = _plain(value)
        if plain is value:
            raise self._refuse(value, "what JSON has: numbers, text, lists and dicts")
        return plain

    def _check_keys(self, value: Any) -> None:
        """Refuse keys that JSON would turn into text: whoever reads the value finds other keys."""
        if isinstance(value, Mapping):
            for key, each in value.items():
                if not isinstance(key, str):
                    raise self._refuse(key, "dicts whose keys are text, as in JSON")
                self._check_keys(each)
        elif isinstance(value, (list, tuple)):
            for each in value:
                self._check_keys(each)

    def decode(self, data: bytes) -> Any:
        """Return the JSON value."""
        return json.loads(data)


def _plain(value: Any) -> Any:
    """Return a number of NumPy (or an array of no dimensions) as Python's; other values as they are."""
    if type(value).__module__.partition(".")[0] == "numpy" and getattr(value, "shape", None) == ():
        return value.item()
    return value


VALUE_TYPES: dict[type, type[ValueArtifact]] = {
    int: Integer,
    float: Float,
    str: String,
    bytes: Bytes,
    bool: Boolean,
}
"""The artifact type for each plain Python type."""
