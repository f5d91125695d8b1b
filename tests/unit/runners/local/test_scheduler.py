from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.launch.attempt import AttemptResult
from penstock.launch.launcher import Ended, NotStarted
from penstock.runners.local.accelerators import AcceleratorTokens
from penstock.runners.local.executor import Finished
from penstock.runners.local.progress import SilentProgress
from penstock.runners.local.scheduler import Scheduler
from penstock.runners.local.stop import StopRequest
from penstock.runners.result import NodeState
from penstock.store import StoreFull


class MemoryLauncher:
    """A launcher without a store: every node must run but for those that are said to be cached."""

    is_cold = False

    def __init__(self) -> None:
        self.cached: set[str] = set()
        self.refused: dict[str, str] = {}
        self.published: dict = {}
        self.log: list[str] = []
        self.publish_error: Exception | None = None
        self._count = 0

    def begin(self, node):
        if node.id in self.refused:
            raise NotStarted(self.refused[node.id], None)
        self._count += 1
        if node.id in self.cached:
            self.published[node.id] = {}
            return Ended(self._count, "CACHED", {})
        return self._attempt(node, 1)

    def retry(self, attempt):
        self._count += 1
        return self._attempt(attempt.node, attempt.number + 1)

    def _attempt(self, node, number: int):
        from penstock.launch.attempt import Attempt, RunSettings

        settings = RunSettings("r", "p", "/nowhere", "/nowhere")
        return Attempt(node, settings, self._count, number, {}, {}, "", "")

    def publish(self, attempt, result) -> None:
        if self.publish_error is not None:
            raise self.publish_error
        self.log.append(f"publish {attempt.node.id}")
        self.published[attempt.node.id] = {}

    def fail(self, attempt, reason, result=None) -> None:
        self.log.append(f"fail {attempt.node.id} {attempt.number}: {reason}")

    def cancel(self, attempt, reason) -> None:
        self.log.append(f"cancel {attempt.node.id}: {reason}")


