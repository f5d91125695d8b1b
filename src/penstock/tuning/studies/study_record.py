"""A study on disk, so that a search that was killed can go on."""

from __future__ import annotations

import contextlib
import os
import pickle
from typing import Any

from penstock.tuning.keras_search import SearchSettings
from penstock.tuning.studies.optuna_search import OptunaSearch

RECORD_FILE = "penstock_study.pickle"


class StudyRecord:
    """The study of a search: its trials, its sampler and its pruner.

    It is kept whole as a pickle, as Optuna's documentation does: so the sampler's random state is the same
    as in a search that was not interrupted.

    Args:
        search: What `tuner_fn` returned.
        settings: How the search runs.

    Attributes:
        study: The study, as an earlier attempt left it or new.
        losses: How many processes each trial has cost, by the number of its first run.
        resumed: Whether an earlier attempt has left it.
    """

    def __init__(self, search: OptunaSearch, settings: SearchSettings) -> None:
        folder, self._kept = settings.folder, settings.kept
        self._path = None if folder is None else os.path.join(folder, RECORD_FILE)
        self.losses: dict[int, int] = {}
        self.resumed = self._path is not None and os.path.exists(self._path)
        if self._path is not None and self.resumed:
            with open(self._path, "rb") as file:
                found = pickle.load(file)
            self.study, self.losses = found["study"], found["losses"]
            for part in ("sampler", "pruner"):
                if getattr(self.study, part) is None:
                    setattr(self.study, part, getattr(_new_study(search, settings.seed), part))
        else:
            self.study = _new_study(search, settings.seed)

    def save(self) -> None:
        """Write the study, in place of the one before."""
        if self._path is None:
            return
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        with open(f"{self._path}.new", "wb") as file:
            file.write(self._pickled())
        os.replace(f"{self._path}.new", self._path)
        if self._kept is not None:
            self._kept.keep(self._path, weights=False)

    def _pickled(self) -> bytes:
        study: Any = self.study
        with contextlib.suppress(Exception):
            return pickle.dumps({"study": study, "losses": self.losses})
        # A sampler or pruner of the user's own that cannot be pickled begins anew.
        kept = study.sampler, study.pruner
        try:
            study.sampler = study.pruner = None
            return pickle.dumps({"study": study, "losses": self.losses})
        finally:
            study.sampler, study.pruner = kept


def _new_study(search: OptunaSearch, seed: int | None) -> Any:
    import optuna

    # Each trial is told of by the node; Optuna would say it again on the terminal.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction=search.direction,
        sampler=search.sampler or optuna.samplers.TPESampler(seed=seed),
        pruner=search.pruner,
    )
