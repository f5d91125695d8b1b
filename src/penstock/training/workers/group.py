"""A group of processes as the one that started it sees it: watched, restarted, ended."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import random
import shutil
import subprocess
import time
from multiprocessing.connection import wait
from typing import Any

from penstock.artifacts import Model, location
from penstock.artifacts.staged import NOTHING_STAGED, StagedPlaces
from penstock.io.processes.hosts import Hosts, Places, Process, ThisMachine
from penstock.progress import report_epoch, tell
from penstock.spelling import counted
from penstock.training.fn_args import FnArgs
from penstock.training.outcome import TrainingResult
from penstock.training.workers.addresses import is_in_use
from penstock.training.workers.failure import Failure, MemberFailed
from penstock.training.workers.members import Member, Shape, members_of, places_of
from penstock.training.workers.process import serve
from penstock.training.workers.task import (
    JOIN_SECONDS,
    Epoch,
    Joined,
    Progress,
    Source,
    Task,
)

RESTARTS = 3
"""How often a group starts again when a process of it was killed."""

_PORT_RESTARTS = 5
_GRACE = 1.0
"""After an error: time in which a process that was killed is noticed as the cause of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What a group has to do.

    Attributes:
        shape: What it is made of.
        fn_args: For `run_fn`; `data_accessor` and `custom_config` are made in each process.
        source: The user's code.
        scratch: Folder for what processes other than the chief write.
        join_seconds: How long a process waits for the others.
        staged: Local places that stand for URLs; processes on other machines fill their own.
    """

    shape: Shape
    fn_args: FnArgs
    source: Source
    scratch: str
    join_seconds: float = JOIN_SECONDS
    staged: StagedPlaces = NOTHING_STAGED


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How a group ended.

    Attributes:
        result: Of the chief.
        restarts: How often all processes were started again.
        replaced: How often a worker was replaced while the others went on.
    """

    result: TrainingResult
    restarts: int = 0
    replaced: int = 0


def train(job: Job, log: logging.Logger, hosts: Hosts | None = None) -> Outcome:
    """Train in a group of processes, and end all of them in every case.

    If one is killed, all start again, at most `RESTARTS` times, and go on from the last checkpoint; a
    worker of parameter servers is replaced alone.

    Args:
        job: What to do.
        log: Is told what happens to the processes. What they print goes to standard error, line by line,
            with their names.
        hosts: Where the processes run; by default on this machine.

    Raises:
        Exception: What `run_fn` raised first in one of them, with its traceback in a note.
        MemberFailed: If a process ended without a word once too often, or did not find the others.
    """
    with (hosts or ThisMachine()).hold(places_of(job.shape)) as places:
        shape = dataclasses.replace(job.shape, machine_each=places.each_has_a_machine)
        staged = job.staged if places.each_has_a_machine else NOTHING_STAGED
        outcome = _train(dataclasses.replace(job, shape=shape, staged=staged), log, places)
    staged.receive_outputs()
    return outcome


def _train(job: Job, log: logging.Logger, places: Places) -> Outcome:
    seed = None if job.fn_args.seed is not None else random.SystemRandom().randrange(2**31)
    restarts = replaced = moves = 0
    while True:
        group = _Group(job, seed, log, places)
        try:
            with group:
                result = group.watch()
            return Outcome(result, restarts, replaced + group.replaced)
        except _Lost as lost:
            replaced += group.replaced
            if restarts >= RESTARTS or job.shape.processes == 1:
                again = (
                    f" All {job.shape.processes} were started {counted(restarts, 'time')} again."
                )
                raise MemberFailed(
                    f"{lost}, before run_fn returned.{again if restarts else ''}"
                ) from None
            restarts += 1
            _clear(job.fn_args)
            log.warning(
                "%s: all %d processes start again (%d of %d times) and go on from %s",
                lost,
                job.shape.processes,
                restarts,
                RESTARTS,
                job.fn_args.checkpoint_dir or "the beginning: there is no checkpoint_dir",
            )
        except _AddressTaken as taken:
            moves += 1
            if moves > _PORT_RESTARTS:
                raise taken.failure.error() from None
            log.info("An address was taken by another program: the group starts again with others")


class _Lost(Exception):
    """A process ended without a word."""


