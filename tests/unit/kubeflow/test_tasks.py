"""States of nodes, from rows as Kubeflow's servers tell them."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.kubeflow.package import Task
from penstock.kubeflow.records import ClusterRun
from penstock.kubeflow.tasks import node_results

TASKS = [Task("Trainer", "trainer")]


def _row(name: str, state: str, node: str = "", *children: str, **more: Any) -> dict[str, Any]:
    ended = state in ("SUCCEEDED", "FAILED", "SKIPPED")
    return {
        "display_name": name,
        "state": state,
        "start_time": "2026-11-28T09:00:00Z",
        "end_time": "2026-11-28T09:00:40Z" if ended else "0001-01-01T00:00:00Z",
        "pod_name": node,
        "child_tasks": [{"pod_name": each} for each in children],
        **more,
    }


def _told(message: str) -> dict[str, Any]:
    return {"state_history": [{"state": "FAILED", "error": {"code": 13, "message": message}}]}


def _result(*rows: dict[str, Any], state: str = "RUNNING") -> Any:
    return node_results(TASKS, ClusterRun("id", "name", state, tasks=rows))["Trainer"]


def test_a_node_waits_until_its_task_begins() -> None:
    assert _result().state == "PENDING"
    assert _result(_row("trainer-driver", "RUNNING")).state == "PENDING"


def test_a_node_that_ran_takes_as_long_as_its_task() -> None:
    found = _result(
        _row("trainer", "SUCCEEDED", "w-1", "w-2"), _row("executor", "SUCCEEDED", "w-2")
    )

    assert (found.state, found.seconds, found.attempts) == ("COMPLETE", 40.0, 1)


def test_a_skipped_container_is_a_cached_node() -> None:
    rows = _row("trainer", "SUCCEEDED", "w-1", "w-2"), _row("executor", "SKIPPED", "w-2")

    assert _result(*rows).state == "CACHED"


def test_attempts_are_counted() -> None:
    rows = [
        _row("trainer", "RUNNING", "w-1", "w-2"),
        _row("executor", "RUNNING", "w-2", "w-3", "w-4"),
        _row("executor(0)", "FAILED", "w-3", **_told("OOMKilled")),
    ]
    waits = _result(*rows)
    assert (waits.state, waits.attempts, waits.error) == ("RETRYING", 1, "OOMKilled")

    again = _result(*rows, _row("executor(1)", "RUNNING", "w-4"))
    assert (again.state, again.attempts) == ("RUNNING", 2)


def test_a_failed_node_says_what_its_last_container_said() -> None:
    rows = [
        _row("trainer", "FAILED", "w-1", "w-2", **_told("child failed")),
        _row("executor", "FAILED", "w-2", **_told("main: Error (exit code 1)")),
    ]
    assert _result(*rows).error == "main: Error (exit code 1)"
    driver = _result(_row("trainer-driver", "FAILED", "w-1", **_told("no such secret")))
    assert (driver.state, driver.error) == ("FAILED", "no such secret")


def test_a_containers_row_of_another_task_does_not_count() -> None:
    rows = [
        _row("trainer", "SUCCEEDED", "w-1", "w-2"),
        _row("executor", "SUCCEEDED", "w-2", "w-5"),  # Argo: what comes after is its child
        _row("pusher-driver", "SUCCEEDED", "w-5", "w-6"),
        _row("pusher", "SUCCEEDED", "w-6", "w-7"),
        _row("executor", "SKIPPED", "w-7"),
    ]
    assert _result(*rows).state == "COMPLETE"


@pytest.mark.parametrize(
    ("rows", "run", "state"),
    [
        ([], "FAILED", "SKIPPED"),
        ([], "CANCELED", "SKIPPED"),
        ([_row("trainer", "RUNNING", "w-1")], "CANCELED", "CANCELED"),
        ([_row("trainer", "RUNNING", "w-1")], "FAILED", "FAILED"),
        ([_row("trainer", "SKIPPED", "w-1")], "FAILED", "SKIPPED"),
    ],
)
def test_when_the_run_is_over_so_are_its_nodes(
    rows: list[dict[str, Any]], run: str, state: str
) -> None:
    assert _result(*rows, state=run).state == state


def test_servers_to_come_tell_the_tasks_name_apart() -> None:
    row = {"name": "trainer", "display_name": "Trainer", "state": "CACHED", "task_id": "t"}

    assert _result(row).state == "CACHED"
