"""What is known of a pod's containers, and how the API server is told."""

from __future__ import annotations

import datetime
import time
from typing import Any

from container_process import ContainerProcess
from probes import Probes


class Container:
    """What is known of a container."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.process: ContainerProcess | None = None
        self.state: dict[str, Any] = {"waiting": {"reason": "PodInitializing"}}
        self.last: dict[str, Any] = {}
        self.restarts = 0
        self.probes: Probes | None = None

    @property
    def ready(self) -> bool:
        """Whether it runs and its probes say that it is ready."""
        return bool(self.process and self.probes and self.probes.ready)

    @property
    def exit_code(self) -> int | None:
        """Its exit code, while it is ended."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])


def update_status(core: Any, pod: Any, status: dict[str, Any]) -> None:
    """Patch a pod's status, unless the pod is gone."""
    from kubernetes.client import ApiException

    body = {"metadata": {"uid": pod.metadata.uid}, "status": status}
    for attempt in range(5):
        try:
            core.patch_namespaced_pod_status(pod.metadata.name, pod.metadata.namespace, body)
            return
        except ApiException as error:
            if error.status in (404, 409):
                return  # the name belongs to no pod, or to another one
            if attempt == 4:
                raise
            time.sleep(0.5)


def container_status(container: Container) -> dict[str, Any]:
    """Return a container's entry of the pod's status."""
    running = "running" in container.state
    return {
        "name": container.spec.name,
        "image": container.spec.image,
        "imageID": container.spec.image,
        "containerID": f"process://{container.spec.name}-{container.restarts}",
        "ready": container.ready,
        "started": running,
        "restartCount": container.restarts,
        "state": container.state,
        "lastState": container.last,
    }


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
