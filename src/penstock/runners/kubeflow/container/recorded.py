"""One node of a run that is spread over containers, recorded in a shared metadata store."""

from __future__ import annotations

import _thread
import contextlib
import hashlib
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact
from penstock.graph import Graph
from penstock.launch import provenance
from penstock.launch.attempt import Attempt, AttemptResult, RunSettings
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.launcher import Launcher
from penstock.store import LeaseHeld, MetadataStore, RunRecord, RunState, StoreError
from penstock.store.leases import Lease


class ContainerStore(MetadataStore):
    """A store whose executions belong to this container, not to the process of the whole run."""

    lease_name = ""

    def register_execution(self, **given: Any) -> int:
        """Write an execution that begins, under this container's lease."""
        return super().register_execution(**{**given, "lease": self.lease_name})


class ContainerLauncher(Launcher):
    """A launcher that lets a failed node decide the state of a run without a process of its own."""

    def fail(self, attempt: Attempt, reason: str, result: AttemptResult | None = None) -> None:
        """Record a failed attempt and the run's failure; remove what it wrote."""
        super().fail(attempt, reason, result)
        settings = attempt.settings
        self._store.finish_run(settings.run_id, RunState.FAILED, f"{attempt.node.id}: {reason}")


@contextlib.contextmanager
def recorded(
    url: str,
    graph: Graph,
    settings: RunSettings,
    run: RunRecord,
    published: Mapping[str, Mapping[str, Sequence[Artifact]]],
) -> Iterator[Launcher]:
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
        with store.acquire_lease(store.lease_name) as lease, _kept(lease):
            store.take_over_dead()
            _join(store, run)
            launcher = ContainerLauncher(store, graph, settings, DigestMemo())
            launcher.published.update(published)
            yield launcher


def describe_run(
    pipeline: str, settings: RunSettings, graph: str, values: Mapping[str, Any]
) -> RunRecord:
    """Return what a container knows of its run.

    Args:
        pipeline: Name of the pipeline.
        settings: Of the run.
        graph: The whole graph as text.
        values: Of the runtime parameters.
    """
    fingerprint, environment = provenance.environment()
    commit, dirty = provenance.code_version(settings.project_root)
    return RunRecord(
        run_id=settings.run_id,
        pipeline=pipeline,
        started=time.time(),
        graph_digest=hashlib.sha256(graph.encode()).hexdigest(),
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


def _join(store: MetadataStore, run: RunRecord) -> None:
    """Write the run if this is its first container.

    No process owns the run, and a RUNNING run without an owner counts as dead. So it is written as
    COMPLETE, and turns FAILED with its first failed node.
    """
    try:
        with store.transaction():
            store.create_run(run)
            store.finish_run(run.run_id, RunState.COMPLETE)
    except StoreError:
        store.require_run(run.run_id)  # another container was first


@contextlib.contextmanager
def _kept(lease: Lease) -> Iterator[None]:
    """Renew a lease from a thread while the body runs."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(lease.interval):
            try:
                lease.renew()
            except LeaseHeld:
                _thread.interrupt_main()  # another process counts this one as dead
                return
            except StoreError:
                continue  # the server may be back before the lease expires

    thread = threading.Thread(target=renew, name="penstock-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
