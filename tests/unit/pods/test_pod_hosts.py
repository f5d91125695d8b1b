"""Pods for processes: made, waited for, replaced and removed, at an API server in memory."""

import importlib
import threading
import time

import pytest

from penstock.io.processes.hosts import Place
from penstock.pods import pod_hosts
from penstock.pods.cluster import Cluster, ClusterError
from penstock.pods.pod_hosts import PodHosts, PodsMissing
from penstock.pods.request import PodRequest

PLACES = [Place("chief"), Place("worker 1")]
MODULE = """
import os

def work(connection, argument):
    while True:
        connection.send((argument, os.environ["PENSTOCK_POD_NAME"], connection.recv()))
"""


@pytest.fixture
def work(tmp_path, monkeypatch, server):
    (tmp_path / "working.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(pod_hosts, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(pod_hosts, "_WHY_SECONDS", 2.0)
    server.environment["PYTHONPATH"] = str(tmp_path)
    return importlib.import_module("working").work


def jobs(server):
    return [key.rpartition("/")[2] for key in server.objects if "/jobs/" in key]


def test_processes_run_in_pods_and_all_that_was_made_is_removed(server, work):
    with PodHosts("Trainer", PodRequest()).hold(PLACES) as places:
        addresses = places.addresses()
        assert len(set(addresses)) == 2
        assert jobs(server) == ["trainer-0a1b2c3d"]
        assert "/api/v1/namespaces/team/services/trainer-0a1b2c3d" in server.objects
        labels = server.pods()[-1]["metadata"]["labels"]
        assert labels["a"] == "b"
        assert "pipeline/runid" not in labels
        processes = [places.start(number, work, f"a{number}", {}) for number in (0, 1)]
        for number, process in enumerate(processes):
            process.connection.send("hello")
            argument, pod, said = process.connection.recv()
            assert (argument, said) == (f"a{number}", "hello")
            assert pod.startswith(f"trainer-0a1b2c3d-{number}-")
        for process in processes:
            process.kill()
        running = list(server.processes.values())
    assert [each.wait(10) for each in running] == [0, 0]
    assert [key for key in server.objects if "/jobs/" in key or "/services/" in key] == []


def test_a_pod_that_is_taken_away_is_replaced_and_its_process_says_why(server, work):
    with PodHosts("Trainer", PodRequest()).hold(PLACES) as places:
        places.addresses()
        process = places.start(1, work, "a", {})
        process.connection.send(0)
        _, pod, _ = process.connection.recv()
        assert places.is_as_told(1)
        server.lose(
            pod,
            {
                "phase": "Failed",
                "conditions": [
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "PreemptionByScheduler",
                        "message": "preempting to accommodate a higher priority pod",
                    }
                ],
            },
        )
        with pytest.raises((EOFError, OSError)):
            process.connection.recv()
        assert process.how_it_ended() == (
            f"was lost with its pod {pod}: PreemptionByScheduler: preempting to accommodate a higher "
            "priority pod"
        )
        process.kill()
        places.addresses()
        after = places.start(1, work, "b", {})
        after.connection.send(0)
        argument, other, _ = after.connection.recv()
        assert (argument, other != pod) == ("b", True)
        after.kill()


def test_a_job_that_has_failed_is_made_anew_when_its_pods_are_needed_again(server, work):
    with PodHosts("Trainer", PodRequest()).hold(PLACES) as places:
        places.addresses()
        job = server.objects["/apis/batch/v1/namespaces/team/jobs/trainer-0a1b2c3d"]
        for name in list(server.processes):
            server.processes[name].kill()
        job["status"]["conditions"] = [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}
        ]
        places.addresses()
        assert jobs(server) == ["trainer-0a1b2c3d-1"]
    assert jobs(server) == []


def test_a_job_whose_failure_is_seen_while_its_pods_are_awaited_is_made_anew_once(server, work):
    with PodHosts("Trainer", PodRequest()).hold(PLACES) as places:
        places.addresses()
        server.starts = False
        for name in list(server.processes):
            server.processes[name].kill()
            server.processes.pop(name).wait()
        for seconds, name in ((0.5, "trainer-0a1b2c3d"), (0.6, "trainer-0a1b2c3d-1")):
            threading.Timer(seconds, _fail, (server, name)).start()
        with pytest.raises(PodsMissing, match="trainer-0a1b2c3d-1 has failed"):
            places.addresses()
    assert jobs(server) == []


