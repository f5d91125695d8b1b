"""Schedules: Kubeflow's recurring runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from penstock.cron import Cron
from penstock.kubeflow.errors import NameTaken, UnknownOnServer
from penstock.kubeflow.predicates import equals, listed
from penstock.kubeflow.records import Schedule, UploadedVersion
from penstock.kubeflow.server import API, Server
from penstock.spelling import nearest

_PATH = f"{API}/recurringruns"
_MOST_AT_ONCE = 10
"""Kubeflow refuses more."""


@dataclasses.dataclass(frozen=True, slots=True)
class When:
    """When a schedule fires: a cron expression or an interval, within bounds.

    Args:
        cron: Five fields in UTC, six with seconds in front, or a word such as `@daily`.
        every: Seconds from one run to the next.
        start: The first moment, in a time zone; none for now.
        end: The last moment, in a time zone; none for no end.
        catch_up: Whether times that passed while it could not fire (the server was down, it was
            disabled, `start` lies in the past) are made up for, one run each.
        max_concurrency: How many of its runs may go on at once, 1 to 10.
        enabled: Whether it begins to fire at once.

    Raises:
        ValueError: If it has none or both of `cron` and `every`, or a value is wrong.

    Example:
        When(cron="0 3 * * mon-fri")
    """

    cron: str | None = None
    every: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    catch_up: bool = False
    max_concurrency: int = 1
    enabled: bool = True

    def __post_init__(self) -> None:
        if (self.cron is None) == (self.every is None):
            raise ValueError("a schedule has a cron expression or an interval, one of the two")
        if self.cron is not None:
            Cron.parse(self.cron)
        if self.every is not None and self.every < 1:
            raise ValueError(f"an interval is 1 second or more. Received: {self.every!r}")
        if not 1 <= self.max_concurrency <= _MOST_AT_ONCE:
            raise ValueError(
                f"Kubeflow takes 1 to {_MOST_AT_ONCE} runs of a schedule at once. Received: "
                f"{self.max_concurrency!r}"
            )
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} needs a time zone, as 2026-11-28T09:00:00Z")
        if self.start and self.end and self.end <= self.start:
            raise ValueError("the end of a schedule lies after its start")

    @property
    def trigger(self) -> dict[str, Any]:
        """The trigger as the API takes it."""
        bounds = {
            name: moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
            for name, moment in (("start_time", self.start), ("end_time", self.end))
            if moment is not None
        }
        if self.cron is not None:
            return {"cron_schedule": {"cron": Cron.parse(self.cron).text, **bounds}}
        return {"periodic_schedule": {"interval_second": str(self.every), **bounds}}


def create_schedule(
    server: Server,
    version: UploadedVersion,
    when: When,
    *,
    name: str,
    experiment: str,
    parameters: Mapping[str, Any],
    service_account: str | None = None,
    replace: bool = False,
) -> tuple[Schedule, bool]:
    """Return the schedule of that name and whether it was made just now.

    Args:
        server: The server.
        version: What its runs run.
        when: When it fires.
        name: Its name. A schedule of that name that does the same is returned as it is.
        experiment: Name of the experiment of its runs.
        parameters: Of its runs, as the API takes them.
        service_account: Of its runs' pods.
        replace: Whether a schedule of that name that does something else is replaced. The new one is made
            disabled, the old one removed, and only then it is enabled: they never fire both.

    Raises:
        NameTaken: If a schedule of that name does something else, and `replace` is not set.
        KubeflowError: As every request.
    """
    experiment_id = server.experiment(experiment)
    body: dict[str, Any] = {
        "display_name": name,
        "experiment_id": experiment_id,
        "pipeline_version_reference": version.reference,
        "runtime_config": {"parameters": dict(parameters)},
        "trigger": when.trigger,
        "max_concurrency": str(when.max_concurrency),
        "no_catchup": not when.catch_up,
        "mode": "ENABLE" if when.enabled else "DISABLE",
    }
    if server.namespace is not None:
        body["namespace"] = server.namespace
    if service_account is not None:
        body["service_account"] = service_account
    wanted = _content(Schedule.of({"recurring_run_id": "", **body}))
    there = _named(server, name)
    same = [each for each in there if not _differences(_content(each), wanted)]
    others = [each for each in there if _differences(_content(each), wanted)]
    if others and not replace:
        differing = _differences(_content(others[0]), wanted)
        raise NameTaken(
            f"There is a schedule {name!r} already, with another {differing}. Replace it "
            "with --replace, or give this one another --name."
        )
    if same:
        schedule, new = same[0], False
    else:
        if others:
            body["mode"] = "DISABLE"
        schedule, new = _make(server, body, wanted), True
    for each in [*others, *same[1:]]:
        delete_schedule(server, each.schedule_id)
    if schedule.enabled != when.enabled:
        set_enabled(server, schedule.schedule_id, when.enabled)
        schedule = dataclasses.replace(schedule, enabled=when.enabled)
    return schedule, new


def list_schedules(server: Server) -> list[Schedule]:
    """Return all schedules, the newest first."""
    query = {"namespace": server.namespace, "sort_by": "created_at desc"}
    return [Schedule.of(each) for each in listed(server.transport, _PATH, "recurringRuns", query)]


def find_schedule(server: Server, reference: str) -> Schedule:
    """Return the schedule that someone means: a name, or an id.

    Raises:
        UnknownOnServer: If there is none, with the nearest name.
    """
    schedules = list_schedules(server)
    found = [each for each in schedules if reference in (each.name, each.schedule_id)]
    if found:
        return found[0]
    near = nearest(reference, [each.name for each in schedules])
    raise UnknownOnServer(f"There is no schedule {reference!r} on this Kubeflow.{near}")


def set_enabled(server: Server, schedule_id: str, enabled: bool) -> None:
    """Let a schedule fire, or not."""
    verb = "enable" if enabled else "disable"
    server.transport.post(f"{_PATH}/{schedule_id}:{verb}", repeatable=True)


def delete_schedule(server: Server, schedule_id: str) -> None:
    """Remove a schedule; its runs stay."""
    server.transport.delete(f"{_PATH}/{schedule_id}")


def _make(server: Server, body: dict[str, Any], wanted: Mapping[str, Any]) -> Schedule:
    def find() -> list[dict[str, Any]]:
        query = {
            "namespace": server.namespace,
            "filter": equals(display_name=body["display_name"]),
            "sort_by": "created_at asc",
        }
        found = listed(server.transport, _PATH, "recurringRuns", query)
        return [each for each in found if not _differences(_content(Schedule.of(each)), wanted)]

    made = server.make(
        lambda: server.transport.post(_PATH, body),
        find,
        lambda each: delete_schedule(server, each["recurring_run_id"]),
    )
    return Schedule.of(made)


def _named(server: Server, name: str) -> list[Schedule]:
    return [each for each in reversed(list_schedules(server)) if each.name == name]


def _content(schedule: Schedule) -> dict[str, Any]:
    """Return what a schedule does, in words of the command; whether it is enabled does not count."""
    return {
        "cron expression": schedule.cron,
        "interval": schedule.every,
        "start": schedule.start,
        "end": schedule.end,
        "catch-up": schedule.catch_up,
        "concurrency": schedule.max_concurrency,
        "version of the pipeline": schedule.version.reference if schedule.version else None,
        "value of parameters": dict(schedule.parameters),
        "experiment": schedule.experiment_id,
        "service account": schedule.service_account,
    }


def _differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return in what a schedule differs; the server tells its own service account if none was named."""
    default = {"service account"} if wanted["service account"] is None else set()
    return ", ".join(
        name for name, value in there.items() if value != wanted[name] and name not in default
    )
