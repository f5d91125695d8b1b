"""Schedules on Kubeflow's stand-in, which fires them as Kubeflow's controller does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubeflow_api import Fault, KubeflowApi

from penstock.cron import Cron
from penstock.kubeflow import Kubeflow, When
from penstock.kubeflow.errors import NameTaken, UnknownOnServer
from penstock.kubeflow.runs import list_runs

GIVEN = {"pipeline_root": "gs://bucket"}


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 3 * * *", "2026-11-28T09:00:00", "2026-11-29T03:00:00"),
        ("*/15 * * * *", "2026-11-28T09:00:00", "2026-11-28T09:15:00"),
        ("30 */10 * * * *", "2026-11-28T09:09:59", "2026-11-28T09:10:30"),
        ("0 9 * * mon-fri", "2026-11-27T09:00:00", "2026-11-30T09:00:00"),
        ("0 0 31 * *", "2026-11-01T00:00:00", "2026-12-31T00:00:00"),
        ("0 0 29 feb ?", "2026-11-01T00:00:00", "2028-02-29T00:00:00"),
        # If day of month and day of week are both given, either is enough.
        ("0 0 13 * 5", "2026-11-01T00:00:00", "2026-11-06T00:00:00"),
        ("0 0 1 1,7 *", "2026-11-01T00:00:00", "2027-01-01T00:00:00"),
        ("5/20 8 * * *", "2026-11-28T08:06:00", "2026-11-28T08:25:00"),
        ("@hourly", "2026-11-28T23:59:59", "2026-11-29T00:00:00"),
        ("@weekly", "2026-11-28T00:00:00", "2026-11-29T00:00:00"),
        ("0 0 31 2 *", "2026-11-28T00:00:00", None),
    ],
)
def test_the_next_time_of_a_cron_expression(text: str, after: str, expected: str | None) -> None:
    moment = Cron.parse(text).next_after(datetime.fromisoformat(f"{after}+00:00"))

    assert (moment and moment.isoformat()) == (expected and f"{expected}+00:00")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 3 * *", r"has five fields .* Received: '0 3 \* \*'"),
        ("61 * * * *", "minute is 0 to 59. Received: '61'"),
        ("0 0 * 13 *", "month is 1 to 12 or jan to dec. Received: '13'"),
        ("0 0 * * fri-mon", "day of week: 'fri-mon' ends before it begins"),
        ("*/0 * * * *", "minute is 1 to 59. Received: '0'"),
        ("@every 1h", "is an interval: give it as --every 1h"),
    ],
)
def test_a_wrong_cron_expression(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        When(cron=text)


def test_five_fields_get_seconds_in_front() -> None:
    # Kubeflow would read "0 3 * * *" as "at second 0 of minute 3 of every hour".
    assert When(cron="0 3 * * *").trigger == {"cron_schedule": {"cron": "0 0 3 * * *"}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "a cron expression or an interval"),
        ({"cron": "@daily", "every": 5}, "one of the two"),
        ({"every": 0}, "an interval is 1 second or more"),
        ({"every": 5, "max_concurrency": 11}, "takes 1 to 10 runs of a schedule at once"),
        ({"every": 5, "start": datetime(2026, 1, 1)}, "start needs a time zone"),
    ],
)
def test_a_wrong_time(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        When(**given)  # type: ignore[arg-type]


def test_a_schedule_fires_and_its_runs_do_not_overlap(
    idle_kubeflow: Kubeflow, idle_api: KubeflowApi, package: str, tmp_path: Path
) -> None:
    schedule = idle_kubeflow.schedule(
        package, When(every=1), parameters={"pipeline_root": str(tmp_path)}
    )
    until = time.monotonic() + 30
    while not idle_api.runs and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1.3)

    (run,) = list_runs(idle_kubeflow.server, schedule_id=schedule.schedule_id)
    assert run.parameters == {"pipeline_root": str(tmp_path)}
    assert run.version == schedule.version
    idle_kubeflow.enable("words", enabled=False)
    assert [each.enabled for each in idle_kubeflow.schedules()] == [False]
    idle_kubeflow.unschedule(schedule.schedule_id)
    assert idle_kubeflow.schedules() == []
    with pytest.raises(UnknownOnServer, match="no schedule 'words'"):
        idle_kubeflow.unschedule("words")


@pytest.mark.parametrize(("catch_up", "expected"), [(False, 1), (True, 3)])
def test_times_that_passed(
    idle_kubeflow: Kubeflow, idle_api: KubeflowApi, package: str, catch_up: bool, expected: int
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=31)
    when = When(every=600, start=start, catch_up=catch_up, max_concurrency=10)
    idle_kubeflow.schedule(package, when, parameters={**GIVEN})

    time.sleep(1)

    assert len(idle_api.runs) == expected


def test_the_same_schedule_again_is_the_same(
    idle_kubeflow: Kubeflow, idle_api: KubeflowApi, package: str
) -> None:
    first = idle_kubeflow.schedule(package, When(cron="@daily"), parameters=GIVEN)

    assert idle_kubeflow.schedule(package, When(cron="@daily"), parameters=GIVEN) == first
    with pytest.raises(
        NameTaken, match="'words' already, with another cron expression. Replace it"
    ):
        idle_kubeflow.schedule(package, When(cron="@hourly"), parameters=GIVEN)
    with pytest.raises(NameTaken, match="another value of parameters"):
        idle_kubeflow.schedule(package, When(cron="@daily"), parameters={**GIVEN, "words": "x"})
    paused = idle_kubeflow.schedule(package, When(cron="@daily", enabled=False), parameters=GIVEN)
    assert (paused.schedule_id, paused.enabled) == (first.schedule_id, False)
    assert idle_kubeflow.schedules() == [paused]


@pytest.mark.parametrize("cut", [None, "recurringruns$", ":enable$", "recurringruns/"])
def test_a_schedule_is_replaced(
    idle_kubeflow: Kubeflow, idle_api: KubeflowApi, package: str, cut: str | None
) -> None:
    idle_kubeflow.schedule(package, When(cron="@daily"), parameters=GIVEN)
    if cut is not None:
        method = "DELETE" if cut.endswith("/") else "POST"
        idle_api.faults.append(Fault(method, cut, done_first=True, cut=True))

    idle_kubeflow.schedule(package, When(cron="@hourly"), parameters=GIVEN, replace=True)

    (left,) = idle_kubeflow.schedules()
    assert (left.cron, left.enabled) == ("0 0 * * * *", True)
    assert idle_api.faults == []
