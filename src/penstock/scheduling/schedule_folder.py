"""The schedules of a project, as files.

    .penstock/schedules/NAME.json         what was scheduled; the command writes it
    .penstock/schedules/states/NAME.json  how far it is; the scheduler writes it
    .penstock/schedules/logs/             what runs printed
    .penstock/schedules/scheduler.lock    held by the scheduler that runs

Each file is replaced in one step, so a reader sees the old or the new one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from penstock.scheduling.schedule import Schedule
from penstock.scheduling.state import ScheduleState
from penstock.spelling import nearest

_LOCK_TRIES, _LOCK_SECONDS = 10, 0.05


class ScheduleError(ValueError):
    """A schedule cannot be made, read or changed."""


class UnknownSchedule(ScheduleError):
    """There is no schedule of that name."""


class ScheduleFolder:
    """The schedules of one project.

    Args:
        project_root: The project's folder.

    Example:
        >>> folder = ScheduleFolder(".")
        >>> folder.add(Schedule(name="nightly", file="p.py", pipeline="p", cron="@daily"))
        True
        >>> [schedule.name for schedule in folder.schedules()]
        ['nightly']
    """

    def __init__(self, project_root: str | os.PathLike[str]) -> None:
        self.project_root = Path(project_root).absolute()
        self.path = self.project_root / ".penstock" / "schedules"

    def schedules(self) -> list[Schedule]:
        """Return all schedules, by name.

        Raises:
            ScheduleError: If a file is damaged.
        """
        return [self._read(name) for name in _names(self.path)]

    def find(self, name: str) -> Schedule:
        """Return a schedule.

        Raises:
            UnknownSchedule: If there is none, with the nearest name.
        """
        names = [schedule.name for schedule in self.schedules()]
        if name not in names:
            raise UnknownSchedule(
                f"there is no schedule {name!r} in {self.project_root}.{nearest(name, names)}"
            )
        return self._read(name)

    def add(self, schedule: Schedule, *, replace: bool = False) -> bool:
        """Write a schedule, and return whether something changed.

        Args:
            schedule: It.
            replace: Whether a schedule of that name that does something else is replaced.

        Raises:
            ScheduleError: If there is one that does something else, and `replace` is not set.
        """
        there = self._read(schedule.name) if self._file(schedule.name).exists() else None
        if there is not None and there.does_the_same(schedule):
            if there.enabled == schedule.enabled:
                return False
            schedule = dataclasses.replace(there, enabled=schedule.enabled)
        elif there is not None and not replace:
            raise ScheduleError(
                f"there is a schedule {schedule.name!r} already, which runs {there.file} {there.when}. "
                "Replace it with --replace, or give this one another --name."
            )
        _write(self._file(schedule.name), schedule.to_json())
        return True

    def remove(self, name: str) -> None:
        """Remove a schedule; a run of it that goes on is not stopped.

        Raises:
            UnknownSchedule: If there is none.
        """
        self.find(name)
        self._file(name).unlink(missing_ok=True)

    def state(self, name: str) -> ScheduleState:
        """Return how far a schedule is."""
        path = self._state_file(name)
        try:
            return ScheduleState.from_json(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return ScheduleState()
        except (ValueError, TypeError) as error:
            raise ScheduleError(
                f"{path} is damaged: {error}. Remove it to begin anew from now on."
            ) from None

    def write_state(self, name: str, state: ScheduleState) -> None:
        """Remember how far a schedule is."""
        _write(self._state_file(name), state.to_json())

    def left_states(self) -> list[str]:
        """Return the names of which there is a state and no schedule any more."""
        return [name for name in _names(self.path / "states") if not self._file(name).exists()]

    def remove_state(self, name: str) -> None:
        """Forget how far a schedule was."""
        self._state_file(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only scheduler of the project while the body runs.

        Raises:
            ScheduleError: If there is another.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / "scheduler.lock", "a+") as file:
            if not _locked(file):
                file.seek(0)
                raise ScheduleError(
                    f"a scheduler of {self.project_root} runs already (process {file.read().strip()})"
                )
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def has_scheduler(self) -> bool:
        """Return whether a scheduler runs."""
        try:
            with open(self.path / "scheduler.lock") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.json"

    def _state_file(self, name: str) -> Path:
        return self.path / "states" / f"{name}.json"

    def _read(self, name: str) -> Schedule:
        path = self._file(name)
        try:
            return Schedule.from_json(json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise ScheduleError(f"{path} is damaged: {error}. Schedule it again.") from None


def _names(folder: Path) -> list[str]:
    return sorted(each.stem for each in folder.glob("*.json"))


def _locked(file: IO[str]) -> bool:
    """Take the scheduler's lock; whoever asks whether one runs holds it for a moment, too."""
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_LOCK_SECONDS)
    return False


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, new = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(value, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise
