"""Worker processes: which one executes an attempt, and when the next one is started."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import time
from collections.abc import Iterable, Mapping, Sequence

from penstock.artifacts import Artifact
from penstock.graph import GraphNode
from penstock.launch.attempt import Attempt, AttemptResult
from penstock.launch.profile import WorkerProfile, profile_of, warm_imports
from penstock.runners.local.executor import EpochListener, Finished, ProgressListener
from penstock.runners.local.worker_process import WorkerProcess
from penstock.visible_devices import visibility

_LIFE, _FRAMES = "life", "frames"


class WorkerPool:
    """Executes attempts in processes of their own, each of which serves one profile.

    A process is kept for the next attempt of its profile. `anticipate` starts one that imports
    TensorFlow before it is needed.

    Args:
        project_root: Folder that user code is imported from.
        size: How many attempts run at once.
        accelerators: Those of the machine; a process sees only what its attempt holds.
        lease: Descriptor of the run's lease, held until the last process is gone; None for none.
    """

    def __init__(
        self,
        project_root: str,
        size: int,
        *,
        accelerators: Sequence[str] = (),
        lease: int | None = None,
    ) -> None:
        self.on_progress: ProgressListener | None = None
        self.on_epoch: EpochListener | None = None
        self._project_root = project_root
        self._size = size
        self._accelerators = tuple(accelerators)
        self._lease = lease
        self._workers: list[WorkerProcess] = []
        self._leaving: list[WorkerProcess] = []
        self._expected: list[tuple[WorkerProfile, tuple[str, ...]]] = []
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = os.pipe()
        os.set_blocking(self._ringer, False)
        self._selector.register(self._bell, selectors.EVENT_READ, None)

    def has_room(self) -> bool:
        """Return whether `submit` may be called now."""
        return sum(worker.attempt is not None for worker in self._workers) < self._size

    def submit(self, attempt: Attempt) -> None:
        """Give an attempt to a worker of its profile, a new one if none is idle."""
        profile = self._profile(attempt.node, attempt.inputs, attempt.accelerators)
        worker = self._idle(profile)
        if worker is None:
            worker = self._start(profile, warm_imports(attempt.node))
        worker.execute(attempt, profile, follow=self.on_progress is not None)
        if worker.sending:
            self._watch(worker)

    def anticipate(self, nodes: Sequence[GraphNode]) -> None:
        """Start importing TensorFlow for nodes that are likely to be submitted.

        One process imports at a time; the next begins when it is ready.

        If the first of them needs no TensorFlow, a process that makes its imports is started as well.

        Args:
            nodes: In the order in which they will come.
        """
        by_base: dict[object, list[str]] = {}
        profiles: dict[WorkerProfile, None] = {}
        for node in nodes:
            # Which accelerators such a node will hold is not known yet.
            if not node.uses_tensorflow or node.resources.get("accelerator"):
                continue
            try:
                profile = self._profile(node, {}, ())
            except Exception:
                # It depends on an input; an error that remains is met again when it is submitted.
                continue
            profiles[profile] = None
            by_base.setdefault(profile.base, []).extend(warm_imports(node))
        self._expected = [
            (profile, tuple(dict.fromkeys(by_base[profile.base]))) for profile in profiles
        ]
        self._warm_next()
        first = next((node for node in nodes if node.component), None)
        idle = any(not worker.profile.tensorflow for worker in self._workers)
        if first is not None and not first.uses_tensorflow and not idle:
            self._start(self._profile(first, {}, ()), warm_imports(first))

    def wait(self, seconds: float | None) -> list[Finished]:
        """Return what is over, waiting for it up to `seconds` (None: until something is)."""
        finished: list[Finished] = []
        limit = None if seconds is None else time.monotonic() + seconds
        while not finished:
            now = time.monotonic()
            due = [worker.deadline for worker in self._workers if worker.deadline is not None]
            due += [] if limit is None else [limit]
            events = self._selector.select(max(0.0, min(due) - now) if due else None)
            rung = False
            for key, mask in events:
                if key.data is None:
                    os.read(self._bell, 4096)
                    rung = True
                    continue
                worker, channel = key.data
                if worker not in self._workers:
                    continue
                if channel == _LIFE:
                    finished += self._ended(worker)
                else:
                    if mask & selectors.EVENT_WRITE:
                        worker.flush()
                        self._watch(worker)
                    if mask & selectors.EVENT_READ:
                        finished += self._read(worker)
            self._enforce_timeouts()
            if rung or (limit is not None and time.monotonic() >= limit):
                break
        return finished

    def wake(self) -> None:
        """Make `wait` return; may be called by a signal's function or another thread."""
        if not self._closed:
            with contextlib.suppress(OSError):
                os.write(self._ringer, b"!")

    def kill(self, attempt: Attempt, reason: str) -> None:
        """End the process of an attempt; `wait` returns the attempt with that reason."""
        for worker in self._workers:
            if worker.attempt is attempt:
                worker.end(reason)

    def close(self) -> None:
        """End every process at once, with all that they started, and wait until they are gone.

        Idempotent.
        """
        if self._closed:
            return
        self._closed = True
        for worker in list(self._workers):
            self._dismiss(worker)
        deadline = time.monotonic() + 10
        for worker in self._leaving:
            worker.wait(max(0.1, deadline - time.monotonic()))
        self._leaving.clear()
        self._selector.close()
        os.close(self._bell)
        os.close(self._ringer)

    def _profile(
        self,
        node: GraphNode,
        inputs: Mapping[str, Sequence[Artifact]],
        held: Sequence[str],
    ) -> WorkerProfile:
        profile = profile_of(node, inputs)
        if not self._accelerators:
            return profile
        environment = dict(profile.environment) | visibility(held, self._accelerators)
        return dataclasses.replace(profile, environment=tuple(sorted(environment.items())))

    def _idle(self, profile: WorkerProfile) -> WorkerProcess | None:
        fit = [
            worker
            for worker in self._workers
            if worker.attempt is None
            and not worker.ending
            and (worker.profile == profile if worker.used else worker.profile.base == profile.base)
        ]
        return max(fit, key=lambda worker: (worker.ready, worker.used), default=None)

    def _start(self, profile: WorkerProfile, imports: Iterable[str]) -> WorkerProcess:
        self._make_space()
        self._leaving = [each for each in self._leaving if not each.is_gone()]
        worker = WorkerProcess(
            profile, self._project_root, tuple(dict.fromkeys(imports)), self._lease
        )
        self._workers.append(worker)
        self._selector.register(worker.life, selectors.EVENT_READ, (worker, _LIFE))
        self._selector.register(worker.frames, selectors.EVENT_READ, (worker, _FRAMES))
        self._watch(worker)
        return worker

    def _make_space(self) -> None:
        """Dismiss the idle worker that is least likely to be needed, if there are many."""
        while len(self._workers) >= 2 * self._size:
            wanted = [profile for profile, _ in self._expected]
            idle = [worker for worker in self._workers if worker.attempt is None]
            if not idle:
                return
            self._dismiss(min(idle, key=lambda worker: worker.profile in wanted))

    def _warm_next(self) -> None:
        """Start a worker for the next profile that has none, unless one is importing.

        Nobody makes space for it: it may not be needed.
        """
        heavy = [worker for worker in self._workers if worker.profile.tensorflow]
        full = len(self._workers) >= 2 * self._size
        if full or any(not worker.ready for worker in heavy):
            return
        spare = [worker for worker in heavy if not worker.used]
        for profile, imports in self._expected:
            if any(worker.used and worker.profile == profile for worker in heavy):
                continue
            unused = next((each for each in spare if each.profile.base == profile.base), None)
            if unused is not None:
                spare.remove(unused)
                continue
            self._start(profile, imports)
            return

    def _watch(self, worker: WorkerProcess) -> None:
        if not worker.talking:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.sending else 0)
        self._selector.modify(worker.frames, events, (worker, _FRAMES))

    def _read(self, worker: WorkerProcess) -> list[Finished]:
        messages, alive = worker.frames.read_available()
        finished = []
        for message in messages:
            if message["kind"] == "ready":
                worker.ready = True
                self._warm_next()
            elif message["kind"] == "started":
                worker.started()
            elif message["kind"] == "progress":
                # A thread that the component left behind may tell it too late.
                if worker.attempt is not None and self.on_progress is not None:
                    self.on_progress(worker.attempt, message["text"])
            elif message["kind"] == "epoch":
                if worker.attempt is not None and self.on_epoch is not None:
                    self.on_epoch(worker.attempt, message["epoch"], message["metrics"])
            else:
                result = AttemptResult.from_json(message["result"])
                finished.append(Finished(worker.finished(), result))
        if not alive and worker.talking:
            # Its keeper will say why.
            worker.talking = False
            self._selector.unregister(worker.frames)
        return finished

    def _ended(self, worker: WorkerProcess) -> list[Finished]:
        finished = self._read(worker)
        reason = worker.why_it_ended()
        if worker.attempt is not None:
            finished.append(Finished(worker.finished(), None, reason))
        self._dismiss(worker)
        return finished

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.life)
        if worker.talking:
            self._selector.unregister(worker.frames)
        worker.hang_up()
        self._leaving.append(worker)

    def _enforce_timeouts(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if (
                worker.deadline is not None
                and worker.attempt is not None
                and now >= worker.deadline
            ):
                seconds = worker.attempt.node.policy.timeout_seconds
                worker.end(f"timed out after {seconds:g} s")
