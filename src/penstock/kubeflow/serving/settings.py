"""Which model is served, by what, and what that may use."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import Literal

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.resources import Resources
from penstock.spelling import names_its_arguments

TENSORFLOW_SERVING = "docker.io/tensorflow/serving:2.19.1"
HTTP_PORT, GRPC_PORT = 8501, 8500
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?")


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """A pushed model, and which of its versions answers.

    Attributes:
        name: Its name in requests.
        destination: Folder or URL of its versions, as the server's container sees it.
        alias: The alias whose version answers; it is followed when it moves. None for a number or the
            highest version.
        version: The version that answers; None for the alias's or the highest.
        versions: Number of the version of each alias, now.
        canaries: Share of the requests, from 0 to 1, by the alias that gets it.
    """

    name: str
    destination: str
    alias: str | None = None
    version: int | None = None
    versions: Mapping[str, int] = dataclasses.field(default_factory=dict)
    canaries: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.canaries:
            return
        if self.alias is None:
            raise ParameterError(
                "A canary shares the requests with the model's alias. Name one: MODEL@champion. Received: "
                f"{self.name}"
            )
        for alias, share in self.canaries.items():
            if alias not in self.versions or alias == self.alias:
                others = ", ".join(sorted(set(self.versions) - {self.alias})) or "none"
                raise ParameterError(
                    f"A canary is another alias of the model ({others}). Received: {alias!r}"
                )
            if not 0 < share < 1:
                raise ParameterError(
                    f"A canary gets more than 0 and less than 100 percent. Received: {share:.0%}"
                )
        if sum(self.canaries.values()) >= 1:
            raise ParameterError("Canaries get less than 100 percent together.")


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class ServingSettings:
    """How a model is served.

    Args:
        server: `penstock` for this project's server, `tensorflow` for TensorFlow Serving.
        image: Image of the server; by default the environment's `PENSTOCK_IMAGE`, else
            `penstock:latest`, and TensorFlow Serving's own.
        name: Name of the objects in the cluster; by default the model's.
        namespace: Where they are.
        resources: What a replica asks for; `accelerator` as for nodes of pipelines.
        replicas: How many there are at least and at most; more than the least are started as the
            processors are in use.
        claims: Persistent volume claim to the folder where it is mounted: where the model lies, if not at
            a URL.
        environment_secret: A secret whose keys become variables, such as a bucket's credentials.
        service_account: Of the pods.
        token_secret: Name and key of a secret with the tokens of which a request must have one.
        tls_secret: A secret of the type `kubernetes.io/tls`.

    Raises:
        ParameterError: If a name cannot be one in Kubernetes, or a setting does not fit the server.

    Example:
        ServingSettings(image="registry/penguin:3f2c", replicas=(2, 8), resources=Resources(cpu=2))
    """

    server: Literal["penstock", "tensorflow"] = "penstock"
    image: str = ""
    name: str = ""
    namespace: str = "default"
    resources: Resources = dataclasses.field(
        default_factory=lambda: Resources(cpu=1.0, memory="2Gi")
    )
    replicas: tuple[int, int] = (1, 1)
    claims: Mapping[str, str] = dataclasses.field(default_factory=dict)
    environment_secret: str | None = None
    service_account: str | None = None
    token_secret: tuple[str, str] | None = None
    tls_secret: str | None = None

    def __post_init__(self) -> None:
        if self.server == "tensorflow" and (self.token_secret or self.tls_secret):
            raise ParameterError(
                "TensorFlow Serving's REST interface has neither tokens nor TLS: leave token_secret and "
                "tls_secret out, or serve with server='penstock'."
            )
        least, most = self.replicas
        if not 1 <= least <= most:
            raise ParameterError(
                f"replicas are (least, most), 1 or more, in this order. Received: {self.replicas!r}"
            )
        if most > least and self.resources.cpu is None:
            raise ParameterError(
                "Replicas are added by the share of the processors in use: give resources.cpu."
            )
        for what, name in (("name", self.name), ("namespace", self.namespace)):
            if name and not _NAME.fullmatch(name):
                raise ParameterError(
                    f"The {what} has small letters, digits and hyphens, and begins with a letter. "
                    f"Received: {name!r}"
                )

    @property
    def image_used(self) -> str:
        """The image that is run."""
        if self.image:
            return self.image
        if self.server == "tensorflow":
            return TENSORFLOW_SERVING
        return os.environ.get("PENSTOCK_IMAGE", "penstock:latest")

    def object_name(self, model: Served) -> str:
        """Return the name of the objects: the given one, else the model's as Kubernetes takes it."""
        made = re.sub("[^a-z0-9]+", "-", model.name.lower()).strip("-")[:50].rstrip("-")
        return self.name or (made if _NAME.fullmatch(made) else f"model-{made}".rstrip("-"))

    def check(self, model: Served) -> None:
        """Refuse a model that containers cannot reach, or that this server cannot serve so.

        Raises:
            ParameterError: If it is so.
        """
        destination = model.destination
        mounted = any(
            f"{destination}/".startswith(f"{folder.rstrip('/')}/")
            for folder in self.claims.values()
        )
        if "://" not in destination and not mounted:
            raise ParameterError(
                f"{destination} is a folder of this machine, which no container of a cluster sees. Push "
                "the model to a URL (gs://, s3://), or name the claim that holds it: --claim CLAIM=FOLDER."
            )
        if self.server == "tensorflow" and model.canaries:
            raise ParameterError(
                "TensorFlow Serving does not divide requests, and answers those without a label by the "
                "highest version that it has. Leave the canary out, or serve with --server penstock."
            )
