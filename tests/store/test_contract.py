"""What the store promises, on every engine."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from penstock.artifacts import (
    Artifact,
    ArtifactState,
    Examples,
    ExampleStatistics,
    Model,
    ModelBlessing,
    PropertyType,
    Verdict,
)
from penstock.store import (
    ExecutionState,
    LeaseHeld,
    MetadataStore,
    PropertyConflict,
    RecordNotFound,
    RunRecord,
    RunState,
    StoreError,
    Usage,
)
from penstock.store.leases import DEAD, UNHEARD

STATISTICS_GEN = "tfx.components.statistics_gen.component.StatisticsGen"


def begin_run(store: MetadataStore, run_id: str = "run-1", **more: Any) -> str:
    fields: dict[str, Any] = {"pipeline": "penguin", "started": time.time(), **more}
    store.create_run(RunRecord(run_id, **fields))
    return run_id


def run_node(
    store: MetadataStore,
    node_id: str,
    outputs: dict[str, list[Artifact]],
    *,
    run_id: str = "run-1",
    metrics: dict[str, float] | None = None,
    **more: Any,
) -> int:
    execution = store.register_execution(
        run_id=run_id, node_id=node_id, type_name=f"test.{node_id}", **more
    )
    store.publish(execution, outputs, metrics=metrics)
    return execution


def count(store: MetadataStore, table: str) -> int:
    return int(store.session.query(f"SELECT count(*) FROM {table}")[0][0])


def test_run_comes_back_as_written(store: MetadataStore) -> None:
    run = RunRecord(
        "2026-11-21T10:00:00",
        "penguin",
        1700000000.5,
        graph_digest="d" * 64,
        graph_json='{"nodes": ["größe"]}',
        parameters={"steps": 100, "name": 'it\'s 100% ? \\ "x"'},
        command="penstock run pipelines/penguin.py",
        commit="c" * 40,
        dirty=True,
        environment_fingerprint="e" * 64,
        environment={"python": "3.11"},
        seed=2**40,
        deterministic=True,
        root="/data/root",
        project="/home/me/project",
        labels={"resumed": "x"},
    )
    store.create_run(run)
    assert store.get_run(run.run_id) == run
    store.finish_run(run.run_id, RunState.FAILED, "Trainer failed")
    ended = store.get_run("2026-11")
    assert (ended.state, ended.error) == (RunState.FAILED, "Trainer failed")
    assert ended.finished == pytest.approx(time.time(), abs=60)
    store.reopen_run(run.run_id, idle_since=time.time() - 100)
    again = store.get_run(run.run_id)
    assert again.paused_seconds == pytest.approx(100, abs=60)
    assert dataclasses.replace(again, paused_seconds=0.0) == run


def test_runs_are_found_by_the_beginning_of_their_id(store: MetadataStore) -> None:
    for number, run_id in enumerate(["a-1", "a-2", "a-20", "b_1", "bx1"]):
        begin_run(store, run_id, started=1000.0 + number)
    assert store.get_run("a-2").run_id == "a-2"
    assert store.get_run("b_").run_id == "b_1"
    with pytest.raises(RecordNotFound, match="Several runs start with 'a-': a-1, a-2, a-20"):
        store.get_run("a-")
    with pytest.raises(RecordNotFound, match="no run 'zzz'"):
        store.get_run("zzz")
    assert [run.run_id for run in store.list_runs(limit=2)] == ["bx1", "b_1"]
    assert store.list_runs("other") == []
    before = store.latest_run("penguin", before="a-20")
    assert before is not None
    assert before.run_id == "a-2"
    with pytest.raises(StoreError, match="already has a run a-1"):
        begin_run(store, "a-1")


def test_life_of_a_node(store: MetadataStore) -> None:
    begin_run(store)
    examples = Examples("/root/gen/examples/1", fingerprint="f" * 64)
    run_node(store, "gen", {"examples": [examples]})
    execution = store.register_execution(
        run_id="run-1",
        node_id="StatisticsGen",
        type_name=STATISTICS_GEN,
        base_type="mlmd.Process",
        parameters={"n": 3, "rate": 0.5, "on": True, "splits": ["a", "b"], "none": None},
        inputs={"examples": [examples]},
        cache_key="ab" * 32,
        key_parts={"source": {"a.py": "1"}},
        attempt=2,
        log_path="/logs/{execution_id}/x.log",
    )
    running = store.get_execution(execution)
    assert (running.state, running.finished) == (ExecutionState.RUNNING, None)
    statistics = ExampleStatistics("/root/StatisticsGen/statistics/2", fingerprint="0" * 64)
    used = Usage(1.5, 1.25, 3 << 30, 1 << 33)
    store.publish(execution, {"statistics": [statistics]}, usage=used, metrics={"rows": 334.0})
    record = store.run_states("run-1")["StatisticsGen"]
    assert record.state is ExecutionState.COMPLETE
    assert record.usage == used
    assert record.metrics == {"rows": 334.0}
    assert (record.attempt, record.cache_key, record.log_path) == (
        2,
        "ab" * 32,
        f"/logs/{execution}/x.log",
    )
    assert record.key_parts == {"source": {"a.py": "1"}}
    assert record.type_name == STATISTICS_GEN
    assert statistics.id is not None
    assert statistics.state is ArtifactState.LIVE
    (read,) = store.outputs_of(execution)["statistics"]
    assert isinstance(read, ExampleStatistics)
    assert (read.id, read.uri, read.fingerprint) == (statistics.id, statistics.uri, "0" * 64)
    assert [a.id for a in store.inputs_of(execution)["examples"]] == [examples.id]
    assert store.parameters_of(execution) == {
        "n": 3,
        "rate": 0.5,
        "on": "true",
        "splits": '["a", "b"]',
    }
    found = store.get_artifact(statistics.id)
    assert (found.run_id, found.node_id, found.key) == ("run-1", "StatisticsGen", "statistics")


def test_values_of_properties_come_back(store: MetadataStore) -> None:
    class Everything(Artifact):
        TYPE_NAME = "Everything"
        PROPERTIES: ClassVar = {
            "int": PropertyType.INT,
            "float": PropertyType.FLOAT,
            "text": PropertyType.STRING,
            "flag": PropertyType.BOOLEAN,
            "json": PropertyType.JSON_VALUE,
        }

    begin_run(store)
    custom = {
        "big": 2**40,
        "negative": -1.5e-300,
        "odd": "%s ? ; -- \\' \" größe \U0001f427",
        "long": "ä" * 20_000,
        "empty": "",
        "flag": False,
        "list": [1.0, "a", None],
        "dict": {"train": 1.0, "__value__": True},
        "only": {"__value__": "x"},
    }
    declared = {"int": 7, "float": 2, "text": "t", "flag": True, "json": {"a": [True]}}
    written = Everything("/e", properties=declared, custom_properties=custom)
    execution = run_node(store, "n", {"e": [written]}, parameters={"p": custom["long"]})
    (read,) = store.outputs_of(execution)["e"]
    assert read.properties == {**declared, "float": 2.0}
    assert read.custom_properties == custom
    assert store.parameters_of(execution)["p"] == custom["long"]


def test_wrong_property_leaves_nothing(store: MetadataStore) -> None:
    begin_run(store)
    execution = store.register_execution(run_id="run-1", node_id="n", type_name="test.N")
    good = Examples("/good")
    bad = Examples("/bad", properties={"span": "three"})
    with pytest.raises(
        PropertyConflict, match=r"Examples\.span is declared INT. Received: 'three'"
    ):
        store.publish(execution, {"examples": [good, bad]})
    assert good.id is None
    assert count(store, "Artifact") == 0
    assert store.get_execution(execution).state is ExecutionState.RUNNING
    store.publish(execution, {"examples": [good]})
    assert good.id is not None


def test_type_may_grow_but_not_change(store: MetadataStore) -> None:
    def declare(kind: PropertyType) -> type[Artifact]:
        return type("Grown", (Artifact,), {"TYPE_NAME": "Grown", "PROPERTIES": {"x": kind}})

    begin_run(store)
    run_node(store, "a", {"o": [type("Grown", (Artifact,), {"TYPE_NAME": "Grown"})("/1")]})
    run_node(store, "b", {"o": [declare(PropertyType.INT)("/2", properties={"x": 1})]})
    execution = store.register_execution(run_id="run-1", node_id="c", type_name="test.c")
    with pytest.raises(PropertyConflict, match="declares the property 'x' as STRING; .* as INT"):
        store.publish(execution, {"o": [declare(PropertyType.STRING)("/3")]})
    assert count(store, "TypeProperty") == 1


def test_only_a_running_execution_is_published(store: MetadataStore) -> None:
    begin_run(store)
    execution = run_node(store, "n", {"o": [Examples("/1")]})
    second = Examples("/2")
    with pytest.raises(
        StoreError, match=f"Execution {execution} cannot be published: it is COMPLETE"
    ):
        store.publish(execution, {"o": [second]})
    assert second.id is None
    assert count(store, "Artifact") == 1
    with pytest.raises(RecordNotFound, match="no execution 999"):
        store.publish(999, {"o": [second]})
    with pytest.raises(RecordNotFound, match="no run 'nope'"):
        store.register_execution(run_id="nope", node_id="n", type_name="test.N")
    with pytest.raises(StoreError, match="'/2' under 'x' is not in a store yet"):
        store.register_execution(
            run_id="run-1", node_id="n", type_name="test.N", inputs={"x": [second]}
        )
    assert count(store, "Execution") == 1


def test_failure_and_cancellation(store: MetadataStore) -> None:
    begin_run(store)
    failed = store.register_execution(run_id="run-1", node_id="a", type_name="test.A")
    store.fail(failed, "ValueError: no rows", usage=Usage(wall_seconds=2.0))
    store.fail(failed, "later")
    canceled = store.register_execution(run_id="run-1", node_id="b", type_name="test.B")
    store.cancel(canceled, "Ctrl-C")
    states = store.run_states("run-1")
    assert (states["a"].state, states["a"].error) == (ExecutionState.FAILED, "ValueError: no rows")
    assert states["a"].usage.wall_seconds == 2.0
    assert (states["b"].state, states["b"].error) == (ExecutionState.CANCELED, "Ctrl-C")
    assert store.outputs_of(failed) == {}


def test_transaction_is_all_or_nothing(store: MetadataStore) -> None:
    begin_run(store)
    first = store.register_execution(
        run_id="run-1", node_id="a", type_name="test.A", cache_key="k1"
    )
    output = Examples("/1")
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.publish(first, {"examples": [output]})
        store.register_execution(
            run_id="run-1", node_id="b", type_name="test.B", cache_key="k2", inputs={"x": [output]}
        )
        raise ZeroDivisionError
    assert output.id is None
    assert [r.node_id for r in store.run_executions("run-1")] == ["a"]
    with store.transaction():
        store.publish(first, {"examples": [output]})
        second = store.register_execution(
            run_id="run-1", node_id="b", type_name="test.B", cache_key="k2", inputs={"x": [output]}
        )
    assert [a.id for a in store.inputs_of(second)["x"]] == [output.id]
    names = store.session.query("SELECT count(*), count(DISTINCT name) FROM Context")
    assert names == [(6, 6)]


def test_cache_hit_needs_live_outputs(store: MetadataStore) -> None:
    begin_run(store)
    key = "c" * 64
    assert store.find_cached(key) is None
    outputs: dict[str, list[Artifact]] = {
        "b": [Examples("/b0", custom_properties={"i": 0}), Examples("/b1")],
        "a": [ExampleStatistics("/a", properties={"span": 3}, fingerprint="f")],
    }
    old = run_node(store, "n", outputs, cache_key=key, metrics={"m": 1.0})
    running = store.register_execution(
        run_id="run-1", node_id="n", type_name="test.n", cache_key=key
    )
    hit = store.find_cached(key)
    assert hit is not None
    assert hit.execution_id == old
    assert {k: [a.uri for a in v] for k, v in hit.outputs.items()} == {
        "b": ["/b0", "/b1"],
        "a": ["/a"],
    }
    assert hit.outputs["a"][0].properties == {"span": 3}
    assert hit.outputs["a"][0].fingerprint == "f"
    assert hit.outputs["b"][0].custom_properties == {"i": 0}
    begin_run(store, "run-2")
    reuse = store.publish_cached(
        hit, run_id="run-2", node_id="n", type_name="test.n", cache_key=key
    )
    record = store.get_execution(reuse)
    assert (record.state, record.cached_from) == (ExecutionState.CACHED, old)
    assert record.metrics == {"m": 1.0}
    assert count(store, "Artifact") == 3
    assert [a.id for a in store.outputs_of(reuse)["b"]] == [a.id for a in outputs["b"]]
    again = store.find_cached(key)
    assert again is not None
    assert again.execution_id == reuse
    store.session.query("UPDATE penstock_execution SET finished = finished - 100000")
    assert store.find_cached(key, max_age_seconds=50) is None
    assert store.find_cached(key, max_age_seconds=150) is not None
    assert outputs["b"][1].id is not None
    store.mark_deleted([outputs["b"][1].id])
    assert store.find_cached(key) is None
    store.publish(running, {"a": [ExampleStatistics("/a2")]})
    fresh = store.find_cached(key)
    assert fresh is not None
    assert fresh.execution_id == running


def test_verdicts_are_kept_with_an_execution_and_its_reuse(store: MetadataStore) -> None:
    begin_run(store)
    execution = store.register_execution(
        run_id="run-1", node_id="n", type_name="t.N", cache_key="k"
    )
    verdict = Verdict("not pushed", ok=False)
    store.publish(execution, {}, usage=Usage(1.0, start_seconds=2.5), verdict=verdict)
    record = store.get_execution(execution)
    assert record.verdict == verdict
    assert record.usage.start_seconds == 2.5
    hit = store.find_cached("k")
    assert hit is not None
    assert hit.verdict == verdict
    begin_run(store, "run-2")
    reuse = store.publish_cached(hit, run_id="run-2", node_id="n", type_name="t.N", cache_key="k")
    assert store.get_execution(reuse).verdict == verdict
    assert store.run_verdicts(["run-1", "run-2", "run-3"]) == {
        "run-1": {"n": verdict},
        "run-2": {"n": verdict},
    }


def test_a_gate_that_rejects_keeps_its_outputs_and_its_word(store: MetadataStore) -> None:
    begin_run(store)
    examples = Examples("/examples")
    run_node(store, "gen", {"examples": [examples]})
    assert examples.id is not None

    def judge(node_id: str, *, passed: bool) -> int:
        execution = store.register_execution(run_id="run-1", node_id=node_id, type_name="t.Gate")
        if passed:
            store.publish(execution, {}, judged=[examples.id])
        else:
            found: dict[str, list[Artifact]] = {"found": [Model(f"/found-{execution}")]}
            store.fail(execution, "3 anomalies", outputs=found, judged=[examples.id])
        return execution

    failed = judge("gate", passed=False)
    assert store.get_execution(failed).state is ExecutionState.FAILED
    (kept,) = store.rejected_outputs("run-1")["gate"]["found"]
    assert (kept.uri, kept.state) == (f"/found-{failed}", ArtifactState.LIVE)
    assert "gate" not in store.run_outputs("run-1")
    again = judge("gate", passed=False)
    judge("other", passed=True)
    (rejection,) = store.rejections([examples.id, 99])
    assert (rejection.node_id, rejection.execution_id) == ("gate", again)
    judge("gate", passed=True)
    assert store.rejections([examples.id]) == []


def test_cache_hit_without_outputs(store: MetadataStore) -> None:
    begin_run(store)
    execution = run_node(store, "n", {}, cache_key="k")
    hit = store.find_cached("k")
    assert hit is not None
    assert (hit.execution_id, hit.outputs) == (execution, {})


def test_nearest_executions_are_the_newest_good_ones(store: MetadataStore) -> None:
    begin_run(store)
    one = run_node(store, "n", {}, key_parts={"v": 1})
    failed = store.register_execution(run_id="run-1", node_id="n", type_name="test.n")
    store.fail(failed, "x")
    two = run_node(store, "n", {}, key_parts={"v": 2})
    run_node(store, "m", {})
    assert [r.id for r in store.nearest_executions("penguin", "n")] == [two, one]
    (before,) = store.nearest_executions("penguin", "n", before=two)
    assert before.key_parts == {"v": 1}


def test_one_artifact_under_two_keys(store: MetadataStore) -> None:
    begin_run(store)
    a, b = Examples("/a"), Examples("/b")
    run_node(store, "gen", {"examples": [a, b]})
    execution = store.register_execution(
        run_id="run-1",
        node_id="n",
        type_name="test.N",
        inputs={"all": [b, a], "first": [a], "again": [a]},
    )
    read = store.inputs_of(execution)
    assert {key: [x.uri for x in of] for key, of in read.items()} == {
        "all": ["/b", "/a"],
        "first": ["/a"],
        "again": ["/a"],
    }


def test_names_that_differ_in_case_are_two(store: MetadataStore) -> None:
    begin_run(store)
    run_node(store, "node", {"o": [Examples("/lower")]}, cache_key="key")
    run_node(store, "NODE", {"o": [Examples("/upper")]}, cache_key="KEY")
    for node, uri in (("node", "/lower"), ("NODE", "/upper")):
        outputs = store.node_outputs("penguin", node)
        assert outputs is not None
        assert outputs["o"][0].uri == uri
    hit = store.find_cached("KEY")
    assert hit is not None
    assert hit.outputs["o"][0].uri == "/upper"


def test_resolver_and_importer(store: MetadataStore) -> None:
    begin_run(store)
    imported = Examples("/outside", fingerprint="f")
    first = store.publish_imported({"result": [imported]}, run_id="run-1", node_id="import")
    again = store.publish_imported({"result": [imported]}, run_id="run-1", node_id="import")
    assert store.get_execution(first).state is ExecutionState.COMPLETE
    assert store.get_execution(again).state is ExecutionState.CACHED
    assert count(store, "Artifact") == 1
    resolved = store.publish_resolved(
        {"examples": [imported], "model": []}, run_id="run-1", node_id="resolve"
    )
    record = store.get_execution(resolved)
    assert record.state is ExecutionState.COMPLETE
    assert record.type_name == "tfx.dsl.components.common.resolver.Resolver"
    assert [a.id for a in store.outputs_of(resolved)["examples"]] == [imported.id]
    kinds = store.session.query("SELECT type FROM Event WHERE execution_id = ?", (resolved,))
    assert kinds == [(6,)]
    outputs = store.run_outputs("run-1")
    assert [a.uri for a in outputs["resolve"]["examples"]] == ["/outside"]
    assert [a.uri for a in outputs["import"]["result"]] == ["/outside"]


def test_latest_artifacts(store: MetadataStore) -> None:
    begin_run(store)
    begin_run(store, "other-1", pipeline="other")
    for number in range(4):
        run_node(store, "gen", {"examples": [Examples(f"/{number}")], "more": [Examples("/m")]})
    run_node(store, "gen", {"examples": [Examples("/other")]}, run_id="other-1")
    run_node(store, "use", {}, inputs={"x": store.latest_artifacts("Examples", count=3)})

    def latest(**where: Any) -> list[str]:
        return [artifact.uri for artifact in store.latest_artifacts("Examples", **where)]

    assert latest() == ["/other"]
    assert latest(pipeline="penguin", key="examples") == ["/3"]
    assert latest(pipeline="penguin", node_id="gen", key="examples", count=2) == ["/3", "/2"]
    assert latest(pipeline="penguin", node_id="use") == []
    (third,) = store.find_artifacts(uri="/3")
    assert third.artifact.id is not None
    store.mark_deleted([third.artifact.id])
    assert latest(pipeline="penguin", key="examples") == ["/2"]
    assert store.latest_artifacts("Nothing") == []
    assert "/3" not in store.live_uris()
    assert len(store.find_artifacts(run_id="run-1", states=())) == 8
    with pytest.raises(ValueError, match="give its pipeline"):
        store.find_artifacts(node_id="gen")


def test_latest_blessed_model(store: MetadataStore) -> None:
    begin_run(store)
    models = [Model(f"/model/{number}") for number in range(4)]
    for model in models:
        run_node(store, "Trainer", {"model": [model]})
    assert store.latest_blessed_model() is None

    def bless(value: int, **custom: Any) -> None:
        properties = {"blessed": value, **custom}
        blessing = ModelBlessing("/blessing", custom_properties=properties)
        run_node(store, "Evaluator", {"blessing": [blessing]})

    bless(0, current_model_id=models[3].id, current_model=models[3].uri)
    bless(1, current_model_id=models[1].id, current_model="/elsewhere")
    bless(1, current_model_id=models[0].id, current_model=models[3].uri)
    found = store.latest_blessed_model(pipeline="penguin")
    assert found is not None
    assert found[0].id == models[1].id
    assert found[1].custom_properties["current_model_id"] == models[1].id
    assert store.latest_blessed_model(pipeline="other") is None
    bless(1, current_model=models[2].uri)
    found = store.latest_blessed_model()
    assert found is not None
    assert found[0].id == models[2].id
    assert models[2].id is not None
    store.mark_deleted([models[2].id])
    found = store.latest_blessed_model()
    assert found is not None
    assert found[0].id == models[1].id


def test_lineage(store: MetadataStore) -> None:
    begin_run(store)
    examples, schema, statistics, model = (Examples(f"/{name}") for name in "abcd")
    gen = run_node(store, "gen", {"examples": [examples]}, cache_key="k")
    side = run_node(store, "side", {"schema": [schema]})
    stats = run_node(store, "stats", {"o": [statistics]}, inputs={"examples": [examples]})
    train = run_node(store, "train", {"model": [model]}, inputs={"x": [statistics], "s": [schema]})
    hit = store.find_cached("k")
    assert hit is not None
    store.publish_cached(hit, run_id="run-1", node_id="gen", type_name="test.gen", cache_key="k")
    store.publish_resolved({"m": [model]}, run_id="run-1", node_id="resolve")
    assert statistics.id is not None
    assert model.id is not None
    up = store.lineage([statistics.id])
    assert set(up.executions) == {gen, stats}
    assert set(up.artifacts) == {examples.id, statistics.id}
    assert set(store.lineage([model.id]).executions) == {gen, side, stats, train}
    assert set(store.lineage([model.id], max_hops=1).executions) == {train}
    assert examples.id is not None
    down = store.lineage([examples.id], "downstream")
    assert set(down.artifacts) == {examples.id, statistics.id, model.id}
    keys = {(e.artifact_id, e.execution_id): e.key for e in down.edges}
    assert keys[statistics.id, train] == "x"


def test_aliases(store: MetadataStore) -> None:
    begin_run(store)
    models = [Model(f"/{number}") for number in range(2)]
    run_node(store, "Trainer", {"model": models})
    assert models[0].id is not None
    assert models[1].id is not None
    store.set_alias("production", models[0].id)
    store.set_alias("production", models[1].id)
    store.set_alias("first", models[0].id)
    assert store.aliases() == {"first": models[0].id, "production": models[1].id}
    assert store.artifact_by_alias("production").artifact.uri == "/1"
    store.remove_alias("first")
    with pytest.raises(RecordNotFound, match="alias 'first' .* Aliases: production"):
        store.artifact_by_alias("first")
    with pytest.raises(RecordNotFound, match="no artifact 12345"):
        store.set_alias("x", 12345)


def test_lease(url: str, store: MetadataStore) -> None:
    with MetadataStore.open(url) as other:
        lease = store.acquire_lease("run: 1/2")
        assert store.is_held("run: 1/2")
        assert other.is_held("run: 1/2")
        with pytest.raises(LeaseHeld, match="belongs to another live process"):
            other.acquire_lease("run: 1/2")
        begin_run(store, "run: 1/2")
        assert lease.renew() is False
        other.request_stop("run: 1/2")
        assert lease.renew() is True
        lease.release()
        lease.release()
        assert not other.is_held("run: 1/2")
        with other.acquire_lease("run: 1/2"):
            assert store.is_held("run: 1/2")
        assert not store.is_held("run: 1/2")
        with pytest.raises(RecordNotFound, match="no run 'x'"):
            other.request_stop("x")


def test_a_name_is_held_by_several_until_the_time_of_the_last_runs_out(
    url: str, store: MetadataStore
) -> None:
    begin_run(store, labels={"runner": "kubeflow"})
    with MetadataStore.open(url) as other:
        store.hold("run-1", 60)
        other.hold("run-1", 60)
        assert store.is_held("run-1")
        assert store.take_over_dead() == []
        store.hold("run-1", -1)
        assert not other.is_held("run-1")
        assert other.take_over_dead() == ["run-1"]
    run = store.get_run("run-1")
    assert (run.state, run.error) == (RunState.FAILED, UNHEARD)


def test_of_containers_that_end_at_once_one_sees_the_end_of_all(url: str) -> None:
    barrier = threading.Barrier(3)
    ended: list[str] = []

    def work(number: int) -> None:
        with MetadataStore.open(url) as store:
            barrier.wait(30)
            if number == 0:
                begin_run(store)
            barrier.wait(30)
            execution = store.register_execution(
                run_id="run-1", node_id=f"n{number}", type_name="test.N"
            )
            barrier.wait(30)

            def settle() -> None:
                assert store.lock_run("run-1")
                states = [each.state for each in store.run_executions("run-1")]
                if states == [ExecutionState.COMPLETE] * 3:
                    store.set_run_state("run-1", RunState.COMPLETE)
                    ended.append(f"n{number}")

            store.publish(execution, {})
            store.atomically(settle)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert len(ended) >= 1
    with MetadataStore.open(url) as store:
        assert store.get_run("run-1").state is RunState.COMPLETE


def test_only_the_dead_are_taken_over(url: str, store: MetadataStore) -> None:
    alive = begin_run(store, "alive")
    dead = begin_run(store, "dead")
    pod = store.register_execution(
        run_id=alive, node_id="pod", type_name="test.N", lease="pod-lease"
    )
    kept = store.register_execution(run_id=alive, node_id="n", type_name="test.N")
    lost = store.register_execution(run_id=dead, node_id="n", type_name="test.N")
    done = run_node(store, "done", {"o": [Examples("/o")]}, run_id=dead)
    with MetadataStore.open(url) as other, other.acquire_lease(alive):
        assert sorted(store.take_over_dead()) == ["dead", "pod-lease"]
        assert store.take_over_dead() == []
    states = store.execution_states()
    assert states == {
        pod: ExecutionState.FAILED,
        kept: ExecutionState.RUNNING,
        lost: ExecutionState.FAILED,
        done: ExecutionState.COMPLETE,
    }
    assert store.get_execution(lost).error == DEAD
    assert store.get_run(dead).state is RunState.FAILED
    assert store.get_run(dead).error == DEAD
    assert store.get_run(alive).state is RunState.RUNNING
    with pytest.raises(StoreError, match="cannot be published: it is FAILED"):
        store.publish(lost, {"o": [Examples("/late")]})


def test_opening_again_changes_nothing(url: str, store: MetadataStore) -> None:
    begin_run(store)
    run_node(store, "n", {"o": [Examples("/o")]}, cache_key="k")
    before = {table: count(store, table) for table in ("Type", "Context", "Execution", "MLMDEnv")}
    with MetadataStore.open(url, create=False) as other:
        assert other.backup is None
        assert {table: count(other, table) for table in before} == before
        run_node(other, "n", {"o": [Examples("/o2")]}, cache_key="k")
        assert count(other, "Context") == before["Context"]
        assert count(other, "Type") == before["Type"]


@pytest.mark.server
@pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True)
def test_a_connection_that_was_cut_is_made_anew(
    url: str, store: MetadataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.store.server.session._IDLE_SECONDS", 0.0)
    begin_run(store)
    execution = store.register_execution(run_id="run-1", node_id="n", type_name="test.N")
    own = "pg_backend_pid()" if url.startswith("postgresql") else "CONNECTION_ID()"
    ((number,),) = store.session.query(f"SELECT {own}")
    with MetadataStore.open(url) as other:
        cut = "SELECT pg_terminate_backend(?)" if url.startswith("postgresql") else "KILL ?"
        other.session.query(cut, (number,))
    output = Examples("/o")
    store.publish(execution, {"o": [output]})
    assert store.get_execution(execution).state is ExecutionState.COMPLETE
    assert store.session.query(f"SELECT {own}") != [(number,)]


def test_threads_share_a_store(store: MetadataStore) -> None:
    begin_run(store)
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            # A transaction of the writer is seen as a whole: one execution has one output.
            with store.transaction():
                ended = sum(s is ExecutionState.COMPLETE for s in store.execution_states().values())
                assert count(store, "Artifact") == ended
            seen.append(ended)

    done = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for number in range(40):
            run_node(store, f"n{number}", {"o": [Examples(f"/{number}")]})
        done.set()
        for reader in readers:
            reader.result()
    assert seen
    assert count(store, "Artifact") == 40


def epochs_of(store: MetadataStore, node_id: str, run_id: str = "run-1") -> list[tuple[int, Any]]:
    found = store.run_epochs(run_id).get(node_id, [])
    return [(each.epoch, each.metrics["loss"]) for each in found]


def test_epochs_are_there_while_an_execution_runs(store: MetadataStore) -> None:
    begin_run(store)
    execution = store.register_execution(run_id="run-1", node_id="n", type_name="test.N")
    assert store.execution_epochs(execution) == []
    store.record_epochs(execution, {1: {"loss": 0.5}, 2: {"loss": 0.25, "val_loss": math.inf}})
    store.record_epochs(execution, {2: {"loss": 0.2}, 3: {"loss": math.nan}}, remove=[1])
    second, third = store.execution_epochs(execution)
    assert (second.epoch, dict(second.metrics), second.execution_id) == (
        2,
        {"loss": 0.2},
        execution,
    )
    assert third.epoch == 3
    assert math.isnan(third.metrics["loss"])
    assert abs(third.reported - time.time()) < 60
    assert store.run_epochs("run-1")["n"][0] == second
    assert store.run_epochs("run-2") == {}
    assert store.execution_epochs(execution + 1) == []


def test_epochs_go_on_over_attempts(store: MetadataStore) -> None:
    begin_run(store)
    first = store.register_execution(run_id="run-1", node_id="n", type_name="test.N")
    store.record_epochs(first, {number: {"loss": 1.0} for number in (1, 2, 3)})
    store.fail(first, "killed")
    other = store.register_execution(run_id="run-1", node_id="m", type_name="test.M")
    store.record_epochs(other, {1: {"loss": 7.0}})
    second = store.register_execution(
        run_id="run-1", node_id="n", type_name="test.N", cache_key="k", attempt=2
    )
    assert epochs_of(store, "n") == [(1, 1.0), (2, 1.0), (3, 1.0)]
    store.record_epochs(second, {3: {"loss": 2.0}, 4: {"loss": 2.0}})
    store.publish(second, {"o": [Examples("/o")]})
    assert epochs_of(store, "n") == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]
    assert epochs_of(store, "m") == [(1, 7.0)]
    assert [each.epoch for each in store.execution_epochs(first)] == [1, 2, 3]


def test_a_cached_execution_has_the_epochs_of_the_one_that_ran(store: MetadataStore) -> None:
    begin_run(store)
    ran = store.register_execution(run_id="run-1", node_id="n", type_name="test.N", cache_key="k")
    store.record_epochs(ran, {1: {"loss": 1.0}})
    store.publish(ran, {"o": [Examples("/o")]})
    for run_id in ("run-2", "run-3"):
        begin_run(store, run_id)
        hit = store.find_cached("k")
        assert hit is not None
        cached = store.publish_cached(
            hit, run_id=run_id, node_id="n", type_name="test.N", cache_key="k"
        )
        assert epochs_of(store, "n", run_id) == [(1, 1.0)]
        assert [each.epoch for each in store.execution_epochs(cached)] == [1]
