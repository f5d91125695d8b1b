"""The settings of a compilation for Kubeflow, in addition to the pipeline."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.pod import PodSettings, SecretKey
from penstock.dsl.pod.settings import is_image
from penstock.dsl.runtime_parameter import RuntimeParameter
from penstock.runners.kubeflow.replicas import ReplicaPods
from penstock.spelling import did_you_mean, names_its_arguments

WAIVABLE = ("priority_class", "service_account")
"""Settings that Kubeflow cannot honour and `KubeflowConfig.allow` lets pass."""


def _default_image() -> str:
    return os.environ.get("PENSTOCK_IMAGE", "penstock:latest")


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class KubeflowConfig:
    """How a pipeline is compiled for Kubeflow.

    Args:
        image: Image of all nodes; by default the environment's `PENSTOCK_IMAGE`, else
            `penstock:latest`. Name it by a tag that changes with its content, or by digest: Kubeflow's
            cache takes two images of one name for the same. As a `RuntimeParameter` it becomes a parameter
            of the Kubeflow pipeline.
        pod: Settings of every pod; those of a node come before them.
        pipeline_root: Folder or URL of the artifacts, before the pipeline's own. It is the default of
            the run's parameter `pipeline_root`.
        volumes: Persistent volume claim to the folder where it is mounted, in every container.
        store: The secret that holds the URL of the metadata store; None for no store.
        project_archive: URL of the project's archive (`upload_project`); None if the project is in the
            image.
        ship_project: Whether compiling packs the project and puts it below the pipeline's root, where the
            containers fetch it; it is named by the digest of its content. The root must be a URL.
        seed: Seed of the runs for everything random.
        deterministic: Whether equal inputs must give bit-equal outputs.
        pages: Whether Kubeflow's pages show what a node has found: its metrics, the ROC curve and confusion
            matrix of an evaluation, and the pages of data, trainings, evaluations and models.
        allow: Settings that may be left out where Kubeflow cannot honour them, with a warning instead of an
            error: `"priority_class"` for all nodes, `"Trainer.priority_class"` for one.
        replicas: How the pods of nodes with several replicas are made.

    Raises:
        ParameterError: If the image has no name, a folder of a volume is not absolute, or `allow` names
            something else.

    Example:
        KubeflowConfig(image="europe-docker.pkg.dev/p/r/taxi:3f2c", pipeline_root="gs://bucket/taxi")
    """

    image: str | RuntimeParameter = dataclasses.field(default_factory=_default_image)
    pipeline_root: str | None = None
    volumes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    store: SecretKey | None = None
    project_archive: str | None = None
    ship_project: bool = False
    seed: int | None = None
    deterministic: bool = False
    pod: PodSettings = dataclasses.field(default_factory=PodSettings)
    pages: bool = True
    allow: Sequence[str] = ()
    replicas: ReplicaPods = dataclasses.field(default_factory=ReplicaPods)

    def __post_init__(self) -> None:
        image: Any = self.image
        parameter = isinstance(image, RuntimeParameter) and image.ptype is str
        if not parameter and not is_image(image):
            raise ParameterError(
                f"KubeflowConfig.image is the name of an image. Received: {self.image!r}"
            )
        for claim, folder in self.volumes.items():
            if not folder.startswith("/"):
                raise ParameterError(
                    "KubeflowConfig.volumes maps a claim to the absolute folder where it is mounted. "
                    f"Received: {claim!r}: {folder!r}"
                )
        if self.ship_project and self.project_archive:
            raise ParameterError(
                "KubeflowConfig.ship_project makes the project's archive, and project_archive names one: "
                "give one of them."
            )
        for each in self.allow:
            if each.rpartition(".")[2] not in WAIVABLE:
                raise ParameterError(
                    f"KubeflowConfig.allow has no {each!r}.{did_you_mean(each, WAIVABLE)}"
                )

    def allows(self, node: str, setting: str) -> bool:
        """Return whether a setting of a node may be left out."""
        return setting in self.allow or f"{node}.{setting}" in self.allow

    def reaches(self, root: str) -> bool:
        """Return whether every container can write to `root`: a URL, or below a mounted volume."""
        if "://" in root:
            return not root.startswith("file://")
        return any(f"{root}/".startswith(f"{each.rstrip('/')}/") for each in self.volumes.values())
