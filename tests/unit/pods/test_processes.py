"""Processes that an agent starts for a reception: the same to see as children of one's own."""

import functools
import importlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from penstock.pods.agent import Agent
from penstock.pods.lines import call
from penstock.pods.messages import ABANDONED, Kill
from penstock.pods.pod_process import LOST, PodProcess
from penstock.pods.reception import Reception

# A process imports what it runs; tests cannot be imported by their names.
ECHO = """
import os, signal

def prepare(folder):
    os.makedirs(folder)

def echo(connection, argument):
    print(f"begins with {argument} and {os.environ['GIVEN']}, {os.environ['DEFAULT']}")
    while True:
        said = connection.recv()
        if said == "raise":
            raise ValueError("as told")
        if said == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if said == "return":
            return
        connection.send((os.getpid(), said))
"""


class Pods:
    """A reception and one agent."""

    def __init__(self, function):
        self.function = function
        self.printed = []
        self.reception = Reception("127.0.0.1", self.printed.append)
        self.codes = []
        self.agent = None

    def arrive(self, place=0, key=None):
        agent = Agent(
            self.reception.address, key or self.reception.key, place, f"pod-{place}", patience=0.1
        )
        thread = threading.Thread(target=lambda: self.codes.append(agent.run()), daemon=True)
        thread.start()
        return thread

    def start(self, place=0, seconds=20, first=None):
        return PodProcess(
            self.reception,
            place,
            (self.function, "an argument", first),
            name="worker 1",
            environment={"GIVEN": "this"},
            defaults={"DEFAULT": "that", "PATH": "not used"},
            agent_seconds=seconds,
            why_gone=lambda pod: f"{pod} was evicted",
        )


@pytest.fixture
def pods(tmp_path, monkeypatch):
    (tmp_path / "echoing.py").write_text(ECHO)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Pods(importlib.import_module("echoing").echo)
    with made.reception:
        yield made


def test_a_process_talks_prints_and_ends_as_a_child_does(pods, tmp_path):
    thread = pods.arrive()
    prepare = importlib.import_module("echoing").prepare
    process = pods.start(first=functools.partial(prepare, str(tmp_path / "prepared")))
    process.connection.send({"a": 1})
    pid, said = process.connection.recv()
    assert said == {"a": 1}
    assert pid != os.getpid()
    assert (tmp_path / "prepared").exists()
    assert process.poll() is None
    process.connection.send("return")
    with pytest.raises((EOFError, OSError)):
        process.connection.recv()
    assert process.wait(5) == 0
    process.kill()
    pods.reception.dismiss()
    thread.join(5)
    assert pods.codes == [0]
    assert pods.printed == ["[worker 1] begins with an argument and this, that"]


@pytest.mark.parametrize(
    ("word", "status", "how"),
    [
        ("die", -signal.SIGKILL, "was killed by SIGKILL (out of memory?)"),
        ("raise", 1, "ended with exit status 1"),
    ],
)
def test_how_a_process_ends_is_known_once_its_line_is_cut(pods, word, status, how):
    pods.arrive()
    process = pods.start()
    process.connection.send(word)
    with pytest.raises((EOFError, OSError)):
        process.connection.recv()
    assert process.poll() == status
    assert process.how_it_ended() == how
    # The pod stays, and another process is started in it.
    after = pods.start()
    after.connection.send(1)
    assert after.connection.recv()[1] == 1
    after.kill()
    assert after.poll() == -signal.SIGKILL


def test_a_pod_that_is_gone_takes_its_process_with_it_and_another_takes_its_place(pods):
    pods.arrive()
    process = pods.start()
    process.connection.send(1)
    process.connection.recv()
    pods.reception.agent(0).hang_up()
    with pytest.raises((EOFError, OSError)):
        process.connection.recv()
    assert process.wait(5) == LOST
    assert process.how_it_ended() == "was lost with its pod pod-0: pod-0 was evicted"
    # The agent calls again.
    assert pods.reception.wait_for(1, 10)
    after = pods.start()
    after.connection.send(2)
    assert after.connection.recv()[1] == 2
    after.kill()


def test_a_process_waits_for_its_pod_a_bounded_time(pods):
    process = pods.start(seconds=0.3)
    assert not pods.reception.wait_for(1, 0.01)
    with pytest.raises((EOFError, OSError)):
        process.connection.recv()
    assert process.wait(5) == LOST
    assert process.how_it_ended() == "did not start: no pod came within 0.3 s"
    process.kill()
    with pytest.raises(subprocess.TimeoutExpired):
        late = pods.start()
        late.wait(0.01)
    pods.arrive()
    late.connection.send(3)
    assert late.connection.recv()[1] == 3
    late.kill()


def test_who_does_not_know_the_key_is_not_heard_and_keeps_nobody_waiting(pods):
    host, _, port = pods.reception.address.rpartition(":")
    with socket.create_connection((host, int(port))):
        stranger = pods.arrive(key=b"another")
        pods.arrive(place=1)
        stranger.join(10)
        assert pods.codes == [ABANDONED]
        deadline = time.monotonic() + 10
        while pods.reception.agent(1) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert pods.reception.agent(1).pod == "pod-1"
        assert pods.reception.agent(0) is None


def test_an_agent_finds_addresses_and_leaves_when_the_node_is_gone(pods):
    thread = pods.arrive()
    assert pods.reception.wait_for(1, 10)
    host, _, port = pods.reception.agent(0).find_address().rpartition(":")
    assert host == "127.0.0.1"
    with socket.socket() as free:
        free.bind((host, int(port)))
    pods.reception.agent(0).send(Kill(99))  # of a process that is not there: nothing happens
    pods.reception.__exit__()
    thread.join(10)
    assert pods.codes == [ABANDONED]
    with pytest.raises(ConnectionRefusedError):
        call(pods.reception.address, pods.reception.key, 1.0)
