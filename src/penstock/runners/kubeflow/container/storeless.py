"""One node's execution without a metadata store: nothing is looked up or recorded."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence

from penstock.artifacts import Artifact, location
from penstock.dsl.component import Component
from penstock.dsl.references import resolve
from penstock.graph import GraphNode
from penstock.launch.attempt import (
    Attempt,
    AttemptResult,
    RunSettings,
)
from penstock.launch.cache_key import CacheKeys
from penstock.launch.checkpoints import remove_checkpoints
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.launcher import Ended, InputMissing
from penstock.launch.outputs import discard_outputs
from penstock.launch.resolution import import_artifact


class StorelessLauncher:
    """Takes one node through its life with nothing but its inputs.

    Execution ids are random numbers of 62 bits, so that no two attempts meet, on whatever machine.

    Args:
        settings: Of the run.
        inputs: Artifacts by input key; a key may come several times.
    """

    def __init__(
        self, settings: RunSettings, inputs: Iterable[tuple[str, Sequence[Artifact]]]
    ) -> None:
        self._settings = settings
        self._inputs: dict[str, list[Artifact]] = {}
        for key, artifacts in inputs:
            if artifacts:
                self._inputs.setdefault(key, []).extend(artifacts)

    def begin(self, node: GraphNode) -> Ended | Attempt:
        """Return how the node ended, if it needs no execution, else the attempt at it.

        A resolver finds nothing: what earlier runs published is known to a store only.

        Raises:
            InputMissing: If a required input has no artifact.
            FileNotFoundError: If an importer's source does not exist.
        """
        execution_id = uuid.uuid4().int >> 66
        if node.kind == "resolver":
            print(
                f"{node.id}: no metadata store, so earlier runs are unknown: it finds no artifacts",
                file=sys.stderr,
            )
            return Ended(execution_id, "COMPLETE", {})
        if node.kind == "importer":
            key, artifact = import_artifact(node, self._absolute)
            return Ended(execution_id, "COMPLETE", {key: [artifact]})
        self._require_inputs(node)
        parts = CacheKeys(self._settings, DigestMemo()).parts(node, self._inputs)
        return Attempt.laid_out(
            node, self._settings, execution_id, inputs=self._inputs, key_parts=parts
        )

    def epoch_reported(self, attempt: Attempt, epoch: int, metrics: Mapping[str, float]) -> None:
        """Print an epoch of training: there is no store that would keep it."""
        text = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        print(f"{attempt.node.id}: epoch {epoch}: {text}", file=sys.stderr, flush=True)

    def publish(self, attempt: Attempt, result: AttemptResult) -> None:
        """Remove the checkpoints; what was written is made known by its references alone."""
        remove_checkpoints(self._settings.pipeline_root, attempt.node.id, self._settings.run_id)

    def fail(self, attempt: Attempt, reason: str, result: AttemptResult | None = None) -> None:
        """Remove what a failed attempt wrote, unless it is a gate's; its log is kept."""
        if result is None or not result.rejected:
            discard_outputs(attempt.outputs.values())

    def stopping(self, attempt: Attempt, reason: str) -> None:
        """Do nothing: nothing is recorded."""

    def cancel(self, attempt: Attempt, reason: str) -> None:
        """Remove what an attempt wrote that was ended from outside."""
        discard_outputs(attempt.outputs.values())

    def _require_inputs(self, node: GraphNode) -> None:
        component_class: type[Component] = resolve(node.component)
        for key, spec in component_class.interface().inputs.items():
            if not spec.optional and key not in self._inputs:
                sources = ", ".join(f"{edge.producer}.{edge.key}" for edge in node.inputs[key])
                raise InputMissing(f"{node.id} needs an artifact for {key!r}; {sources} gave none.")

    def _absolute(self, path: str) -> str:
        return location.absolute(path, self._settings.project_root)
