"""What a search has found so far, on disk, so that one that was killed can go on.

KerasTuner's own files do not do: they are not written atomically, a trial that had just ended counts as
unfinished, and GridSearch and BayesianOptimization leave out what they need to go on.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
from collections import defaultdict
from typing import Any, Self

from penstock.tuning.kept_folder import KeptFolder

RECORD_FILE = "penstock_search.pickle"

# What the tuner's construction sets, or what only shows trials.
_NOT_STATE = frozenset({"_display", "directory", "project_name", "_directory", "_project_name"})


class SearchRecord:
    """The state of a KerasTuner oracle, and what is known of its trials besides.

    Args:
        path: The file; None keeps nothing.
        kept: Keeps the folder at a URL, too; None for no URL.

    Attributes:
        seconds: How long each trial took, by its id.
        losses: How many processes each trial has cost, by its id.
        resumed: How many trials had ended when the record was read.
    """

    def __init__(self, path: str | None = None, kept: KeptFolder | None = None) -> None:
        self._path, self._kept = path, kept
        self.seconds: dict[str, float] = {}
        self.losses: dict[str, int] = {}
        self.resumed = 0

    @classmethod
    def of(cls, tuner: Any, folder: str | None, kept: KeptFolder | None = None) -> Self:
        """Return the record of a tuner; one that is there already is put into the tuner's oracle.

        Args:
            tuner: A KerasTuner tuner that has not searched.
            folder: Where the attempts of this execution leave things to one another. The project of a
                tuner that lies elsewhere is the user's own, which KerasTuner keeps.
            kept: Keeps the folder at a URL, too.
        """
        project = getattr(tuner, "project_dir", None)
        if folder is None or project is None or not is_below(project, folder):
            return cls()
        record = cls(os.path.join(str(project), RECORD_FILE), kept)
        record._restore(tuner.oracle)
        return record

    def save(self, oracle: Any) -> None:
        """Write the state, in place of the one before."""
        if self._path is None:
            return
        state = {name: value for name, value in vars(oracle).items() if name not in _NOT_STATE}
        text = _pickled({"oracle": state, "seconds": self.seconds, "losses": self.losses})
        temporary = f"{self._path}.new"
        with open(temporary, "wb") as file:
            file.write(text)
        os.replace(temporary, self._path)
        if self._kept is not None:
            # Hyperband goes on from the weights of trials that have ended.
            self._kept.keep(self._path, weights=hasattr(oracle, "_brackets"))

    def retry_failures(self, oracle: Any) -> None:
        """Have the trials that have failed run again by the next attempt, since this one gives up."""
        for trial in oracle.trials.values():
            if trial.status == "FAILED":
                trial.status = "INVALID"
                oracle.end_order.remove(trial.trial_id)
                oracle._run_times.pop(trial.trial_id, None)
                oracle._retry_queue.insert(0, trial.trial_id)
                self.losses.pop(trial.trial_id, None)
        self.save(oracle)

    def _restore(self, oracle: Any) -> None:
        if self._path is None or not os.path.exists(self._path):
            return
        with open(self._path, "rb") as file:
            found = pickle.load(file)
        self.seconds, self.losses = found["seconds"], found["losses"]
        vars(oracle).update(found["oracle"])
        # What was running is run again, the first one first.
        waiting = set(oracle._retry_queue)
        interrupted = {trial.trial_id for trial in oracle.ongoing_trials.values()} - waiting
        oracle._retry_queue.extend(sorted(interrupted, reverse=True))
        oracle.ongoing_trials = {}
        oracle.tuner_ids = set()
        self.resumed = len(oracle.end_order)


def is_below(path: str, folder: str) -> bool:
    """Return whether a path lies in a folder, or is it."""
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(outer + os.sep)


def _pickled(value: dict[str, Any]) -> bytes:
    """Return a pickle; attributes of a user's oracle that cannot be pickled are left as they are made."""
    with contextlib.suppress(Exception):
        return _dump(value)
    kept = {}
    for name, each in value["oracle"].items():
        with contextlib.suppress(Exception):
            _dump(each)
            kept[name] = each
    return _dump(value | {"oracle": kept})


def _dump(value: Any) -> bytes:
    text = io.BytesIO()
    _Pickler(text).dump(value)
    return text.getvalue()


class _Pickler(pickle.Pickler):
    """Knows the dictionaries of KerasTuner whose default is a lambda's constant."""

    def reducer_override(self, value: Any) -> Any:
        factory: Any = value.default_factory if type(value) is defaultdict else None
        if getattr(factory, "__name__", "") != "<lambda>":
            return NotImplemented
        return _constant_default, (factory(),), None, None, iter(value.items())


def _constant_default(value: Any) -> defaultdict[Any, Any]:
    return defaultdict(lambda: value)
