"""What the registry says of a model and its versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model.

    Args:
        version: The version.
        path: Its folder or URL.
        aliases: The aliases that name it.
        form: "SavedModel", "scikit-learn estimator", "ONNX file" or "Keras file".
        pushed: When it was pushed, in UTC as "2026-11-21T09:30:00Z"; "" if unknown.
        num_bytes: Its size; None if it has no manifest.
        in_use: Whether a server has a lease on it.
        lineage: Where it comes from: `run`, `pipeline`, `code_version`, `blessed`, `metrics`, `model`,
            `data` and more, as `penstock.pushing.lineage` writes it. Empty for what another tool pushed.
    """

    version: int
    path: str
    aliases: tuple[str, ...] = ()
    form: str = ""
    pushed: str = ""
    num_bytes: int | None = None
    in_use: bool = False
    lineage: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics of its evaluation, or else what its training reported."""
        found: Mapping[str, float] = self.lineage.get("metrics") or {}
        return found

    @property
    def blessed(self) -> bool | None:
        """Whether an Evaluator blessed it; None if it was pushed without a verdict, or it is unknown."""
        found: bool | None = self.lineage.get("blessed")
        return found

    @property
    def span(self) -> str:
        """The spans of the data that it was trained on, such as "3" or "3, 4"; "" if it has none."""
        spans = {each["span"] for each in self.lineage.get("data") or [] if each.get("span")}
        return ", ".join(map(str, sorted(spans)))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "version": self.version,
            "path": self.path,
            "aliases": list(self.aliases),
            "form": self.form,
            "pushed": self.pushed,
            "bytes": self.num_bytes,
            "in_use": self.in_use,
            "lineage": dict(self.lineage),
        }


@dataclass(frozen=True)
class Refusal:
    """A model that was not pushed.

    Args:
        run: The run.
        node: The Pusher in it.
        reason: Why not.
    """

    run: str
    node: str
    reason: str


@dataclass(frozen=True)
class RegisteredModel:
    """A model with its versions.

    Args:
        name: Its name.
        destination: The folder or URL of its versions; "" if a Pusher's own function pushes it.
        versions: Its versions, the newest first.
        aliases: The version of each alias.
        refused: The newest run's refusal to push, if it came after the newest version.
    """

    name: str
    destination: str
    versions: Sequence[ModelVersion]
    aliases: Mapping[str, int] = field(default_factory=dict)
    refused: Refusal | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        refused = self.refused
        return {
            "name": self.name,
            "destination": self.destination,
            "aliases": dict(self.aliases),
            "versions": [each.to_json() for each in self.versions],
            "not_pushed": refused
            and {"run": refused.run, "node": refused.node, "reason": refused.reason},
        }
