"""One node of a run that is spread over containers, recorded in a shared metadata store."""

from __future__ import annotations

import _thread
import contextlib
import hashlib
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact
from penstock.graph import Graph, GraphNode
from penstock.launch import provenance, spread_run
from penstock.launch.attempt import Attempt, RunSettings, output_artifacts
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.launcher import Ended, Launcher
from penstock.launch.outputs import discard_outputs
from penstock.launch.recovery import recover
from penstock.store import ExecutionState, LeaseHeld, MetadataStore, RunRecord, StoreError
from penstock.store.leases import Lease


class ContainerStore(MetadataStore):
    """A store whose executions belong to this container, not to the process of the whole run."""

    lease_name = ""

    def register_execution(self, **given: Any) -> int:
        """Write an execution that begins, under this container's lease."""
        return super().register_execution(**{**given, "lease": self.lease_name})


class ContainerLauncher(Launcher):
    """A launcher that counts the attempts which other containers made at the node."""

    def begin(self, node: GraphNode) -> Ended | Attempt:
        """Begin as `Launcher.begin`; an earlier attempt that has not ended is over now.

        A node is tried again only when its container is gone. Where that is not so after all, as on a
        machine that was cut off, the store takes nothing more of the earlier attempt.
        """
        run_id = self._settings.run_id
        earlier = spread_run.attempts_at(self._store, run_id, node.id)
        self._first = earlier[-1].attempt + 1 if earlier else 1
        for each in earlier:
            if each.state is ExecutionState.RUNNING:
                root = self._settings.pipeline_root
                discard_outputs(output_artifacts(node, root, each.id).values())
                self._store.fail(each.id, "its container is gone; another one took its place")
        return super().begin(node)

    def stopping(self, attempt: Attempt, reason: str) -> None:
        """Record at once, from any thread, that an attempt is ended from outside."""
        self._store.cancel(attempt.execution_id, reason)
        spread_run.settle(self._store, attempt.settings.run_id)


@contextlib.contextmanager
def recorded(
    url: str,
    graph: Graph,
    settings: RunSettings,
    run: RunRecord,
    published: Mapping[str, Mapping[str, Sequence[Artifact]]],
) -> Iterator[ContainerLauncher]:
    """Return the launcher of one node that records in a shared store, under a lease of its own.

    Args:
        url: Of the store.
        graph: The one node, bound.
        settings: Of the run.
        run: What is known of the run.
        published: What the nodes before it wrote, by node and key.

    Raises:
        penstock.store.StoreError: If the store cannot be used.
    """
    (node,) = graph.nodes
    with ContainerStore.open(url) as store:
        store.lease_name = f"{settings.run_id}/{node.id}/{uuid.uuid4().hex[:8]}"
        with store.acquire_lease(store.lease_name) as lease:
            recover(store)
            try:
                spread_run.join(store, run)
            except spread_run.RunStopped:
                spread_run.settle(store, settings.run_id)
                raise
            launcher = ContainerLauncher(store, graph, settings, DigestMemo())
            launcher.published.update(published)
            with _kept(store, lease, settings.run_id) as stop:
                try:
                    yield launcher
                except KeyboardInterrupt:
                    if stop.reason:
                        print(f"{node.id}: {stop.reason}", file=sys.stderr)
                    raise
                finally:
                    # Where it cannot be written, the next container does it, or whoever recovers.
                    with contextlib.suppress(StoreError):
                        spread_run.settle(store, settings.run_id)


def describe_run(
    pipeline: str,
    settings: RunSettings,
    graph: str,
    values: Mapping[str, Any],
    *,
    digest: str = "",
) -> RunRecord:
    """Return what a container knows of its run.

    Args:
        pipeline: Name of the pipeline.
        settings: Of the run.
        graph: The whole graph as text; empty if another container brings it.
        values: Of the runtime parameters.
        digest: Of the whole graph; by default that of `graph`.
    """
    fingerprint, environment = provenance.environment()
    commit, dirty = provenance.code_version(settings.project_root)
    return RunRecord(
        run_id=settings.run_id,
        pipeline=pipeline,
        started=time.time(),
        graph_digest=digest or hashlib.sha256(graph.encode()).hexdigest(),
        graph_json=graph,
        parameters=values,
        command="kubeflow",
        commit=commit,
        dirty=dirty,
        environment_fingerprint=fingerprint,
        environment=environment,
        seed=settings.seed,
        deterministic=settings.deterministic,
        root=settings.pipeline_root,
        project=settings.project_root,
        labels={"runner": "kubeflow"},
    )


class _Stop:
    """Why the container must end before its node has."""

    reason = ""


@contextlib.contextmanager
def _kept(store: MetadataStore, lease: Lease, run_id: str) -> Iterator[_Stop]:
    """Renew the container's lease and the run's from a thread while the body runs."""
    ended, stop = threading.Event(), _Stop()

    def renew() -> None:
        while not ended.wait(lease.interval):
            try:
                lease.renew()
                store.hold(run_id, spread_run.WAIT_SECONDS)
                if store.is_stop_requested(run_id):
                    stop.reason = "stopped by `penstock stop`"
            except LeaseHeld:
                stop.reason = "its lease expired, and another process counts it as dead"
            except StoreError:
                continue  # the server may be back before the lease expires
            if stop.reason:
                _thread.interrupt_main()
                return

    thread = threading.Thread(target=renew, name="penstock-lease", daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        ended.set()
        thread.join()
