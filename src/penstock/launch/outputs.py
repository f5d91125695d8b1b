"""What an attempt wrote: checked and fingerprinted, or removed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from penstock.artifacts import Artifact, ValueArtifact, location
from penstock.artifacts.fingerprint import fingerprint
from penstock.launch.attempt import Attempt, output_folder, stamp


class OutputError(RuntimeError):
    """A component ended without an error but did not write what it declares."""


def collect_outputs(attempt: Attempt) -> tuple[dict[str, Artifact], int]:
    """Return what was written, fingerprinted, and its size.

    Raises:
        OutputError: If an output that is not optional is empty.
    """
    outputs: dict[str, Artifact] = {}
    total = 0
    for key, artifact in attempt.outputs.items():
        if _is_empty(artifact):
            if not attempt.node.outputs[key].optional:
                raise OutputError(
                    f"{attempt.node.id} ended without writing its output {key!r} "
                    f"({artifact.TYPE_NAME}) to {artifact.uri}. Write to it, or declare it with "
                    "output(optional=True)."
                )
            location.remove(output_folder(artifact))
            continue
        artifact.fingerprint, size = fingerprint(artifact.uri)
        stamp(artifact)
        total += size
        outputs[key] = artifact
    return outputs, total


def _is_empty(artifact: Artifact) -> bool:
    if isinstance(artifact, ValueArtifact):
        return not location.exists(artifact.value_uri)
    if artifact.properties or artifact.custom_properties:
        return False
    return not location.list_files(artifact.uri)


def discard_outputs(artifacts: Iterable[Artifact]) -> None:
    """Remove what an attempt wrote, as far as that is possible."""
    for artifact in artifacts:
        with contextlib.suppress(Exception):
            location.remove(output_folder(artifact))
