"""Runs on the cluster: made once, found by name, watched, ended."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from penstock.kubeflow.errors import NameTaken, UnknownOnServer
from penstock.kubeflow.predicates import equals, listed
from penstock.kubeflow.records import ClusterRun, UploadedVersion
from penstock.kubeflow.server import API, Server
from penstock.spelling import nearest

_PATH = f"{API}/runs"
_NEWEST = {"sort_by": "created_at desc"}
_SEARCHED = 200
"""Runs among which the beginning of an id, and those of a schedule, are looked for."""


def run_name(pipeline: str) -> str:
    """Return a name that no other run has.

    Example:
        run_name("penguin")  # penguin-20261128-091500-3f2c
    """
    return f"{pipeline}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def create_run(
    server: Server,
    version: UploadedVersion,
    *,
    name: str,
    experiment: str,
    parameters: Mapping[str, Any],
    service_account: str | None = None,
) -> tuple[ClusterRun, bool]:
    """Return the run of that name and whether it was made just now.

    Args:
        server: The server.
        version: What it runs.
        name: Its name. If a run of that name exists in the experiment, with the same version and
            parameters, that one is returned: so a command can be repeated.
        experiment: Name of the experiment.
        parameters: As the API takes them.
        service_account: Of its pods.

    Raises:
        NameTaken: If a run of that name has another version or other parameters.
        KubeflowError: As every request.
    """
    experiment_id = server.experiment(experiment)
    body: dict[str, Any] = {
        "display_name": name,
        "experiment_id": experiment_id,
        "pipeline_version_reference": version.reference,
        "runtime_config": {"parameters": dict(parameters)},
    }
    if service_account is not None:
        body["service_account"] = service_account

    def find() -> list[dict[str, Any]]:
        query = {
            "filter": equals(display_name=name),
            "experiment_id": experiment_id,
            "sort_by": "created_at asc",
        }
        return list(listed(server.transport, _PATH, "runs", query))

    there = find()
    if there:
        run = ClusterRun.of(there[0])
        if run.version is None or run.version.reference != version.reference:
            what = "another version of the pipeline"
        elif run.parameters != dict(parameters):
            what = f"other parameters: {dict(run.parameters)}"
        else:
            return run, False
        raise NameTaken(
            f"There is a run {name!r} already (id {run.run_id}), with {what}. Give this one another "
            "name, or none."
        )
    made = server.make(
        lambda: server.transport.post(_PATH, body),
        find,
        lambda run: cancel_run(server, run["run_id"]),
    )
    return ClusterRun.of(made), True


def get_run(server: Server, run_id: str) -> ClusterRun:
    """Return a run with what is known of its tasks.

    Raises:
        UnknownOnServer: If there is none.
    """
    return ClusterRun.of(server.transport.get(f"{_PATH}/{run_id}"))


def list_runs(
    server: Server, *, most: int = 20, schedule_id: str | None = None
) -> list[ClusterRun]:
    """Return the newest runs.

    Args:
        server: The server.
        most: How many.
        schedule_id: Only those of one schedule, among the newest 200.
    """
    query = {"namespace": server.namespace, **_NEWEST}
    # Servers name their column of schedules otherwise than the filter does, and answer with 500.
    looked = most if schedule_id is None else max(most, _SEARCHED)
    found = (
        ClusterRun.of(each) for each in listed(server.transport, _PATH, "runs", query, most=looked)
    )
    return [run for run in found if schedule_id in (None, run.schedule_id)][:most]


def find_run(server: Server, reference: str) -> ClusterRun:
    """Return the run that someone means: an id or its beginning, a name, or `latest`.

    Raises:
        UnknownOnServer: If there is none, with the nearest name.
    """
    if reference == "latest":
        newest = list_runs(server, most=1)
        if not newest:
            raise UnknownOnServer("There is no run on this Kubeflow yet.")
        return get_run(server, newest[0].run_id)
    if len(reference) == 36:
        try:
            return get_run(server, reference)
        except UnknownOnServer:
            pass
    query = {"namespace": server.namespace, "filter": equals(display_name=reference), **_NEWEST}
    named = list(listed(server.transport, _PATH, "runs", query, most=1))
    if named:
        return get_run(server, named[0]["run_id"])
    runs = list_runs(server, most=_SEARCHED)
    begin = [each for each in runs if len(reference) > 3 and each.run_id.startswith(reference)]
    if len(begin) == 1:
        return get_run(server, begin[0].run_id)
    if begin:
        raise UnknownOnServer(f"Several runs begin with {reference!r}: give more of the id.")
    near = nearest(reference, [each.name for each in runs])
    raise UnknownOnServer(f"There is no run {reference!r} on this Kubeflow.{near}")


def cancel_run(server: Server, run_id: str) -> None:
    """Ask a run to end: its pods get SIGTERM. Of a run that has ended nothing changes."""
    server.transport.post(f"{_PATH}/{run_id}:terminate", repeatable=True)
