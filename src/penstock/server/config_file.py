"""Reading the config file of a server: TOML, or JSON of the same form.

    host = "0.0.0.0"
    token_file = "tokens"

    [limits]
    rows = 1000

    [models.taxi]
    folder = "serving/taxi"
    versions = {latest = 2}          # or {specific = [3, 5]}, or "all"

    [models.taxi.traffic]
    split = {champion = 0.9, canary = 0.1}
    key = "header:x-user-id"

    [models.taxi.request_log]
    folder = "requests"
    sample = 0.1
    schema = "schema/schema.pbtxt"

Paths are relative to the file's folder.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from typing import Any

from penstock.server.config import LATEST, Batching, ModelSource, ServerConfig, VersionPolicy
from penstock.server.config_fields import read_fields, table
from penstock.server.request_log.config import RequestLogConfig
from penstock.server.safety.access import Access, read_tokens
from penstock.server.safety.limits import Limits
from penstock.server.traffic import Traffic

_ACCESS = ("token_file", "tls_cert", "tls_key", "insecure")
_SERVER = (
    "host",
    "port",
    "grpc_port",
    "max_concurrent",
    "watch_seconds",
    "grace_seconds",
    "drain_seconds",
    "processes",
)
_MODEL = (
    "folder",
    "versions",
    "labels",
    "default_label",
    "max_memory",
    "traffic",
    "request_log",
)


def read_config(path: str, overrides: Mapping[str, Any] | None = None) -> ServerConfig:
    """Read the config file of a server.

    Args:
        path: The file; JSON if its name ends in `.json`, else TOML.
        overrides: Fields of the top level that come before those of the file, such as `port`. Paths
            among them are relative to the current folder.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If the file is no TOML or JSON, or something of it makes no sense; the message names
            the file and the place.

    Example:
        >>> config = read_config("serve.toml", {"port": 9000})
    """
    try:
        return _config(_parsed(path), os.path.dirname(os.path.abspath(path)), overrides or {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _parsed(path: str) -> Any:
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".json"):
        return json.loads(content)
    return tomllib.loads(content.decode())


def _config(config: Any, folder: str, overrides: Mapping[str, Any]) -> ServerConfig:
    known = (*_SERVER, *_ACCESS, "limits", "batching", "models")
    top = dict(table("the file", config, known))
    for name in ("token_file", "tls_cert", "tls_key"):
        if isinstance(top.get(name), str):
            top[name] = os.path.join(folder, top[name])
    top |= overrides
    models = top.get("models")
    if not isinstance(models, Mapping) or not models:
        raise ValueError("there is no model. Add a table [models.NAME] with its folder.")
    return read_fields(
        ServerConfig,
        "the file",
        {name: value for name, value in top.items() if name in _SERVER},
        models=tuple(_model(name, each, folder) for name, each in models.items()),
        batching=read_fields(Batching, "batching", top.get("batching", {})),
        limits=read_fields(Limits, "limits", top.get("limits", {})),
        access=read_access({name: value for name, value in top.items() if name in _ACCESS}),
    )


def read_access(config: Mapping[str, Any]) -> Access:
    """Return who may ask, by `token_file`, `tls_cert`, `tls_key` and `insecure`.

    Raises:
        OSError: If the tokens cannot be read.
        ValueError: If something of it makes no sense.
    """
    for name, value in config.items():
        kind, words = (bool, "true or false") if name == "insecure" else (str, "a path")
        if not isinstance(value, kind):
            raise ValueError(f"{name} takes {words}. Received: {value!r}")
    return Access(
        read_tokens(config["token_file"]) if "token_file" in config else (),
        config.get("tls_cert"),
        config.get("tls_key"),
        config.get("insecure", False),
    )


def _model(name: str, config: Any, folder: str) -> ModelSource:
    where = f"models.{name}"
    values = dict(table(where, config, _MODEL))
    log = values.pop("request_log", None)
    traffic = values.pop("traffic", {})
    policy = _policy(f"{where}.versions", values.pop("versions", {"latest": 1}))
    if isinstance(values.get("folder"), str) and "://" not in values["folder"]:
        values["folder"] = os.path.join(folder, values["folder"])
    if log is not None:
        log = dict(table(f"{where}.request_log", log, RequestLogConfig.__dataclass_fields__))
        for path in ("folder", "schema"):
            if isinstance(log.get(path), str):
                log[path] = os.path.join(folder, log[path])
        log = read_fields(RequestLogConfig, f"{where}.request_log", log)
    return read_fields(
        ModelSource,
        where,
        values,
        name=name,
        policy=policy,
        traffic=Traffic.from_config(name, traffic),
        request_log=log,
    )


def _policy(where: str, config: Any) -> VersionPolicy:
    if config == "all":
        return VersionPolicy(all=True)
    if config == "latest":
        return LATEST
    if isinstance(config, Mapping) and len(config) == 1:
        ((name, value),) = config.items()
        if name == "latest" and type(value) is int and value > 0:
            return VersionPolicy(latest=value)
        numbers = isinstance(value, list) and value and all(type(each) is int for each in value)
        if name == "specific" and numbers:
            return VersionPolicy(specific=tuple(value))
    raise ValueError(
        f'{where} is {{latest = 2}}, {{specific = [3, 5]}} or "all". Received: {config!r}'
    )
