"""Classes and functions of a user's own that a `.keras` file needs and Keras does not know."""

from __future__ import annotations

import importlib
import json
import zipfile
from collections.abc import Iterator
from typing import Any


def unknown_objects(path: str) -> list[str]:
    """Return in words what a `.keras` file needs and this process does not know, each once.

    Keras itself says that the model "could not be deserialized properly", and names one of them far below.

    Args:
        path: The file. One that is no `.keras` file needs nothing.

    Example:
        >>> unknown_objects("model.keras")
        ["the class 'Doubling' (registered as 'shop>Doubling')", "the function 'wiggle'"]
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return []
    return list(dict.fromkeys(_unknown(config)))


def _unknown(config: Any) -> Iterator[str]:
    if isinstance(config, list):
        for each in config:
            yield from _unknown(each)
    elif isinstance(config, dict):
        if "class_name" in config and "module" in config:
            yield from _unknown_object(config)
        for each in config.values():
            yield from _unknown(each)


def _unknown_object(config: dict[str, Any]) -> Iterator[str]:
    name, module = config["class_name"], config["module"]
    is_function = name == "function"
    if is_function:
        name = config.get("config")
    if not isinstance(name, str):
        return
    registered = config.get("registered_name")
    if _is_known(name, registered, None if is_function and module == "builtins" else module):
        return
    also = f" (registered as {registered!r})" if registered not in (None, name, "function") else ""
    yield f"the {'function' if is_function else 'class'} {name!r}{also}"


def _is_known(name: str, registered: Any, module: Any) -> bool:
    import keras

    for each in (registered, name):
        if isinstance(each, str) and keras.saving.get_registered_object(each) is not None:
            return True
    if not isinstance(module, str):
        return False
    if module.partition(".")[0] in ("keras", "builtins"):
        return True  # Keras's own, and containers
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False