def test_pods_that_do_not_come_are_told_with_what_the_cluster_says(server, work, monkeypatch):
    server.starts = False
    told = []
    monkeypatch.setattr(pod_hosts, "tell", told.append)
    hosts = PodHosts("Trainer", PodRequest(wait_seconds=0.5))

    def no_room():
        for pod in server.pods():
            pod["status"]["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                }
            ]

    with pytest.raises(PodsMissing) as error, hosts.hold(PLACES) as places:
        no_room()
        places.addresses()
    assert "The 2 pods were not all there within 0.5 s. trainer-0a1b2c3d-0-" in str(error.value)
    assert str(error.value).count("Unschedulable: 0/3 nodes are available") == 2
    assert told[0].startswith("0 of 2 pods are there; trainer-0a1b2c3d-0-")
    assert jobs(server) == []


def test_pods_that_fail_at_once_end_the_wait_with_their_last_lines(server, work):
    server.starts = False
    with (
        pytest.raises(PodsMissing) as error,
        PodHosts("Trainer", PodRequest()).hold(PLACES) as places,
    ):
        for pod in server.pods():
            ended = {"exitCode": 1, "reason": "Error"}
            pod["status"] = {
                "phase": "Failed",
                "containerStatuses": [{"name": "main", "state": {"terminated": ended}}],
            }
        threading.Timer(0.3, _fail, (server,)).start()
        places.addresses()
    assert "trainer-0a1b2c3d has failed (BackoffLimitExceeded). trainer-0" in str(error.value)
    assert "Error, exit status 1 its last lines:\nthe last line" in str(error.value)


def _fail(server, name="trainer-0a1b2c3d"):
    path = f"/apis/batch/v1/namespaces/team/jobs/{name}"
    deadline = time.monotonic() + 30
    while path not in server.objects and time.monotonic() < deadline:
        time.sleep(0.05)
    job = server.objects[path]
    job["status"]["conditions"] = [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    ]


def test_a_wait_for_admission_is_not_counted(server, work, monkeypatch):
    told = []
    monkeypatch.setattr(pod_hosts, "tell", told.append)
    server.starts = False
    hosts = PodHosts("Trainer", PodRequest(queue="gold", wait_seconds=0.2))
    with hosts.hold(PLACES) as places:
        job = server.objects["/apis/batch/v1/namespaces/team/jobs/trainer-0a1b2c3d"]
        job["spec"]["suspend"] = True
        timer = threading.Timer(1.0, job["spec"].update, (), {"suspend": False})
        timer.start()
        with pytest.raises(PodsMissing):
            places.addresses()
        assert not job["spec"]["suspend"]
        timer.join()
    assert told[0] == "0 of 2 pods are there; in its queue"


def test_what_a_lost_answer_has_made_is_found_and_not_made_twice(server, work):
    server.after = True
    server.faults["POST"] = [503]
    with PodHosts("Trainer", PodRequest()).hold(PLACES) as places:
        places.addresses()
    made = [path for method, path in server.asked if method == "POST"]
    assert made == [
        "/api/v1/namespaces/team/services",
        "/api/v1/namespaces/team/services",
        "/apis/batch/v1/namespaces/team/jobs",
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "`penstock kubeflow role nodes` prints the role"),
        (401, "The pod's token is not valid"),
        (404, "The cluster does not know this kind of object."),
    ],
)
def test_a_refusal_is_told_with_what_to_do(server, work, status, said):
    server.faults["POST"] = [status]
    with pytest.raises(ClusterError, match=said), PodHosts("T", PodRequest()).hold(PLACES):
        pass


def test_a_server_that_does_not_answer_is_asked_for_a_bounded_time(server, work):
    cluster = Cluster.here("team")
    cluster._patience = 0.6
    server.faults["GET"] = [500] * 9
    with pytest.raises(ClusterError, match="500: as the test says"):
        cluster.get("pods", "trainer-pod")
    assert len(server.asked) == 2
    server.faults.clear()
    server.close()
    with pytest.raises(ClusterError, match="did not answer GET .* for 0.6 s"):
        cluster.get("pods", "trainer-pod")


def test_a_pod_that_does_not_know_itself(monkeypatch, server):
    monkeypatch.delenv("PENSTOCK_POD_NAME")
    with (
        pytest.raises(ClusterError, match="must know its own pod"),
        PodHosts("T", PodRequest()).hold(PLACES),
    ):
        pass
