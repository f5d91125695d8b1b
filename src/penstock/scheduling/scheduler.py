"""The process that runs what is scheduled in a project."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from penstock.notifications import RunEvent
from penstock.quantities import duration
from penstock.runners.local.runner import new_run_id
from penstock.scheduling.due import due
from penstock.scheduling.notices import Notices
from penstock.scheduling.run_end import (
    event_without_run,
    find_run,
    followed_run,
    opened,
    run_event,
)
from penstock.scheduling.run_process import (
    RunProcess,
    remove_old_logs,
    resume_arguments,
    run_arguments,
)
from penstock.scheduling.schedule import Schedule
from penstock.scheduling.schedule_folder import ScheduleError, ScheduleFolder
from penstock.scheduling.state import ScheduleState
from penstock.store import RunState, StoreError

_LOOK_SECONDS = 5.0
"""How long a changed schedule, or the end of a run that others began, may go unnoticed."""
_BUSY_SECONDS = 0.5
_STOP_SECONDS = 60.0
_MOST_RESUMES = 3


class Scheduler:
    """Runs what is scheduled, each run in a process of its own, one run of a schedule at a time.

    It may be stopped or killed at any moment: the next one goes on with the runs that it finds. What it
    stopped, or what died with the machine, is resumed.

    Args:
        folder: The schedules of the project.
        tell: Takes a line about each thing that happens.

    Example:
        >>> scheduler = Scheduler(ScheduleFolder("."))
        >>> with scheduler.folder.locked():
        ...     scheduler.run(threading.Event())     # until it is set
    """

    def __init__(self, folder: ScheduleFolder, tell: Callable[[str], object] = print) -> None:
        self.folder = folder
        self._tell = tell
        self._processes: dict[str, RunProcess] = {}
        self._known: dict[str, Schedule] = {}
        self._complaints: dict[str, str] = {}

    def run(self, stop: threading.Event, *, until_idle: bool = False) -> None:
        """Run what becomes due until `stop` is set; then ask the runs to stop, and wait for them.

        Args:
            stop: Ends it.
            until_idle: Whether it also ends when nothing is due and nothing runs: for a system that
                starts it again and again itself.
        """
        notices = Notices(self.folder.project_root)
        try:
            while not stop.is_set():
                wait = self.tick(datetime.now(UTC), notices)
                if until_idle and wait is None:
                    break
                stop.wait(_LOOK_SECONDS if wait is None else wait)
        finally:
            self._stop()
            notices.close()
            self._note_deliveries(notices)
            for process in self._processes.values():
                process.wait(_STOP_SECONDS)

    def tick(self, now: datetime, notices: Notices) -> float | None:
        """Do what is to be done at a moment.

        Returns:
            In how many seconds to look again at the latest; None if nothing goes on.
        """
        self._note_deliveries(notices)
        busy = False
        times: list[datetime | None] = []
        for schedule in self._schedules():
            try:
                busy |= self._tend(schedule, now, notices)
                times.append(self._next(schedule))
            except (ScheduleError, StoreError, OSError) as error:
                self._complain(schedule.name, str(error))
        if busy or notices.is_busy:
            return _BUSY_SECONDS
        soonest = min((each for each in times if each is not None), default=None)
        if soonest is None:
            return None
        left = (soonest - datetime.now(UTC)).total_seconds()
        return max(0.0, left) if left < _LOOK_SECONDS else None

    def _schedules(self) -> list[Schedule]:
        """Return the schedules, and those that were removed while a run of theirs goes on."""
        try:
            there = {each.name: each for each in self.folder.schedules()}
            left = {
                name: each
                for name, each in self._known.items()
                if name not in there and self.folder.state(name).run_id
            }
        except ScheduleError as error:
            self._complain("schedules", str(error))
            return list(self._known.values())
        for name in self.folder.left_states():
            if name not in left:
                self.folder.remove_state(name)
        self._known = {**there, **left}
        return list(self._known.values())

    def _tend(self, schedule: Schedule, now: datetime, notices: Notices) -> bool:
        """Do what is to be done for a schedule, and return whether a run of it goes on."""
        state = self.folder.state(schedule.name)
        if state.untold and not state.run_id and not notices.has(schedule.name):
            self._tell_again(schedule, state, notices)
        if state.run_id:
            return self._watch(schedule, state, notices)
        if not schedule.enabled:
            return False
        scheduled = self._due(schedule, state, now)
        if scheduled is None:
            return False
        self._begin(schedule, state, scheduled)
        return True

    def _due(self, schedule: Schedule, state: ScheduleState, now: datetime) -> datetime | None:
        """Return the time to run for now, or None; remember up to when times are done with."""
        before = state.considered
        if schedule.after is None:
            scheduled, considered, missed = due(schedule, before, now)
            if missed is not None:
                self._say(schedule, f"missed {missed:%Y-%m-%d %H:%M:%S} UTC and what came since")
        else:
            scheduled, missed = None, None
            considered = schedule.first if before is None else max(before, schedule.first)
            try:
                with opened(schedule, self.folder.project_root) as store:
                    run_id, considered = followed_run(store, schedule, considered)
            except FileNotFoundError:
                return None
            over = schedule.end is not None and now > schedule.end
            if run_id and not over:
                self._say(schedule, f"comes after run {run_id} of {schedule.after}")
                scheduled = now
        if considered != before and scheduled is None:
            state.considered = considered
            self.folder.write_state(schedule.name, state)
        elif scheduled is not None:
            state.considered = considered
        return scheduled

    def _begin(self, schedule: Schedule, state: ScheduleState, scheduled: datetime) -> None:
        state.fired += 1
        state.run_id, state.scheduled, state.resumed = new_run_id(), scheduled, 0
        # Remembered first: whoever finds it knows of a run that may not have come into being.
        self.folder.write_state(schedule.name, state)
        values = schedule.values(scheduled, state.fired)
        self._start(schedule, state, run_arguments(schedule, state.run_id, values))
        self._say(schedule, f"run {state.run_id} begins")

    def _start(self, schedule: Schedule, state: ScheduleState, arguments: list[str]) -> None:
        log = self._log(schedule.name, state.run_id)
        self._processes[schedule.name] = RunProcess(arguments, self.folder.project_root, log)
        remove_old_logs(log.parent.parent, schedule.name)

    def _log(self, name: str, run_id: str) -> Path:
        return self.folder.path / "logs" / name / f"{run_id}.log"

    def _watch(self, schedule: Schedule, state: ScheduleState, notices: Notices) -> bool:
        """Look after the run of a schedule, and return whether it goes on."""
        process = self._processes.get(schedule.name)
        if process is not None:
            if not process.ended:
                return True
            del self._processes[schedule.name]
        event = self._event(schedule, state, resumable=process is None)
        if event is None:
            return True
        self._ended(schedule, state, event, notices)
        return True  # another schedule may come after it

    def _event(
        self, schedule: Schedule, state: ScheduleState, *, resumable: bool
    ) -> RunEvent | None:
        """Return how the run of a schedule ended; None if it goes on, or was made to go on."""
        root = self.folder.project_root
        try:
            with opened(schedule, root) as store:
                run = find_run(store, state.run_id)
                if run is not None and run.state == RunState.RUNNING and store.is_held(run.run_id):
                    return None  # an earlier scheduler began it
                event = None if run is None else run_event(store, run, schedule=schedule.name)
        except FileNotFoundError:
            run = event = None
        died = run is None or event is None or event.state in ("KILLED", "CANCELED")
        by_hand = run is not None and run.stop_requested
        if resumable and died and not by_hand and state.resumed < _MOST_RESUMES:
            state.resumed += 1
            self.folder.write_state(schedule.name, state)
            if run is None:
                values = schedule.values(state.scheduled or datetime.now(UTC), state.fired)
                arguments = run_arguments(schedule, state.run_id, values)
            else:
                arguments = resume_arguments(schedule, state.run_id)
            self._start(schedule, state, arguments)
            self._say(schedule, f"run {state.run_id} goes on")
            return None
        log = self._log(schedule.name, state.run_id)
        return event or event_without_run(schedule, state.run_id, log, str(root))

    def _ended(
        self, schedule: Schedule, state: ScheduleState, event: RunEvent, notices: Notices
    ) -> None:
        state.last_run, state.last_state, state.last_error = (
            event.run_id,
            event.state,
            event.error,
        )
        state.run_id, state.untold = "", event.run_id
        self.folder.write_state(schedule.name, state)
        took = f" in {duration(event.seconds)}" if event.seconds is not None else ""
        why = f": {event.error}" if event.error else ""
        self._say(schedule, f"run {event.run_id} {event.state.lower()}{took}{why}")
        for node, verdict in event.verdicts.items():
            if not verdict.ok:
                self._say(schedule, f"{node}: {verdict.text}")
        notices.tell(schedule.name, event)

    def _tell_again(self, schedule: Schedule, state: ScheduleState, notices: Notices) -> None:
        """Tell of a run of which a scheduler before this one could not."""
        event: RunEvent | None = None
        try:
            with opened(schedule, self.folder.project_root) as store:
                run = find_run(store, state.untold)
                if run is not None:
                    event = run_event(store, run, schedule=schedule.name)
        except FileNotFoundError:
            pass
        log = self._log(schedule.name, state.untold)
        root = str(self.folder.project_root)
        notices.tell(schedule.name, event or event_without_run(schedule, state.untold, log, root))

    def _note_deliveries(self, notices: Notices) -> None:
        for name, event, deliveries in notices.told():
            failed = [f"{each.target}: {each.error}" for each in deliveries if each.error]
            try:
                state = self.folder.state(name)
                if state.untold == event.run_id:
                    state.untold = ""
                state.notice = "; ".join(failed)
                self.folder.write_state(name, state)
            except (ScheduleError, OSError) as error:
                self._complain(name, str(error))
            for each in deliveries:
                said = f"not told: {each.error}" if each.error else "told"
                self._tell_line(f"{name}: {each.target} {said} of run {event.run_id}")

    def _next(self, schedule: Schedule) -> datetime | None:
        if not schedule.enabled or schedule.after is not None:
            return None
        return schedule.next_after(self.folder.state(schedule.name).considered or schedule.first)

    def _stop(self) -> None:
        """Ask the runs to stop; the next scheduler resumes them."""
        for name, process in self._processes.items():
            if not process.ended:
                process.stop()
                self._tell_line(
                    f"{name}: its run is asked to stop, and resumed by the next scheduler"
                )

    def _say(self, schedule: Schedule, text: str) -> None:
        self._tell_line(f"{schedule.name}: {text}")

    def _tell_line(self, text: str) -> None:
        self._tell(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}")

    def _complain(self, about: str, text: str) -> None:
        """Tell of what is wrong, once."""
        if self._complaints.get(about) != text:
            self._complaints[about] = text
            self._tell_line(f"{about}: {text}")
