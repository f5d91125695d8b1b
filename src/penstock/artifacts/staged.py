"""Local places that stand for URLs, filled and emptied by processes on other machines."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Mapping

from penstock.artifacts import location


@dataclasses.dataclass(frozen=True, slots=True)
class StagedPlaces:
    """Local places of artifacts that lie behind URLs, the same on each machine that works with them.

    Attributes:
        inputs: Local file or folder to the URL that it is a copy of.
        outputs: Local folder to the URL where its content belongs.
    """

    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def fetch_inputs(self) -> None:
        """Copy the inputs to this machine, unless an earlier process has done so.

        Raises:
            OSError: If they cannot be read, or there is no room for them.
        """
        for local, url in self.inputs.items():
            if os.path.exists(local):
                continue
            unfinished = f"{local}.unfinished-{os.getpid()}"
            os.makedirs(os.path.dirname(local), exist_ok=True)
            location.download(url, unfinished)
            with contextlib.suppress(OSError):  # another process of this machine was faster
                os.rename(unfinished, local)

    def clear_outputs(self) -> None:
        """Remove what an earlier process wrote half, and make the folders."""
        for local in self.outputs:
            shutil.rmtree(local, ignore_errors=True)
            os.makedirs(local)

    def send_outputs(self) -> None:
        """Copy what was written to where it belongs."""
        for local, url in self.outputs.items():
            if os.listdir(local):
                location.upload(local, url)

    def receive_outputs(self) -> None:
        """Copy to this machine what a process on another one has sent."""
        for local, url in self.outputs.items():
            with contextlib.suppress(FileNotFoundError):  # it wrote nothing there
                location.download(url, local)


NOTHING_STAGED = StagedPlaces()
