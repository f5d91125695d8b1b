"""The configuration files of the two servers, and how each is started."""

from __future__ import annotations

import json
from typing import Any

from penstock.kubeflow.serving.settings import GRPC_PORT, HTTP_PORT, Served, ServingSettings

FOLDER = "/etc/model-server"
TOKENS, TLS = "/etc/model-server-tokens", "/etc/model-server-tls"
GRACE_SECONDS, DRAIN_SECONDS = 10.0, 30.0
"""How long a server that is told to stop still answers: until every client has heard that it is gone."""

_TENSORFLOW_FILE = "models.config"
_OWN_FILE = "serve.json"


def server_file(model: Served, settings: ServingSettings) -> tuple[str, str]:
    """Return the name and the text of the server's configuration file."""
    if settings.server == "tensorflow":
        return _TENSORFLOW_FILE, _tensorflow_config(model)
    return _OWN_FILE, json.dumps(_own_config(model, settings), indent=2) + "\n"


def server_command(model: Served, settings: ServingSettings) -> list[str]:
    """Return how the server is started in its container."""
    if settings.server == "tensorflow":
        return [
            "/usr/bin/tensorflow_model_server",
            f"--port={GRPC_PORT}",
            f"--rest_api_port={HTTP_PORT}",
            f"--model_config_file={FOLDER}/{_TENSORFLOW_FILE}",
            "--model_config_file_poll_wait_seconds=30",
            "--allow_version_labels_for_unavailable_models=true",
        ]
    return ["penstock", "serve", "--config", f"{FOLDER}/{_OWN_FILE}"]


def paths_of_health(model: Served, settings: ServingSettings) -> tuple[str, str]:
    """Return the paths that say whether the server lives, and whether it can answer."""
    if settings.server == "tensorflow":
        path = f"/v1/models/{model.name}"
        return path, path
    return "/v2/health/live", "/v2/health/ready"


def _own_config(model: Served, settings: ServingSettings) -> dict[str, Any]:
    entry: dict[str, Any] = {"folder": model.destination}
    if model.alias is not None:
        entry["default_label"] = model.alias
    if model.version is not None:
        entry["versions"] = {"specific": [model.version]}
    if model.canaries:
        assert model.alias is not None
        # 0.1 of each is not what is left of 1 in floats.
        rest = round(1 - sum(model.canaries.values()), 9)
        entry["traffic"] = {"split": {model.alias: rest, **model.canaries}}
    config: dict[str, Any] = {
        "host": "0.0.0.0",
        "port": HTTP_PORT,
        "grpc_port": GRPC_PORT,
        "grace_seconds": GRACE_SECONDS,
        "drain_seconds": DRAIN_SECONDS,
    }
    if settings.token_secret is not None:
        config["token_file"] = f"{TOKENS}/{settings.token_secret[1]}"
    if settings.tls_secret is not None:
        config |= {"tls_cert": f"{TLS}/tls.crt", "tls_key": f"{TLS}/tls.key"}
    if settings.token_secret is None or settings.tls_secret is None:
        # Who may reach the service is the cluster's matter then.
        config["insecure"] = True
    return {**config, "models": {model.name: entry}}


def _tensorflow_config(model: Served) -> str:
    """Return a ModelServerConfig as text: a label for each alias, and the versions that they name."""
    number = model.version if model.alias is None else model.versions[model.alias]
    lines = [
        "model_config_list {",
        "  config {",
        f"    name: {json.dumps(model.name)}",
        f"    base_path: {json.dumps(model.destination)}",
        '    model_platform: "tensorflow"',
    ]
    if number is not None:
        # Without a label the highest of the versions that are there answers.
        labels = {alias: each for alias, each in model.versions.items() if each <= number}
        chosen = sorted({number, *labels.values()})
        lines.append("    model_version_policy {")
        lines.append("      specific {")
        lines += [f"        versions: {each}" for each in chosen]
        lines += ["      }", "    }"]
        for alias, each in sorted(labels.items()):
            lines.append(f"    version_labels {{ key: {json.dumps(alias)} value: {each} }}")
    return "\n".join([*lines, "  }", "}", ""])
