"""Processes of our own: talking with them, what they print, and that none is left."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from penstock.io.processes.child_process import ChildProcess, describe_status


def _answer(connection, argument):
    while (asked := connection.recv()) is not None:
        print(f"asked {asked}", flush=True)
        connection.send((argument, asked, os.environ.get("FOR_CHILD")))


def _start_another(connection, argument):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    connection.send(other.pid)
    connection.recv()


def _import_tensorflow(connection, argument):
    print("before", flush=True)
    import tensorflow as tf

    tf.constant(1.0) + 1.0
    print("after", flush=True)


def _fail(connection, argument):
    raise ValueError("mine")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Makes this module importable there, under its own name."""
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    monkeypatch.setitem(sys.modules, "test_child_process", sys.modules[__name__])
    for function in (_answer, _start_another, _import_tensorflow, _fail):
        monkeypatch.setattr(function, "__module__", "test_child_process")


def _gone(pid: int) -> bool:
    """Wait until a process is gone; one that nobody collects counts as gone."""
    for _ in range(500):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def start(function, argument=None, lines=None, **options):
    lines = [] if lines is None else lines
    return ChildProcess(function, argument, name="worker 1", print_line=lines.append, **options)


def test_it_talks_and_its_lines_are_prefixed():
    lines = []
    with start(_answer, {"a": 1}, lines, environment={"FOR_CHILD": "yes"}) as child:
        child.connection.send("x")
        assert child.connection.recv() == ({"a": 1}, "x", "yes")
        child.connection.send(None)
        assert child.wait(30) == 0
    assert lines == ["[worker 1] asked x"]


@pytest.mark.processes
def test_what_tensorflow_says_while_it_is_imported_is_left_out():
    lines = []
    with start(_import_tensorflow, None, lines) as child:
        assert child.wait() == 0
    assert lines == ["[worker 1] before", "[worker 1] after"]


def test_an_exception_is_printed_and_is_its_status():
    lines = []
    with start(_fail, None, lines) as child:
        with pytest.raises((EOFError, ConnectionResetError)):
            child.connection.recv()
        assert child.wait(30) == 1
    assert lines[-1] == "[worker 1] ValueError: mine"


def test_one_that_is_killed_is_heard_of():
    with start(_answer) as child:
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises((EOFError, ConnectionResetError)):
            child.connection.recv()
        assert child.wait(30) == -9


def test_what_it_started_ends_with_it():
    with start(_start_another) as child:
        other = child.connection.recv()
        assert psutil.pid_exists(other)
    assert _gone(other)


def test_it_ends_when_its_parent_is_killed():
    code = """
        import os, sys
        from penstock.io.processes.child_process import ChildProcess
        sys.path.insert(0, sys.argv[1])
        from test_child_process import _start_another
        child = ChildProcess(_start_another, None, name="c")
        print(child.pid, child.connection.recv(), flush=True)
        sys.stdin.read()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), os.path.dirname(__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    child, other = map(int, parent.stdout.readline().split())
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    assert _gone(child)
    assert _gone(other)


def test_how_it_ended_in_words():
    assert describe_status(-9) == "was killed by SIGKILL (out of memory?)"
    assert describe_status(-11) == "was killed by SIGSEGV (a native library crashed)"
    assert describe_status(-15) == "was killed by SIGTERM"
    assert describe_status(3) == "ended with exit status 3"
