"""Logs of nodes on the cluster: from the pods, or from what Kubeflow keeps of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from penstock.kubeflow.errors import KubeflowError, UnknownOnServer
from penstock.kubeflow.package import Task
from penstock.kubeflow.records import ClusterRun
from penstock.kubeflow.runs import get_run
from penstock.kubeflow.server import Server
from penstock.kubeflow.tasks import executor_rows
from penstock.kubeflow.transport import Transport

_PAUSE_SECONDS = 2.0
_RUN_LABEL = "pipeline/runid"
_NODE_NAME = "workflows.argoproj.io/node-name"
_TEMPLATES = ("system-container-impl", "retry-system-container-impl")
"""Names of Kubeflow's templates for the containers of tasks, without and with retries."""

_MAIN = "main"
"""The container of the task, beside Argo's own."""


def read_log(server: Server, run: ClusterRun, task: Task, *, attempt: int | None = None) -> str:
    """Return the log of a task's container.

    It is read from the cluster's API server if that is known, else (or if the pod is gone) from Kubeflow,
    which may keep the logs of pods that are gone.

    Args:
        server: The server.
        run: The run, with the rows of its tasks.
        task: The task.
        attempt: Which attempt, from 1; the last by default.

    Raises:
        UnknownOnServer: If it has no container yet, or its log is gone.
    """
    return "".join(follow_log(server, run, task, attempt=attempt, follow=False))


def follow_log(
    server: Server,
    run: ClusterRun,
    task: Task,
    *,
    attempt: int | None = None,
    follow: bool = True,
) -> Iterator[str]:
    """Yield pieces of a task's log, as they come until its container ends.

    Args:
        server: The server.
        run: The run, with the rows of its tasks.
        task: The task.
        attempt: Which attempt, from 1; the last by default.
        follow: Whether to wait for more while it runs.

    Raises:
        UnknownOnServer: If it has no container yet, or its log is gone.
    """
    failures: list[str] = []
    told = False
    if server.connection.cluster is not None:
        try:
            for piece in _of_pod(server, run, task, attempt, follow):
                told = True
                yield piece
            return
        except KubeflowError as error:
            if told:
                raise
            failures.append(str(error))
    names = _pods_of_rows(run, task, attempt)
    for name in names:
        try:
            for piece in _of_kubeflow(server, run.run_id, task, name, follow):
                told = True
                yield piece
            return
        except KubeflowError as error:
            if told:
                raise
            failures.append(str(error))
    if not failures:
        raise UnknownOnServer(f"{task.id} has no log yet: none of its containers has started.")
    raise UnknownOnServer(f"The log of {task.id} cannot be read: " + "; ".join(failures))


def _of_pod(
    server: Server, run: ClusterRun, task: Task, attempt: int | None, follow: bool
) -> Iterator[str]:
    assert server.connection.cluster is not None
    cluster = Transport(server.connection.cluster, server.patience, server.transport.sleep)
    path = f"/api/v1/namespaces/{server.pods_namespace}/pods"
    found = cluster.get(path, {"labelSelector": f"{_RUN_LABEL}={run.run_id}"})
    pods = [each for each in found.get("items", ()) if _is_of(each, task)]
    pods.sort(key=lambda each: each["metadata"].get("creationTimestamp") or "")
    pod = _chosen(pods, task, attempt)
    if pod is None:
        raise UnknownOnServer(f"{task.id} has no pod in the namespace {server.pods_namespace}")
    name = pod["metadata"]["name"]
    query: dict[str, Any] = {"container": _MAIN}
    if follow:
        query["follow"] = "true"
    yield from cluster.lines(f"{path}/{name}/log", query)


def _is_of(pod: Any, task: Task) -> bool:
    """Return whether Argo made a pod for a task's container: its node is `run.root.task.executor(0)`."""
    node = (pod["metadata"].get("annotations") or {}).get(_NODE_NAME, "")
    parts = node.split(".")
    return len(parts) > 1 and parts[-2] == task.name and parts[-1].partition("(")[0] == "executor"


def _of_kubeflow(server: Server, run_id: str, task: Task, pod: str, follow: bool) -> Iterator[str]:
    path = f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log"
    shown = 0
    while True:
        # It does not follow itself: what it returns grows.
        over = not follow or _is_over(get_run(server, run_id), task)
        text = server.transport.text(path)
        if len(text) > shown:
            yield text[shown:]
            shown = len(text)
        if over:
            return
        time.sleep(_PAUSE_SECONDS)


def _is_over(run: ClusterRun, task: Task) -> bool:
    rows = executor_rows(task, run)
    return run.over or bool(rows and rows[-1].get("end_time") and _ended(rows[-1]))


def _ended(row: Any) -> bool:
    return row.get("state") in ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")


def _pods_of_rows(run: ClusterRun, task: Task, attempt: int | None) -> list[str]:
    """Return the pods that may be a task's container, by what Kubeflow tells of its tasks."""
    row = _chosen(executor_rows(task, run), task, attempt)
    if row is not None:
        return _pod_names(row.get("pod_name"))
    found: list[str] = []
    for each in run.tasks:
        if task.name in (each.get("display_name"), each.get("name")):
            # Older servers name the children only; servers to come, the pods.
            told = [*(each.get("child_tasks") or ()), *(each.get("pods") or ())]
            for child in reversed(told):
                found += _pod_names(child.get("pod_name") or child.get("name"))
    return found


def _pod_names(node: str | None) -> list[str]:
    """Return what the pod of a node of Argo may be called: as the node, or with the template's name."""
    if not node:
        return []
    workflow, _, number = node.rpartition("-")
    return [node, *(f"{workflow}-{template}-{number}" for template in _TEMPLATES)]


def _chosen(found: list[Any], task: Task, attempt: int | None) -> Any:
    if attempt is None:
        return found[-1] if found else None
    if not 1 <= attempt <= len(found):
        raise UnknownOnServer(f"{task.id} has no attempt {attempt}: there are {len(found)}.")
    return found[attempt - 1]
