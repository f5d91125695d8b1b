"""A model's server on one machine, as a file of Docker Compose."""

from __future__ import annotations

import os
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.kubeflow.serving.server_files import FOLDER, server_command, server_file
from penstock.kubeflow.serving.settings import GRPC_PORT, HTTP_PORT, Served, ServingSettings

_INSIDE = "/models"
_GRACE = "45s"


def compose(model: Served, settings: ServingSettings) -> dict[str, Any]:
    """Return the compose file of a model's server, as plain values.

    A folder of this machine is mounted for reading; the ports are open to this machine only.

    Args:
        model: The model.
        settings: How it is served; only the server, its image and its name count.

    Raises:
        ParameterError: If a setting is for a cluster.

    Example:
        yaml.safe_dump(compose(Served("penguin", "/home/ada/serving/penguin"), ServingSettings()))
    """
    for setting in (
        "claims",
        "environment_secret",
        "token_secret",
        "tls_secret",
        "service_account",
    ):
        if getattr(settings, setting):
            raise ParameterError(
                f"{setting} is for a cluster. In a compose file, change the made file instead."
            )
    volumes = []
    if "://" not in model.destination:
        inside = f"{_INSIDE}/{os.path.basename(model.destination)}"
        source = {"type": "bind", "source": model.destination, "target": inside, "read_only": True}
        volumes.append(source)
        model = _moved(model, inside)
    file, text = server_file(model, settings)
    name = settings.object_name(model)
    service: dict[str, Any] = {
        "image": settings.image_used,
        # TensorFlow Serving's image has an entry point, which this replaces.
        "entrypoint": server_command(model, settings),
        "ports": [f"127.0.0.1:{port}:{port}" for port in (HTTP_PORT, GRPC_PORT)],
        "configs": [{"source": "server", "target": f"{FOLDER}/{file}"}],
        "volumes": volumes,
        "tmpfs": ["/tmp"],
        "read_only": True,
        "restart": "unless-stopped",
        "stop_grace_period": _GRACE,
    }
    if settings.server == "penstock":
        address = f"http://127.0.0.1:{HTTP_PORT}/v2/health/ready"
        service["healthcheck"] = {
            "test": [
                "CMD",
                "python",
                "-c",
                f"import urllib.request; urllib.request.urlopen('{address}')",
            ],
            "interval": "10s",
            "start_period": "120s",
        }
    return {
        "name": name,
        "services": {"server": service},
        # `$` would be a variable of Compose.
        "configs": {"server": {"content": text.replace("$", "$$")}},
    }


def _moved(model: Served, destination: str) -> Served:
    return Served(
        model.name, destination, model.alias, model.version, model.versions, model.canaries
    )
