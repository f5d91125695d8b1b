"""Artifacts behind URLs, as folders of this machine while a component works on them.

TensorFlow opens neither `s3://` nor `minio://`, and what most libraries open is a file. So what lies
elsewhere is copied here before the component runs, and what it wrote is copied there afterwards.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import shutil
from collections.abc import Mapping

from penstock.artifacts import Artifact, location
from penstock.artifacts.staged import StagedPlaces
from penstock.dsl.component import Component
from penstock.dsl.references import resolve
from penstock.launch.attempt import Attempt, output_folder
from penstock.progress import stage

_LOCAL_RUNNERS = frozenset(
    {"DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner", "PrismRunner"}
)


class Staging:
    """The local copies of one attempt's artifacts.

    A component that opens URLs itself (`READS_URLS`) gets them as they are, and so does one whose work
    is done by a Beam runner on other machines.

    Args:
        attempt: The attempt, whose artifacts may lie behind URLs.

    Attributes:
        local: What `fetch` returned; the attempt itself before that.

    Example:
        >>> staging = Staging(attempt)
        >>> try:
        ...     run(staging.fetch())
        ...     staging.store(outputs)
        ... finally:
        ...     staging.remove()
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = self.local = attempt
        self._folder = staged_folder(attempt.working_dir)
        self._places: dict[str, str] = {}  # local folder or file to URL
        component_class: type[Component] = resolve(attempt.node.component)
        self._is_needed = not (
            component_class.READS_URLS or _on_other_machines(attempt.node.beam_pipeline_args)
        )

    def fetch(self) -> Attempt:
        """Copy the inputs to this machine; return the attempt with the local places of all artifacts.

        Raises:
            OSError: If they cannot be read, or there is no room for them.
        """
        if not self._is_needed:
            return self.local
        inputs = {
            key: [self._fetched(each) for each in of] for key, of in self._attempt.inputs.items()
        }
        outputs = {key: self._placed(each) for key, each in self._attempt.outputs.items()}
        if self._places:
            self.local = dataclasses.replace(self._attempt, inputs=inputs, outputs=outputs)
        return self.local

    @property
    def places(self) -> StagedPlaces:
        """The local places of artifacts that lie behind URLs."""
        outputs = {
            output_folder(self.local.outputs[key]): output_folder(each)
            for key, each in self._attempt.outputs.items()
            if self.local.outputs[key].uri != each.uri
        }
        own = {self.local.outputs[key].uri for key in self._attempt.outputs}
        inputs = {local: url for local, url in self._places.items() if local not in own}
        return StagedPlaces(inputs, outputs)

    def store(self, outputs: Mapping[str, Artifact]) -> dict[str, Artifact]:
        """Copy what was written to where it belongs; return the artifacts with their URLs.

        Args:
            outputs: Of the attempt that `fetch` returned, finished.
        """
        if not self._places:
            return dict(outputs)
        stored: dict[str, Artifact] = {}
        for key, artifact in outputs.items():
            result = copy.copy(artifact)
            result.properties = {n: self._restored(v) for n, v in artifact.properties.items()}
            result.custom_properties = {
                n: self._restored(v) for n, v in artifact.custom_properties.items()
            }
            if artifact.uri != self._attempt.outputs[key].uri:
                result.uri = self._attempt.outputs[key].uri
                with stage(f"copying what was written to {result.uri}"):
                    location.upload(output_folder(artifact), output_folder(result))
            stored[key] = result
        return stored

    def remove(self) -> None:
        """Remove the copies; idempotent."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _fetched(self, artifact: Artifact) -> Artifact:
        if location.is_local(artifact.uri):
            return artifact
        local = self._place(artifact.uri)
        if local not in self._places:
            with stage(f"copying {artifact.uri} to this machine"):
                location.download(artifact.uri, local)
            self._places[local] = artifact.uri
        found = copy.copy(artifact)
        found.uri = local
        return found

    def _placed(self, artifact: Artifact) -> Artifact:
        if location.is_local(artifact.uri):
            return artifact
        local = self._place(artifact.uri)
        self._places[local] = artifact.uri
        placed = copy.copy(artifact)
        placed.uri = local
        return placed

    def _place(self, url: str) -> str:
        """Return a local place that ends as the URL does: names of folders and files mean something."""
        return os.path.join(self._folder, *url.rstrip("/").replace("://", "/").split("/"))

    def _restored(self, value: object) -> object:
        """Return a property in which a local place stands as the URL that it stands for."""
        if isinstance(value, str) and self._folder in value:
            for local, url in sorted(self._places.items(), reverse=True):
                value = value.replace(local, url)
        return value


def staged_folder(working_dir: str) -> str:
    """Return where the copies lie of an attempt with such a scratch folder: beside it."""
    return f"{working_dir}.staged"


def _on_other_machines(beam_pipeline_args: object) -> bool:
    """Return whether Beam's arguments name a runner whose workers may be on other machines."""
    if not isinstance(beam_pipeline_args, (list, tuple)):
        return False
    arguments = [str(each) for each in beam_pipeline_args]
    for index, each in enumerate(arguments):
        name, equals, value = each.partition("=")
        if name == "--runner":
            runner = value if equals else next(iter(arguments[index + 1 :]), "")
            return runner.rpartition(".")[2] not in _LOCAL_RUNNERS
    return False
