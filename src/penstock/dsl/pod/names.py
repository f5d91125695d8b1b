"""Names and sizes as Kubernetes takes them, checked where a user writes them.

Source: "Object Names and IDs", "Labels and Selectors" and "Quantity" of Kubernetes's documentation.
"""

from __future__ import annotations

import re
from typing import Any

from penstock.dsl.exceptions import ParameterError

_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUANTITY = re.compile(r"(?!0+(\.0+)?\D*$)\d+(\.\d+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?")


def check_object_name(setting: str, name: Any) -> None:
    """Refuse what cannot be the name of an object of Kubernetes.

    Args:
        setting: What is set, for the message.
        name: The name.

    Raises:
        ParameterError: If it is none.
    """
    if not isinstance(name, str) or not _OBJECT.fullmatch(name) or len(name) > 253:
        raise ParameterError(
            f"{setting} is a name in Kubernetes: small letters, digits, '-' and '.', at most 253. "
            f"Received: {name!r}"
        )


def check_label(setting: str, key: Any, value: Any = "") -> None:
    """Refuse what cannot be a label: `zone`, or with a domain before it `example.com/zone`.

    Raises:
        ParameterError: If the key or the value is none.
    """
    check_key(setting, key)
    if not isinstance(value, str) or (value and not _fits(value)):
        raise ParameterError(
            f"{setting}[{key!r}] is a label's value: at most 63 letters, digits, '-', '_' and '.', "
            f"the first and last a letter or digit. Received: {value!r}"
        )


def check_key(setting: str, key: Any) -> None:
    """Refuse what cannot be the key of a label, an annotation or a taint.

    Raises:
        ParameterError: If it is none.
    """
    domain, slash, name = key.rpartition("/") if isinstance(key, str) else ("", "", "")
    if not _fits(name) or (slash and not (_OBJECT.fullmatch(domain) and len(domain) <= 253)):
        raise ParameterError(
            f"{setting} takes keys such as 'zone' or 'example.com/zone', of at most 63 characters after "
            f"the domain. Received: {key!r}"
        )


def check_variable(setting: str, name: Any) -> None:
    """Refuse what cannot be the name of an environment variable.

    Raises:
        ParameterError: If it is none.
    """
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise ParameterError(
            f"{setting} takes names of environment variables, such as 'API_KEY'. Received: {name!r}"
        )


def check_size(setting: str, size: Any) -> None:
    """Refuse what is no size such as `10Gi`.

    Raises:
        ParameterError: If it is none.
    """
    if not isinstance(size, str) or not _QUANTITY.fullmatch(size):
        raise ParameterError(f"{setting} is a size such as '512Mi' or '10Gi'. Received: {size!r}")


def check_folder(setting: str, path: Any) -> None:
    """Refuse what is no absolute folder of a container.

    Raises:
        ParameterError: If it is none.
    """
    if (
        not isinstance(path, str)
        or not path.startswith("/")
        or ":" in path
        or path.strip("/") == ""
    ):
        raise ParameterError(
            f"{setting} takes absolute folders of the container, such as '/data'. Received: {path!r}"
        )


def _fits(name: str) -> bool:
    return len(name) <= 63 and _LABEL.fullmatch(name) is not None