class MemoryExecutor:
    """Executes nothing: what is submitted ends in the order in which it came, as it was told."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self.errors: dict[str, list[str | None]] = {}
        self.running: list = []
        self.order: list[str] = []
        self.widest = 0
        self.anticipated: list[list[str]] = []
        self.held: dict[str, tuple[str, ...]] = {}
        self.on_wait: Callable[[], None] = lambda: None

    def has_room(self) -> bool:
        return len(self.running) < self.size

    def submit(self, attempt) -> None:
        if attempt.node.id == "unstartable":
            raise OSError("no more processes")
        assert self.has_room()
        self.running.append(attempt)
        self.order.append(attempt.node.id)
        self.held[attempt.node.id] = attempt.accelerators
        self.widest = max(self.widest, len(self.running))

    def anticipate(self, nodes) -> None:
        self.anticipated.append([node.id for node in nodes])

    def wait(self, seconds):
        self.on_wait()
        if not self.running:
            return []
        attempt = self.running.pop(0)
        errors = self.errors.get(attempt.node.id, [])
        error = errors.pop(0) if errors else None
        return [Finished(attempt, AttemptResult({}, error=error))]

    def wake(self) -> None:
        pass

    def kill(self, attempt, reason) -> None:
        self.errors[attempt.node.id] = [reason]

    def close(self) -> None:
        self.running.clear()


@pytest.fixture
def schedule(nodes):
    """Schedule named nodes; `edges` says what each waits for."""

    def make(edges: dict[str, str], executor=None, *, accelerators=(), **settings):
        made = {name: nodes.number(value=1).with_id(name) for name in edges}
        for name, befores in edges.items():
            for before in befores.split():
                made[name].add_upstream_node(made[before])
            for setting, value in settings.get(name, {}).items():
                if setting == "resources":
                    made[name] = made[name].with_resources(**value)
                else:
                    made[name] = made[name].with_policy(**{setting: value})
        graph = compile_pipeline(Pipeline("p", components=list(made.values())))
        launcher, stop = MemoryLauncher(), StopRequest()
        executor = executor or MemoryExecutor()
        tokens = AcceleratorTokens(accelerators)
        scheduler = Scheduler(graph, launcher, executor, SilentProgress(), stop, tokens)
        return SimpleNamespace(
            scheduler=scheduler, launcher=launcher, executor=executor, stop=stop, graph=graph
        )

    return make


def states(scheduled) -> dict[str, str]:
    return {name: result.state.value for name, result in scheduled.scheduler.results.items()}


DIAMOND = {"a": "", "b": "a", "c": "a", "d": "b c"}


def test_a_node_starts_when_all_before_it_have_ended(schedule) -> None:
    it = schedule(DIAMOND)
    it.scheduler.run()
    assert it.executor.order == ["a", "b", "c", "d"]
    assert it.executor.widest == 2
    assert set(states(it).values()) == {"COMPLETE"}


def test_no_more_run_at_once_than_there_is_room_for(schedule) -> None:
    it = schedule(dict.fromkeys("abcdef", ""), MemoryExecutor(3))
    it.scheduler.run()
    assert it.executor.widest == 3


def test_cached_nodes_are_not_submitted(schedule) -> None:
    it = schedule(DIAMOND)
    it.launcher.cached = {"a", "b"}
    it.scheduler.run()
    assert it.executor.order == ["c", "d"]
    assert states(it) == {"a": "CACHED", "b": "CACHED", "c": "COMPLETE", "d": "COMPLETE"}


def test_what_depends_on_a_failure_is_skipped(schedule) -> None:
    it = schedule({**DIAMOND, "e": "", "f": "e"})
    it.executor.errors = {"b": ["E: x"]}
    it.scheduler.run()
    assert states(it) == {
        "a": "COMPLETE", "b": "FAILED", "c": "COMPLETE", "d": "SKIPPED", "e": "COMPLETE",
        "f": "COMPLETE",
    }  # fmt: skip
    assert it.scheduler.results["d"].error == "b did not succeed"


def test_two_failures_skip_a_node_once(schedule) -> None:
    it = schedule(DIAMOND)
    it.executor.errors = {"b": ["E: x"], "c": ["E: y"]}
    it.scheduler.run()
    assert states(it)["d"] == "SKIPPED"
    assert it.launcher.log.count("fail b 1: E: x") == 1


def test_a_node_that_cannot_begin(schedule) -> None:
    it = schedule(DIAMOND)
    it.launcher.refused = {"b": "no such file"}
    it.scheduler.run()
    assert states(it) == {"a": "COMPLETE", "b": "FAILED", "c": "COMPLETE", "d": "SKIPPED"}
    assert it.scheduler.results["b"].error == "no such file"


def test_a_node_whose_process_cannot_be_started(schedule) -> None:
    it = schedule({"unstartable": "", "b": ""})
    it.scheduler.run()
    assert states(it) == {"unstartable": "FAILED", "b": "COMPLETE"}
    assert it.scheduler.results["unstartable"].error == (
        "could not be started: OSError: no more processes"
    )


def test_a_publish_that_fails_is_a_failure(schedule) -> None:
    it = schedule({"a": "", "b": "a"})
    it.launcher.publish_error = StoreFull("full")
    it.scheduler.run()
    assert states(it) == {"a": "FAILED", "b": "SKIPPED"}
    assert it.launcher.log == ["fail a 1: StoreFull: full"]


def test_retries_wait_and_are_counted(schedule) -> None:
    it = schedule({"a": "", "b": "a"}, a={"retries": 2, "backoff_seconds": 0.01})
    it.executor.errors = {"a": ["E: 1", "E: 2"]}
    it.scheduler.run()
    assert it.launcher.log == ["fail a 1: E: 1", "fail a 2: E: 2", "publish a", "publish b"]
    result = it.scheduler.results["a"]
    assert (result.state, result.attempts, result.error) == (NodeState.COMPLETE, 3, None)


def test_retries_end(schedule) -> None:
    it = schedule({"a": "", "b": "a"}, a={"retries": 1, "backoff_seconds": 0.0})
    it.executor.errors = {"a": ["E: 1", "E: 2"]}
    it.scheduler.run()
    assert states(it) == {"a": "FAILED", "b": "SKIPPED"}
    assert it.scheduler.results["a"].attempts == 2


def test_other_nodes_run_while_a_retry_waits(schedule) -> None:
    it = schedule({"a": "", "b": "", "c": "b"}, a={"retries": 1, "backoff_seconds": 0.05})
    it.executor.errors = {"a": ["E: 1"]}
    it.scheduler.run()
    assert it.executor.order == ["a", "b", "c", "a"]


def test_a_stop_cancels_what_runs_and_what_waits(schedule) -> None:
    it = schedule({"a": "", "b": "", "c": "a"})
    it.executor.on_wait = lambda: it.stop.reason or it.stop.request("enough")
    it.scheduler.run()
    # What ended while it was told to is published all the same.
    assert it.launcher.log == ["publish a", "cancel b: enough"]
    assert states(it) == {"a": "COMPLETE", "b": "CANCELED", "c": "CANCELED"}


def test_after_a_lost_lease_nothing_is_recorded(schedule) -> None:
    it = schedule({"a": "", "b": "a"})
    it.executor.on_wait = lambda: it.stop.request("taken", lost=True)
    it.scheduler.run()
    assert it.launcher.log == []
    assert states(it) == {"a": "CANCELED", "b": "CANCELED"}


def test_adopted_nodes_are_not_run(schedule) -> None:
    from penstock.runners.result import NodeResult

    it = schedule(DIAMOND)
    it.scheduler.adopt(NodeResult("a", NodeState.COMPLETE, execution_id=7))
    it.scheduler.adopt(NodeResult("b", NodeState.CACHED, execution_id=8))
    it.scheduler.run()
    assert it.executor.order == ["c", "d"]
    assert it.scheduler.results["a"].execution_id == 7


def test_a_node_waits_for_its_accelerator(schedule) -> None:
    gpu = {"resources": {"accelerator": "nvidia-l4"}}
    it = schedule(
        {"a": "", "b": "", "c": ""}, MemoryExecutor(3), accelerators=["GPU:0"], a=gpu, b=gpu
    )
    it.scheduler.run()
    assert it.executor.order == ["a", "c", "b"]
    assert it.executor.held == {"a": ("GPU:0",), "b": ("GPU:0",), "c": ()}
    assert set(states(it).values()) == {"COMPLETE"}


def test_tensorflow_is_announced_with_the_first_node_that_must_run(schedule, nodes) -> None:
    first = nodes.number(value=1)
    heavy = nodes.HeavyDevices(devices=1)
    heavy.add_upstream_node(first)
    aside = nodes.process(a=0).with_id("aside")
    graph = compile_pipeline(Pipeline("p", components=[aside, first, heavy]))
    executor, launcher = MemoryExecutor(), MemoryLauncher()
    tokens = AcceleratorTokens([])
    Scheduler(graph, launcher, executor, SilentProgress(), StopRequest(), tokens).run()
    assert executor.anticipated == [["HeavyDevices"]]
    launcher.cached, executor.anticipated = {"aside", "number", "HeavyDevices"}, []
    Scheduler(graph, launcher, executor, SilentProgress(), StopRequest(), tokens).run()
    assert executor.anticipated == []
    launcher.is_cold = True
    Scheduler(graph, launcher, executor, SilentProgress(), StopRequest(), tokens).run()
    assert executor.anticipated == [["aside", "number", "HeavyDevices"]]
