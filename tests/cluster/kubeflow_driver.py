"""Drives the runs of Kubeflow's stand-in: tasks of the IR as containers, with retries, cache and cancel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from penstock.testing.kubeflow import CompiledPipeline, ContainerCall, PreparedTask

GRACE_SECONDS = 20.0


class Container(Protocol):
    """A container that was started."""

    def wait(self) -> int:
        """Return its exit code when it has ended."""

    def stop(self) -> None:
        """Send SIGTERM; after a grace period it is killed."""


class Containers(Protocol):
    """Starts the containers of tasks."""

    def start(
        self, call: ContainerCall, pod: str, labels: Mapping[str, str], node: str
    ) -> Container:
        """Start a container.

        Args:
            call: What it runs, and what the IR says of its pod.
            pod: Name of its pod.
            labels: Of its pod.
            node: Argo's name of its node, an annotation of its pod.
        """

    def log(self, pod: str) -> str:
        """Return what a pod's container printed so far; FileNotFoundError if there is no such pod."""


class ProcessContainers:
    """Containers that are processes of this Python.

    Args:
        project_root: What the image's working folder would be.
        logs: Where logs are kept.
        environment: Variables of the processes, beside those of the pods.
        instead: What is run instead of each task's command, where only the runs matter.
    """

    def __init__(
        self,
        project_root: Path,
        logs: Path,
        environment: Mapping[str, str] | None = None,
        instead: Sequence[str] = (),
    ) -> None:
        self._project_root, self._logs, self._instead = project_root, logs, instead
        self._environment = dict(environment or {})
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self, call: ContainerCall, pod: str, labels: Mapping[str, str], node: str
    ) -> Container:
        inherited = {key: each for key, each in os.environ.items() if key != "PENSTOCK_STORE"}
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}"
        with open(self._logs / pod, "wb") as log:
            process = subprocess.Popen(
                list(self._instead or call.command),
                cwd=self._project_root,
                env={**inherited, "PATH": path, **call.environment, **self._environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return _Process(process, call.timeout)

    def log(self, pod: str) -> str:
        return (self._logs / pod).read_text("utf-8", errors="replace")


class _Process:
    def __init__(self, process: subprocess.Popen[bytes], timeout: float | None) -> None:
        self._process, self._timeout = process, timeout

    def wait(self) -> int:
        try:
            code = self._process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            code = self._process.wait()
        return code if code >= 0 else 128 - code

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        threading.Timer(GRACE_SECONDS, self._kill).start()

    def _kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)


class DrivenRun(threading.Thread):
    """A run that goes on.

    Args:
        run_id: Its id.
        name: Argo's name of it.
        pipeline: What it runs.
        parameters: The given values of its parameters.
        containers: Starts its containers.
        cache: Outputs of tasks by Kubeflow's cache key, of all runs.
        ended: Is told the state in which it ended, and why.
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        pipeline: CompiledPipeline,
        parameters: Mapping[str, Any],
        containers: Containers,
        cache: dict[str, dict[str, Any]],
        ended: Callable[[str, str], None],
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._run_id, self._pipeline, self._containers = run_id, pipeline, containers
        self._values = pipeline.values(parameters)
        self._cache, self._told = cache, ended
        self._lock = threading.Condition()
        self._rows: dict[str, dict[str, Any]] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._states: dict[str, str] = {}
        self._running: dict[str, Container] = {}
        self._canceled = False
        self._error = ""

    def rows(self) -> list[dict[str, Any]]:
        """Return what Kubeflow's API tells of Argo's nodes."""
        with self._lock:
            return [dict(row) for row in self._rows.values()]

    def cancel(self) -> None:
        """End it: what runs gets SIGTERM."""
        with self._lock:
            self._canceled = True
            for each in self._running.values():
                each.stop()
            self._lock.notify_all()

    def run(self) -> None:
        """Start each task when those before it have ended."""
        tasks = self._pipeline.spec.root.dag.tasks
        root = self._row("root", "RUNNING")
        self._row("root-driver", "SUCCEEDED")
        with self._lock:
            waiting = set(tasks)
            going: set[str] = set()
            while True:
                going = {name for name in going if name not in self._states}
                for name in sorted(waiting):
                    before = [self._states.get(each) for each in tasks[name].dependent_tasks]
                    if self._canceled or any(s in ("FAILED", "SKIPPED") for s in before):
                        waiting.discard(name)
                        self._states[name] = "SKIPPED"
                        self._row(name, "SKIPPED")
                    elif all(state == "SUCCEEDED" for state in before):
                        waiting.discard(name)
                        going.add(name)
                        threading.Thread(target=self._task, args=(name,), daemon=True).start()
                if not waiting and not going:
                    break
                self._lock.wait()
            failed = [name for name, state in self._states.items() if state == "FAILED"]
            state = "CANCELED" if self._canceled else "FAILED" if failed else "SUCCEEDED"
            self._end(root, "FAILED" if self._canceled else state)
        self._told(state, self._error)

    def _task(self, name: str) -> None:
        state = "FAILED"
        try:
            driver = self._row(f"{name}-driver", "RUNNING")
            prepared = self._pipeline.prepare(name, self._run_id, self._values, self._outputs)
            self._end(driver, "SUCCEEDED")
            row = self._row(name, "RUNNING")
            found = self._cache.get(prepared.cache_key or "")
            if found is not None:
                self._end(self._row("executor", "RUNNING", row), "SKIPPED")
                self._outputs[name] = found
                state = "SUCCEEDED"
            else:
                state = self._execute(prepared, row)
            self._end(row, state)
        finally:
            with self._lock:
                self._states[name] = state
                self._lock.notify_all()

    def _execute(self, prepared: PreparedTask, row: dict[str, Any]) -> str:
        retried = self._row("executor", "RUNNING", row) if prepared.retries else None
        for number in range(1 + prepared.retries):
            shown = f"executor({number})" if retried else "executor"
            attempt = self._row(shown, "RUNNING", retried or row)
            node = f"{self.name}.root.{prepared.name}.{shown}"
            with self._lock:
                if self._canceled:
                    code = 143
                else:
                    container = self._containers.start(
                        prepared.call, attempt["pod_name"], {"pipeline/runid": self._run_id}, node
                    )
                    self._running[prepared.name] = container
                    code = None
            if code is None:
                code = container.wait()
            with self._lock:
                self._running.pop(prepared.name, None)
            self._end(attempt, "FAILED" if code else "SUCCEEDED", f"main: Error (exit code {code})")
            if code == 0 or self._canceled:
                break
        state = "FAILED" if code else "SUCCEEDED"
        if code == 0:
            self._outputs[prepared.name] = prepared.outputs()
            if prepared.cache_key is not None:
                self._cache[prepared.cache_key] = self._outputs[prepared.name]
        else:
            self._error = f"child '{prepared.name}' failed: exit code {code}"
        if retried:
            self._end(retried, state, "No more retries left")
        return state

    def _row(self, name: str, state: str, parent: dict[str, Any] | None = None) -> dict[str, Any]:
        node = f"{self.name}-{uuid.uuid4().int % 10**10}"
        row: dict[str, Any] = {
            "run_id": self._run_id,
            "task_id": str(uuid.uuid4()),
            "display_name": name,
            "create_time": now(),
            "start_time": now(),
            "end_time": "0001-01-01T00:00:00Z",
            "state": state,
            "state_history": [{"update_time": now(), "state": state}],
            "child_tasks": [],
            "pod_name": node,
        }
        with self._lock:
            self._rows[node] = row
            if parent is not None:
                parent["child_tasks"] = [*parent["child_tasks"], {"pod_name": node}]
        if state != "RUNNING":
            row["end_time"] = now()
        return row

    def _end(self, row: dict[str, Any], state: str, error: str = "") -> None:
        status: dict[str, Any] = {"update_time": now(), "state": state}
        if state == "FAILED" and error:
            status["error"] = {"code": 13, "message": error}
        with self._lock:
            row["state"], row["end_time"] = state, now()
            row["state_history"] = [*row["state_history"], status]


def now() -> str:
    """Return the time as the API tells it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
