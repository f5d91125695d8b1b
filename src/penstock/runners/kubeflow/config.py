"""The settings of a compilation for Kubeflow, in addition to the pipeline."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from penstock.dsl.exceptions import ParameterError
from penstock.spelling import names_its_arguments


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class SecretKey:
    """A key of a Kubernetes secret: the name is compiled in, the value never leaves the cluster."""

    secret: str
    key: str


def _default_image() -> str:
    return os.environ.get("PENSTOCK_IMAGE", "penstock:latest")


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class KubeflowConfig:
    """How a pipeline is compiled for Kubeflow.

    Args:
        image: Image of all nodes; by default the environment's `PENSTOCK_IMAGE`, else
            `penstock:latest`. Name it by a tag that changes with its content, or by digest: Kubeflow's
            cache takes two images of one name for the same.
        pipeline_root: Folder or URL of the artifacts, before the pipeline's own. It is the default of
            the run's parameter `pipeline_root`.
        volumes: Persistent volume claim to the folder where it is mounted, in every container.
        store: The secret that holds the URL of the metadata store; None for no store.
        project_archive: URL of the project's archive (`upload_project`); None if the project is in the
            image.
        seed: Seed of the runs for everything random.
        deterministic: Whether equal inputs must give bit-equal outputs.

    Raises:
        ParameterError: If the image has no name, or a folder of a volume is not absolute.

    Example:
        KubeflowConfig(image="europe-docker.pkg.dev/p/r/taxi:3f2c", pipeline_root="gs://bucket/taxi")
    """

    image: str = dataclasses.field(default_factory=_default_image)
    pipeline_root: str | None = None
    volumes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    store: SecretKey | None = None
    project_archive: str | None = None
    seed: int | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        if not self.image or any(each.isspace() for each in self.image):
            raise ParameterError(
                f"KubeflowConfig.image is the name of an image. Received: {self.image!r}"
            )
        for claim, folder in self.volumes.items():
            if not folder.startswith("/"):
                raise ParameterError(
                    "KubeflowConfig.volumes maps a claim to the absolute folder where it is mounted. "
                    f"Received: {claim!r}: {folder!r}"
                )

    def reaches(self, root: str) -> bool:
        """Return whether every container can write to `root`: a URL, or below a mounted volume."""
        if "://" in root:
            return not root.startswith("file://")
        return any(f"{root}/".startswith(f"{each.rstrip('/')}/") for each in self.volumes.values())
