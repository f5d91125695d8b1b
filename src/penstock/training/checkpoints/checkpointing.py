"""Writing the checkpoints of a training beside it, and finding the one that it goes on from."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from penstock.training.checkpoints.cadence import Cadence
from penstock.training.checkpoints.folder import CheckpointFolder
from penstock.training.checkpoints.variables import all_finite, differences, structure_of

log = logging.getLogger(__name__)


class Checkpointing:
    """Writes the checkpoints of one training, and finds the one to go on from.

    Args:
        folder: Where they are.
        cadence: When they are due.
        writes: Whether this process writes them; the others of a group only read.
        fingerprint: What else must be as it was, by name, such as the number of batches of a pass.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        cadence: Cadence | None = None,
        *,
        writes: bool = True,
        fingerprint: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.cadence, self.writes = folder, cadence or Cadence(), writes
        self._fingerprint = dict(fingerprint or {})
        self._structure: dict[str, Any] = {}
        self._writing: threading.Thread | None = None
        self._failed: Exception | None = None
        self.seconds = 0.0
        """How long training waited for checkpoints."""

    def find(self, model: Any) -> dict[str, Any] | None:
        """Return the newest checkpoint that fits the model; None starts anew, and the log says why."""
        self._structure = structure_of(model)
        if self.writes:
            self.folder.remove_unfinished()
        contents = self.folder.newest()
        if contents is None:
            return None
        found = differences(contents["structure"], self._structure)
        found += [
            f"{name} was {contents['fingerprint'].get(name)} and is {value}"
            for name, value in self._fingerprint.items()
            if contents["fingerprint"].get(name) != value
        ]
        if found:
            log.warning(
                "The checkpoint in %s does not fit the code any more, so training starts anew: %s",
                self.folder.path,
                "; ".join(found),
            )
            return None
        log.info(
            "Training was complete, after %d steps: its result is taken from the checkpoint in %s"
            if contents["finished"]
            else "Training goes on after step %d, from the checkpoint in %s",
            contents["position"]["total"],
            self.folder.path,
        )
        self.cadence.saved()
        return contents

    def save(self, contents: Callable[[], dict[str, Any]]) -> None:
        """Write a checkpoint of what a function returns; the writing itself goes on beside training.

        What is not finite is not written: the last good checkpoint stays.

        Args:
            contents: Called in all processes of a group, for reading may take all of them.

        Raises:
            OSError: If the one before could not be written.
        """
        started = time.monotonic()
        self.wait()
        taken = contents()
        if self.writes and all_finite(taken["variables"]):
            taken |= {"structure": self._structure, "fingerprint": self._fingerprint}
            self._writing = threading.Thread(target=self._write, args=(taken, started))
            self._writing.start()
        elif self.writes:
            log.warning(
                "Step %d: the weights are no longer finite numbers, so no checkpoint is written. "
                "The last one stays.",
                taken["position"]["total"],
            )
        self.cadence.saved()
        self.seconds += time.monotonic() - started

    def wait(self) -> None:
        """Wait until the checkpoint is written that is being written.

        Raises:
            OSError: If that failed.
        """
        if self._writing is not None:
            self._writing.join()
            self._writing = None
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    def _write(self, contents: dict[str, Any], started: float) -> None:
        try:
            self.folder.write(contents)
        except Exception as error:  # raised where training waits for it
            self._failed = error
        self.cadence.cost = time.monotonic() - started
