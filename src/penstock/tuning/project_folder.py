"""Where KerasTuner's tuners keep their projects while a Tuner runs."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from typing import Any

from penstock.tuning.search_record import is_below

_TUNER_ID = "KERASTUNER_TUNER_ID"


@contextlib.contextmanager
def projects_below(folder: str, *, worker: bool = False) -> Iterator[None]:
    """Within the block, tuners that name no directory get `folder`, and none there is overwritten.

    What lies in the folder was left by an earlier attempt at the same search: `overwrite=True`, which
    many modules say, would remove its finished trials, in a worker also those of the others. And
    KerasTuner is kept from reading the project, since other processes may be writing it.

    Args:
        folder: The folder.
        worker: Whether this process only runs trials: then no project is overwritten or read.
    """
    from keras_tuner.engine.base_tuner import BaseTuner

    original = BaseTuner.__init__

    def construct(
        self: Any,
        oracle: Any,
        hypermodel: Any = None,
        directory: Any = None,
        project_name: Any = None,
        overwrite: bool = False,
        **rest: Any,
    ) -> None:
        directory = directory or folder
        if not worker and not is_below(str(directory), folder):
            original(self, oracle, hypermodel, directory, project_name, overwrite, **rest)
            return
        before = os.environ.get(_TUNER_ID)
        os.environ[_TUNER_ID] = f"tuner-{uuid.uuid4().hex}"  # it has no file yet
        try:
            original(self, oracle, hypermodel, directory, project_name, False, **rest)
        finally:
            if before is None:
                del os.environ[_TUNER_ID]
            else:
                os.environ[_TUNER_ID] = before

    BaseTuner.__init__ = construct
    try:
        yield
    finally:
        BaseTuner.__init__ = original
