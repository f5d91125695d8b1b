"""Faults of the server and of the way to it: clear errors, safe repetition, nothing made twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubeflow_api import Fault, KubeflowApi

from penstock.kubeflow import Kubeflow, When, find_connection
from penstock.kubeflow.errors import (
    Busy,
    KubeflowError,
    NotAllowed,
    NotAuthenticated,
    NotReachable,
    Refused,
    ServerFault,
    UnknownOnServer,
)

LOST = [
    pytest.param(Fault("POST", "/runs$", done_first=True, cut=True), id="done, then cut"),
    pytest.param(Fault("POST", "/runs$", cut=True), id="cut before it was done"),
    pytest.param(Fault("POST", "/runs$", done_first=True, status=500), id="done, then 500"),
    pytest.param(Fault("POST", "/runs$", done_first=True, status=504), id="done, then 504"),
    pytest.param(Fault("POST", "/runs$", status=503), id="503"),
    pytest.param(Fault("POST", "/runs$", status=429, headers={"Retry-After": "0"}), id="429"),
]


@pytest.mark.parametrize("fault", LOST)
def test_a_run_whose_answer_is_lost_is_made_once(
    idle_kubeflow: Kubeflow, idle_api: KubeflowApi, package: str, tmp_path: Path, fault: Fault
) -> None:
    idle_api.faults.append(fault)

    run = idle_kubeflow.run(package, parameters={"pipeline_root": str(tmp_path)})

    assert list(idle_api.runs) == [run.run_id]
    assert idle_api.faults == []


@pytest.mark.parametrize(
    "path", ["/recurringruns$", "/experiments$", "/pipelines$", "/pipelines/upload_version$"]
)
@pytest.mark.parametrize("done", [True, False])
def test_everything_else_is_made_once_too(
    idle_kubeflow: Kubeflow, idle_api: KubeflowApi, package: str, path: str, done: bool
) -> None:
    idle_api.faults.append(Fault("POST", path, done_first=done, cut=True))

    idle_kubeflow.schedule(package, When(every=3600), parameters={"pipeline_root": "gs://b"})

    assert idle_api.faults == []
    made = (idle_api.recurring, idle_api.experiments, idle_api.pipelines, idle_api.versions)
    assert [len(each) for each in made] == [1, 1, 1, 1]


def test_a_request_that_was_only_slow_does_not_leave_two_runs(
    idle_kubeflow: Kubeflow, idle_api: KubeflowApi, package: str, tmp_path: Path
) -> None:
    """The answer is lost, nobody sees the run, it is made again; then the first one turns up."""
    create, late = idle_api.create_run, threading.Event()

    def slow(body: dict[str, Any], schedule: str = "") -> dict[str, Any]:
        if not late.is_set():
            late.set()
            waiting.append(body)
            raise ConnectionError
        create(waiting.pop())
        return create(body, schedule)

    waiting: list[dict[str, Any]] = []
    idle_api.create_run = slow  # type: ignore[method-assign]
    run = idle_kubeflow.run(package, parameters={"pipeline_root": str(tmp_path)})

    first, second = sorted(idle_api.runs.values(), key=lambda each: each["created_at"])
    assert run.run_id == first["run_id"]
    assert second["state"] in ("CANCELING", "CANCELED")


def test_questions_are_asked_again(kubeflow: Kubeflow, api: KubeflowApi) -> None:
    api.faults += [
        Fault("GET", "/runs$", status=500),
        Fault("GET", "/runs$", cut=True),
        Fault("GET", "/runs$", status=429, headers={"Retry-After": "0"}),
        Fault("GET", "/runs$", status=503),
    ]

    assert kubeflow.runs() == []
    assert len(api.requests) == 6


def test_a_wait_that_the_server_asks_for_is_kept(kubeflow: Kubeflow, api: KubeflowApi) -> None:
    waits: list[float] = []
    kubeflow.server.transport.sleep = waits.append
    api.faults += [Fault("GET", "/runs$", status=429, headers={"Retry-After": "7"})]

    kubeflow.runs()

    assert waits == [7.0]


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (400, Refused, r"GET /apis/v2beta1/runs at http://127.*: 400, the server says 400"),
        (401, NotAuthenticated, r"does not accept who is asking \(401, .*Give a token"),
        (403, NotAllowed, r"is not allowed \(403, the server says 403\)\. Ask for the right"),
        (404, UnknownOnServer, "404, the server says 404"),
        (429, Busy, "429, the server says 429"),
        (500, ServerFault, "500, the server says 500"),
        (302, NotAuthenticated, "answered with a login page instead of data"),
    ],
)
def test_an_error_says_what_to_do(
    api: KubeflowApi, status: int, kind: type[KubeflowError], message: str
) -> None:
    kubeflow = Kubeflow.at(api.url)
    kubeflow.server.transport.patience = 0
    kubeflow.server.namespace  # noqa: B018
    api.faults.append(Fault("GET", "/runs$", status=status))

    with pytest.raises(kind, match=message):
        kubeflow.runs()


def test_a_run_that_the_server_refuses_for_good_fails_with_its_words(
    kubeflow: Kubeflow, api: KubeflowApi, package: str, tmp_path: Path
) -> None:
    api.faults += [Fault("POST", "/runs$", status=500) for _ in range(9)]

    with pytest.raises(ServerFault, match="500, the server says 500"):
        kubeflow.run(package, parameters={"pipeline_root": str(tmp_path)})

    assert api.runs == {}


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    kubeflow = Kubeflow.at(f"http://user:secret@127.0.0.1:{port}")
    kubeflow.server.transport.patience = 0

    with pytest.raises(NotReachable, match="kubectl port-forward") as told:
        kubeflow.runs()

    assert "secret" not in str(told.value)
    assert "Connection refused" in str(told.value)


def test_a_token_is_read_anew_and_never_shown(
    make_api: Callable[..., KubeflowApi], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api(token="right")
    file = tmp_path / "token"
    file.write_text("wrong\n")
    connection = find_connection(api.url, token_file=str(file))
    kubeflow = Kubeflow(connection)
    with pytest.raises(NotAuthenticated) as told:
        kubeflow.runs()
    assert "wrong" not in str(told.value)

    file.write_text("right\n")
    assert kubeflow.runs() == []
    assert "right" not in repr(connection) + repr(kubeflow)
    monkeypatch.setenv("PENSTOCK_KUBEFLOW_TOKEN", "right")
    assert Kubeflow.at(api.url).runs() == []


def test_an_outage_while_a_run_is_watched_is_waited_out(
    kubeflow: Kubeflow,
    api: KubeflowApi,
    package: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = kubeflow.run(package, parameters={"pipeline_root": str(tmp_path)})
    package_of, found = kubeflow.package(run), kubeflow.find(run.run_id)
    assert package_of.nodes
    kubeflow.server.transport.patience = 0
    api.faults += [Fault("GET", f"/runs/{found.run_id}$", cut=True) for _ in range(3)][1:]
    api.faults += [Fault("GET", f"/runs/{found.run_id}$", status=503)]
    from penstock.kubeflow.watching import watch
    from penstock.runners.local.progress import make_progress

    ended = watch(kubeflow.server, package_of, found, make_progress("plain"), pause=0.05)

    assert ended.state == "COMPLETE"
    assert capsys.readouterr().err.count("no answer, asking again") == 1
