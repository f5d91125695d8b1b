"""References: what crosses from container to container in place of the data.

Kubeflow copies every input artifact into a container before its command starts. So what it is given
as an artifact is a small JSON file that says where the data is; the data stays under the pipeline's
root and is read there.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

from penstock.artifacts import Artifact
from penstock.launch.attempt import artifact_from_json

FORMAT = 1
"""Version of the file."""


class BrokenReference(ValueError):
    """A file is no reference that this Penstock reads."""


@dataclasses.dataclass(frozen=True, slots=True)
class ArtifactReference:
    """What one node wrote under one key.

    Attributes:
        artifacts: The artifacts, with URI, type, properties and fingerprint; none for an optional
            output that was not written, several from a resolver.
        lineage: What led to them, by node, in the form of `Attempt.lineage`.
    """

    artifacts: Sequence[Artifact]
    lineage: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def write(self, path: str) -> None:
        """Write the file, and its folder if need be."""
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        value = {
            "format": FORMAT,
            "artifacts": [artifact.to_json() for artifact in self.artifacts],
            "lineage": self.lineage,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file, sort_keys=True)

    @classmethod
    def read(cls, path: str) -> Self:
        """Return what `write` wrote; the artifacts' classes are imported.

        Raises:
            BrokenReference: If the file is missing or no reference.
        """
        try:
            with open(path, encoding="utf-8") as file:
                value = json.load(file)
            found = value["format"] if isinstance(value, dict) else None
        except (OSError, ValueError, KeyError) as error:
            raise BrokenReference(
                f"{path} is not a reference to an artifact: {type(error).__name__}: {error}"
            ) from None
        if found != FORMAT:
            raise BrokenReference(
                f"{path} is a reference of format {found!r}; this Penstock reads {FORMAT}. Use one "
                "image for all nodes of a run."
            )
        return cls([artifact_from_json(each) for each in value["artifacts"]], value["lineage"])

    @property
    def metadata(self) -> dict[str, Any]:
        """What Kubeflow's own pages show of it."""
        if not self.artifacts:
            return {"penstock_artifacts": 0}
        first = self.artifacts[0]
        shown: dict[str, Any] = {
            "penstock_artifacts": len(self.artifacts),
            "type": first.TYPE_NAME,
            "uri": first.uri,
            "fingerprint": first.fingerprint or "",
        }
        properties = {**first.custom_properties, **first.properties}
        shown.update(
            {
                f"property_{name}": value
                for name, value in sorted(properties.items())
                if isinstance(value, (str, int, float, bool))
            }
        )
        return shown
