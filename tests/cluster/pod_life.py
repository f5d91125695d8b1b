"""The life of one pod: its containers are started, watched, restarted and stopped, and its status told."""

from __future__ import annotations

import queue
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

from container_process import ContainerProcess, ContainerSettings
from pod_settings import NotReady, PodSettings, Unsupported
from pod_status import Container, container_status, now, update_status
from probes import Probes

IMAGE_USER = 10001
"""What the project's image runs as: user and group."""

RESTART_SECONDS = 1.0
"""The first wait before a restart; it doubles up to a minute. A kubelet begins with ten seconds."""

_RETRY_SECONDS = 1.0


class PodLife:
    """One pod on a node.

    Args:
        pod: The pod, bound to the node already.
        core: A CoreV1Api.
        folder: The pod's folder; removed with the pod, but for logs.
        settings: Its settings.
        network: File of its network namespace.
        address: Its address.
        host: The node's address.
        project: What the image has in `/app`.
        hosts: File with the names that it resolves.

    Attributes:
        ended: Set when nothing of it runs any more.
        processor_seconds: What its containers that have ended used.
    """

    def __init__(
        self,
        pod: Any,
        core: Any,
        folder: Path,
        settings: PodSettings,
        *,
        network: str,
        address: str,
        host: str,
        project: Path,
        hosts: Path,
    ) -> None:
        self.pod = pod
        self.address = address
        self.folder = folder
        self.ended = threading.Event()
        self.processor_seconds = 0.0
        self._core = core
        self._settings = settings
        self._network = network
        self._host = host
        self._project = project
        self._hosts = hosts
        self._events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._started = now()
        self._deadline: float | None = None
        self._stopping: float | None = None
        self._killed = False
        self._reason: dict[str, str] = {}
        self._init = [Container(each) for each in pod.spec.init_containers or ()]
        self._containers = [Container(each) for each in pod.spec.containers]
        if pod.spec.active_deadline_seconds is not None:
            self._deadline = time.monotonic() + pod.spec.active_deadline_seconds
        for name in ("logs", "volumes", "containers"):
            (folder / name).mkdir(parents=True)

    def log(self, container: str | None = None, previous: bool = False) -> Path:
        """Return the file of what a container printed since its last start, or before that."""
        found = [*self._init, *self._containers]
        named = [each for each in found if container in (None, each.spec.name)]
        chosen = named[-1] if container else self._containers[0]
        return self._log(chosen, chosen.restarts - previous)

    def runs(self) -> bool:
        """Return whether one of its containers runs."""
        return any(each.process for each in self._containers)

    def stop(self, grace_seconds: float) -> None:
        """Ask for the end: SIGTERM, and SIGKILL after the grace period."""
        self._events.put(("stop", grace_seconds))

    def kill(self, container: str | None = None, number: int = signal.SIGKILL) -> None:
        """Send a signal to the first process of a container, or of all."""
        for each in self._containers:
            if each.process and container in (None, each.spec.name):
                each.process.signal(number)

    def run(self) -> None:
        """Live to the end. Containers die with the thread that calls this."""
        try:
            self._refuse_unsupported()
            if self._run_init_containers():
                self._run_containers()
        except Unsupported as error:
            self._reason = {"reason": "Unsupported", "message": f"the test's node: {error}"}
        except Exception as error:
            self._reason = {"reason": "AgentError", "message": repr(error)}
        finally:
            self._end_all()
            failed = [each for each in [*self._init, *self._containers] if each.exit_code]
            missing = [each for each in self._containers if each.exit_code is None]
            done = not failed and not missing and not self._reason
            self._report("Succeeded" if done else "Failed")
            for name in ("volumes", "containers"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            shutil.rmtree(Path("/dev/shm") / self.pod.metadata.uid, ignore_errors=True)
            self.ended.set()

    def _refuse_unsupported(self) -> None:
        for each in [*self._init, *self._containers]:
            if getattr(each.spec, "restart_policy", None):
                raise Unsupported(f"container {each.spec.name}: a sidecar among init containers")
            if each.spec.lifecycle:
                raise Unsupported(f"container {each.spec.name}: hooks of its life")

    def _run_init_containers(self) -> bool:
        for each in self._init:
            while True:
                if not self._start(each):
                    return False
                self._report("Pending")
                while each.process:
                    self._next_event()
                if self._stopping:
                    return False
                if each.exit_code == 0:
                    break
                if self.pod.spec.restart_policy == "Never":
                    return False
                if not self._back_off(each):
                    return False
        return True

    def _run_containers(self) -> None:
        for each in self._containers:
            if not self._start(each):
                return
        while True:
            self._report("Running")
            waiting = [each for each in self._containers if self._restarts(each)]
            if not waiting and not any(each.process for each in self._containers):
                return
            if waiting and not self._stopping:
                if not self._back_off(waiting[0]) or not self._start(waiting[0]):
                    return
            else:
                self._next_event()

    def _restarts(self, container: Container) -> bool:
        if container.process or self._stopping or container.exit_code is None:
            return False
        policy = self.pod.spec.restart_policy
        return policy == "Always" or (policy == "OnFailure" and container.exit_code != 0)

    def _back_off(self, container: Container) -> bool:
        """Wait before a restart; return whether it may still happen."""
        container.last = container.state
        message = f"back-off restarting failed container {container.spec.name}"
        container.state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self._report("Running" if container in self._containers else "Pending")
        end = time.monotonic() + min(60.0, RESTART_SECONDS * 2**container.restarts)
        while not self._stopping and time.monotonic() < end:
            self._next_event(end)
        if self._stopping:
            container.state = container.last
            return False
        container.restarts += 1
        return True

    def _start(self, container: Container) -> bool:
        """Start a container as soon as it can be; return False if the pod is stopped before."""
        while not self._stopping:
            try:
                told = self._container_settings(container)
                log = self._log(container, container.restarts)
                log.touch()

                def ended(code: int) -> None:
                    self._events.put(("exit", (container, code)))

                container.process = ContainerProcess(told, log, ended)
                container.state = {"running": {"startedAt": now()}}
                container.probes = Probes(container.spec, self.address)
                return True
            except NotReady as error:
                waiting = {"waiting": {"reason": error.reason, "message": str(error)}}
                if container.state != waiting:
                    container.state = waiting
                    self._report("Pending")
                self._next_event(time.monotonic() + _RETRY_SECONDS)
        return False

    def _container_settings(self, container: Container) -> ContainerSettings:
        spec, pod = container.spec, self.pod.spec
        if spec.image.startswith("nowhere.invalid/"):
            message = f'Back-off pulling image "{spec.image}": no such host'
            raise NotReady("ImagePullBackOff", message)
        user, groups = self._user(spec)
        folder = self.folder / "containers" / f"{spec.name}-{container.restarts}"
        last_words = folder.with_suffix(".message")
        last_words.touch()
        last_words.chmod(0o666)
        resolver = folder.with_suffix(".resolv")
        resolver.write_text("options ndots:5\n", encoding="utf-8")
        environment = self._settings.environment(spec)
        context = spec.security_context
        return ContainerSettings(
            folder=folder,
            project=self._project,
            network=self._network,
            hostname=pod.hostname or self.pod.metadata.name,
            user=user,
            groups=groups,
            working_folder=spec.working_dir or "/app",
            command=self._settings.command(spec, environment),
            environment=environment,
            mounts=[
                (str(self._hosts), "/etc/hosts", False),
                (str(resolver), "/etc/resolv.conf", False),
                (str(last_words), spec.termination_message_path or "/dev/termination-log", False),
                *self._settings.mounts(spec),
            ],
            read_only=bool(context and context.read_only_root_filesystem),
        )

    def _user(self, spec: Any) -> tuple[int, list[int]]:
        both = [each for each in (spec.security_context, self.pod.spec.security_context) if each]

        def first(name: str) -> Any:
            found = (getattr(each, name, None) for each in both)
            return next((each for each in found if each is not None), None)

        user = first("run_as_user")
        user = IMAGE_USER if user is None else user
        if user == 0 and first("run_as_non_root"):
            message = "container's runAsUser breaks non-root policy"
            raise NotReady("CreateContainerConfigError", message)
        group = first("run_as_group")
        of_pod = self.pod.spec.security_context
        more = [] if of_pod is None else [*(of_pod.supplemental_groups or ())]
        if of_pod is not None and of_pod.fs_group is not None:
            more.append(of_pod.fs_group)
        own = IMAGE_USER if user == IMAGE_USER else 0
        return user, [own if group is None else group, *more]

    def _next_event(self, until: float | None = None) -> None:
        """Handle one event, or a time that has come."""
        limits = [each for each in (until, self._time_limit()) if each is not None]
        due = [each.probes.due for each in self._containers if each.process and each.probes]
        limits += [each for each in due if each is not None]
        try:
            wait = max(0.0, min(limits) - time.monotonic()) if limits else None
            kind, told = self._events.get(timeout=wait)
        except queue.Empty:
            self._check_time()
            self._probe()
            return
        if kind == "exit":
            container, code = told
            self._ended(container, code)
        elif self._stopping is None or told < self._stopping - time.monotonic():
            self._terminate(told)

    def _time_limit(self) -> float | None:
        if self._stopping is None:
            return self._deadline
        return None if self._killed else self._stopping

    def _check_time(self) -> None:
        moment = time.monotonic()
        if self._stopping is None and self._deadline is not None and moment >= self._deadline:
            message = "Pod was active on the node longer than the specified deadline"
            self._reason = {"reason": "DeadlineExceeded", "message": message}
            self._terminate(self.pod.spec.termination_grace_period_seconds)
        elif self._stopping is not None and not self._killed and moment >= self._stopping:
            self._killed = True
            self._signal(signal.SIGKILL)

    def _terminate(self, grace_seconds: float) -> None:
        self._stopping = time.monotonic() + grace_seconds
        self._signal(signal.SIGTERM if grace_seconds else signal.SIGKILL)
        self._killed = not grace_seconds

    def _signal(self, number: int) -> None:
        for each in [*self._init, *self._containers]:
            if each.process:
                each.process.signal(number)

    def _ended(self, container: Container, code: int) -> None:
        began = container.state.get("running", {}).get("startedAt", now())
        told = {"exitCode": code, "startedAt": began, "finishedAt": now()}
        told["reason"] = "Completed" if code == 0 else "Error"
        path = self.folder / "containers" / f"{container.spec.name}-{container.restarts}.message"
        message = path.read_bytes()[-4096:]
        if not message and code and container.spec.termination_message_policy != "File":
            message = self._log(container, container.restarts).read_bytes()[-2048:]
        if message:
            told["message"] = message.decode(errors="replace")
        if container.process:
            self.processor_seconds += container.process.processor_seconds
        container.process = None
        container.state = {"terminated": told}

    def _end_all(self) -> None:
        """Make sure that nothing of the pod runs."""
        if self._stopping is None and any(
            each.process for each in [*self._init, *self._containers]
        ):
            self._terminate(0)
        while any(each.process for each in [*self._init, *self._containers]):
            self._next_event()

    def _probe(self) -> None:
        if self._stopping is not None:
            return
        before = [each.ready for each in self._containers]
        for each in self._containers:
            if each.process and each.probes:
                each.probes.look()
                if each.probes.lost:
                    each.process.signal(signal.SIGKILL)
                    each.probes = None
        if before != [each.ready for each in self._containers]:
            self._report("Running")

    def _log(self, container: Container, restart: int) -> Path:
        return self.folder / "logs" / f"{container.spec.name}-{restart}.log"

    def _report(self, phase: str) -> None:
        ready = phase == "Running" and all(each.ready for each in self._containers)
        initialized = all(each.exit_code == 0 for each in self._init)
        conditions = {"PodScheduled": True, "Initialized": initialized}
        conditions |= {"ContainersReady": ready, "Ready": ready}
        status: dict[str, Any] = {
            "phase": phase,
            "hostIP": self._host,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self._started,
            "conditions": [
                {"type": kind, "status": str(each)} for kind, each in conditions.items()
            ],
            "containerStatuses": [container_status(each) for each in self._containers],
            **self._reason,
        }
        if self._init:
            status["initContainerStatuses"] = [container_status(each) for each in self._init]
        update_status(self._core, self.pod, status)
