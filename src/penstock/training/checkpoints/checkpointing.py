"""When a checkpoint is written, and which one a training goes on from."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from penstock.training.checkpoints.folder import CheckpointFolder
from penstock.training.checkpoints.variables import all_finite, differences, structure_of

log = logging.getLogger(__name__)

Every: TypeAlias = int | Literal["epoch"] | None

SECONDS_BETWEEN = 30.0
"""Time between two checkpoints within an epoch."""

_LARGEST_SHARE = 0.02
"""Of the time of training, for checkpoints that nobody asked for."""


class Checkpointing:
    """Writes the checkpoints of one training, and finds the one to go on from.

    Args:
        folder: Where they are.
        every: A number of steps, or "epoch". None is every epoch and every 30 seconds in it, as long as
            it takes less than 2 % of the time.
        writes: Whether this process writes them; the others of a group only read.
        fingerprint: What else must be as it was, by name, such as the number of batches of a pass.

    Raises:
        ValueError: If `every` is neither.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        *,
        every: Every = None,
        writes: bool = True,
        fingerprint: Mapping[str, Any] | None = None,
    ) -> None:
        if not (every is None or every == "epoch" or (type(every) is int and every > 0)):
            raise ValueError(
                'checkpoint_every is a number of steps, or "epoch"; None is every epoch and every '
                f"{SECONDS_BETWEEN:.0f} s. Received: {every!r}"
            )
        self.folder, self.every, self.writes = folder, every, writes
        self._fingerprint = dict(fingerprint or {})
        self._structure: dict[str, Any] = {}
        self._last = time.monotonic()
        self._cost = 0.0
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
        position = contents["position"]
        log.info(
            "Training was complete, after %d steps: its result is taken from the checkpoint in %s"
            if contents["finished"]
            else "Training goes on after step %d, from the checkpoint in %s",
            position["total"],
            self.folder.path,
        )
        self._last = time.monotonic()
        return contents

    def due(self, step: int) -> bool:
        """Return whether a checkpoint is due after a step within an epoch."""
        if self.every is None:
            return self.writes and time.monotonic() - self._last > max(
                SECONDS_BETWEEN, self._cost / _LARGEST_SHARE
            )
        return self.every != "epoch" and step % self.every == 0

    def after_epoch(self, contents: Callable[[], dict[str, Any]]) -> None:
        """Write a checkpoint at the end of an epoch, unless it would take too large a share of the time."""
        passed = time.monotonic() - self._last
        if self.every is None and passed * _LARGEST_SHARE < self._cost:
            return
        if self.every is None or self.every == "epoch":
            self.save(contents)

    def save(self, contents: Callable[[], dict[str, Any]]) -> None:
        """Write a checkpoint of what a function returns; the writing itself goes on beside training.

        What is not finite is not written: the last good checkpoint stays.

        Raises:
            OSError: If the one before could not be written.
        """
        started = time.monotonic()
        self.wait()
        if self.writes:
            taken = contents()
            if all_finite(taken["variables"]):
                taken |= {"structure": self._structure, "fingerprint": self._fingerprint}
                self._writing = threading.Thread(target=self._write, args=(taken, started))
                self._writing.start()
            else:
                log.warning(
                    "Step %d: the weights are no longer finite numbers, so no checkpoint is written. "
                    "The last one stays.",
                    taken["position"]["total"],
                )
        self._last = time.monotonic()
        self.seconds += self._last - started

    def finish(self, contents: Callable[[], dict[str, Any]]) -> None:
        """Write the checkpoint of a training that is over, so that it is not trained again."""
        self.save(contents)
        self.wait()

    def _write(self, contents: dict[str, Any], started: float) -> None:
        try:
            self.folder.write(contents)
        except Exception as error:  # raised where training waits for it
            self._failed = error
        self._cost = time.monotonic() - started

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