class _AddressTaken(Exception):
    """Another program has taken an address."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class _Group:
    def __init__(self, job: Job, seed: int | None, log: logging.Logger, places: Places) -> None:
        self.replaced = 0
        self._places = places
        self._numbers: dict[Member, int] = {}
        self._job = job
        self._seed = seed
        self._log = log
        self._processes: dict[Member, Process] = {}
        self._joined: set[str] = set()
        self._results: dict[str, TrainingResult] = {}
        self._begun = time.monotonic()

    def __enter__(self) -> _Group:
        members = members_of(self._job.shape, self._places.addresses())
        self._begun = time.monotonic()
        self._numbers = {member: number for number, member in enumerate(members)}
        try:
            for member in members:
                self._start(member)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def watch(self) -> TrainingResult:
        """Wait until `run_fn` has returned everywhere; return the chief's result."""
        while True:
            by_connection = {
                process.connection: member
                for member, process in self._processes.items()
                if member.name not in self._results
            }
            for connection in wait(list(by_connection), timeout=1.0):
                self._hear(by_connection[connection])  # type: ignore[index]
            trains = [each for each in self._processes if each.role == "trains"]
            if all(each.name in self._results for each in trains):
                return next(self._results[each.name] for each in trains if each.is_chief)
            self._check_patience()

    def _hear(self, member: Member) -> None:
        try:
            message: Any = self._processes[member].connection.recv()
        except (EOFError, OSError):
            self._lost(member)
            return
        if isinstance(message, Progress):
            tell(message.text)
        elif isinstance(message, Epoch):
            report_epoch(message.epoch, message.metrics)
        elif isinstance(message, Joined):
            self._joined.add(member.name)
            self._log.info("%s: process %d has joined", member.name, message.pid)
        elif isinstance(message, TrainingResult):
            self._results[member.name] = message
        else:
            self._failed(message)

    def _failed(self, failure: Failure) -> None:
        if is_in_use(failure.text):
            raise _AddressTaken(failure)
        # That one was killed shows in the others as an error, too.
        dead = self._dead_within(_GRACE) if len(self._processes) > 1 else None
        if dead is not None:
            raise _Lost(self._how_it_ended(dead))
        if self.replaced and failure.module.startswith("tensorflow"):
            raise _Lost(f"{failure.member} could not go on without a worker that was replaced")
        raise failure.error()

    def _dead_within(self, seconds: float) -> Member | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for member, process in self._processes.items():
                if process.poll() is not None:
                    return member
            time.sleep(0.05)
        return None

    def _how_it_ended(self, member: Member) -> str:
        process = self._processes[member]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        return f"{member.name} {process.how_it_ended()}"

    def _lost(self, member: Member) -> None:
        reason = self._how_it_ended(member)
        self._processes[member].kill()
        replaceable = member.is_spare and self._places.is_as_told(self._numbers[member])
        if not replaceable or self.replaced >= RESTARTS:
            raise _Lost(reason)
        self.replaced += 1
        self._log.warning(
            "%s: it is started again, and the others go on. Steps that it had not finished are executed "
            "again (%d of %d times)",
            reason,
            self.replaced,
            RESTARTS,
        )
        self._start(member)

    def _start(self, member: Member) -> None:
        job = self._job
        fn_args = dataclasses.replace(job.fn_args, data_accessor=None, custom_config={})
        if not member.is_chief:
            folder = f"{job.scratch}/{member.name.replace(' ', '-')}"
            fn_args.serving_model_dir = f"{folder}/model/{Model.SERVING_FOLDER}"
            fn_args.eval_model_dir = f"{folder}/model/{Model.EVAL_FOLDER}"
            fn_args.model_run_dir = f"{folder}/model_run"
            fn_args.working_dir = folder
        task = Task(
            member,
            fn_args,
            job.source,
            self._log.name,
            self._seed,
            job.join_seconds,
            job.staged,
        )
        number = self._numbers[member]
        self._processes[member] = self._places.start(number, serve, task, member.environment)

    def _check_patience(self) -> None:
        """Raise if a process has not found the others for longer than it may wait."""
        absent = [each for each in self._processes if each.name not in self._joined]
        # Each imports before it waits.
        limit = self._job.join_seconds + JOIN_SECONDS
        if not absent or time.monotonic() - self._begun < limit:
            return
        fields = absent[0].fields
        raise MemberFailed(
            f"{', '.join(each.name for each in absent)} did not join the chief at "
            f"{fields.get('coordinator_address')} within {limit:g} s."
        )

    def _end(self) -> None:
        # The chief last: the others would tell that they miss it.
        for process in reversed(list(self._processes.values())):
            with contextlib.suppress(Exception):
                process.kill()


def _clear(fn_args: FnArgs) -> None:
    """Remove what the chief may have exported half."""
    for folder in (fn_args.serving_model_dir, fn_args.eval_model_dir):
        if folder and location.is_local(folder):
            shutil.rmtree(folder, ignore_errors=True)
