"""What the metadata store costs with many executions in it, beside what SQLite itself costs.

    python benchmarks/store.py --executions 100000 [--json]

Fills a store, then measures on it: looking a cache hit, a miss and a run up, listing runs, and one
node's whole share (lookup, register, publish). The limits, measured in the same process on a plain
SQLite table of as many rows: one SELECT through an index, and one transaction of one row.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from penstock.artifacts import ExampleStatistics
from penstock.store import MetadataStore, RunRecord, Usage
from penstock.store import sql as inserts

NODES = 10
"""Nodes of a run."""
REPEATS = 2000
PIPELINE = "penguin"


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def fill(store: MetadataStore, executions: int) -> None:
    """Write `executions` executions, ten a run, each as register and publish would write it."""
    for node in range(NODES):
        run_node(store, "seed", node, key_of(-1 - node))
    session = store.session
    first = int(session.query("SELECT max(id) FROM Execution")[0][0]) + 1
    first_artifact = int(session.query("SELECT max(id) FROM Artifact")[0][0]) + 1
    first_event = int(session.query("SELECT max(id) FROM Event")[0][0]) + 1
    first_context = int(session.query("SELECT max(id) FROM Context")[0][0]) + 1
    types = {
        (kind, name): number
        for name, kind, number in session.query("SELECT name, type_kind, id FROM Type")
    }
    names = dict(session.query("SELECT name, id FROM Context"))
    pipeline = names[PIPELINE]
    node_contexts = [names[f"{PIPELINE}.node{node}"] for node in range(NODES)]
    now = time.time_ns() // 1_000_000
    context = first_context
    rows: dict[str, list[tuple[Any, ...]]] = {}

    def add(table: str, *row: Any) -> None:
        rows.setdefault(table, []).append(row)

    def with_id(insert: inserts.Insert) -> inserts.Insert:
        return inserts.Insert(insert.table, ("id", *insert.columns))

    written = {
        "context": with_id(inserts.CONTEXT),
        "parent": inserts.PARENT_CONTEXT,
        "execution": with_id(inserts.EXECUTION),
        "execution_property": inserts.EXECUTION_PROPERTY,
        "association": inserts.ASSOCIATION,
        "attribution": inserts.ATTRIBUTION,
        "artifact": with_id(inserts.ARTIFACT),
        "artifact_property": inserts.ARTIFACT_PROPERTY,
        "event": with_id(inserts.EVENT),
        "path": inserts.Insert(
            "EventPath", ("event_id", "is_index_step", "step_index", "step_key")
        ),
        "penstock_run": inserts.PENSTOCK_RUN,
        "penstock_execution": inserts.PENSTOCK_EXECUTION,
        "penstock_artifact": inserts.PENSTOCK_ARTIFACT,
    }
    event = first_event
    for offset in range(executions):
        execution, artifact = first + offset, first_artifact + offset
        node = offset % NODES
        run_id = f"run-{offset // NODES:07d}"
        if node == 0:
            run_context = context
            context += 1
            add("context", run_context, types[2, "pipeline_run"], run_id, now, now)
            add("parent", run_context, pipeline)
            started = now - executions + offset
            row = (run_id, PIPELINE, "COMPLETE", started, "", "{}", "", None, 0, "", 1, 1, "", "")
            add("penstock_run", *row, "{}", 0)
        cache_context = context
        context += 1
        key = key_of(offset)
        add("context", cache_context, types[2, "execution_cache"], key, now, now)
        add("execution", execution, types[0, "benchmark.Node"], 3, f"name-{execution}", now, now)
        add("execution_property", execution, "number", True, offset, None, None)
        members = (pipeline, run_context, node_contexts[node], cache_context)
        for member in members:
            add("association", member, execution)
            add("attribution", member, artifact)
        uri = f"/root/node{node}/statistics/{execution}"
        add("artifact", artifact, types[1, "ExampleStatistics"], uri, 2, None, now, now)
        add("artifact_property", artifact, "span", False, 1, None, None, None)
        add("artifact_property", artifact, "tfx_version", True, None, None, "1.21.0", None)
        add("event", event, artifact, execution, 4, now)
        paths = [(event, False, None, "statistics"), (event, True, 0, None)]
        event += 1
        if node:
            add("event", event, artifact - 1, execution, 3, now)
            paths += [(event, False, None, "examples"), (event, True, 0, None)]
            event += 1
        for path in paths:
            add("path", *path)
        parts = json.dumps({"parameters": {"number": offset}, "source": {"node.py": key}})
        row = (execution, run_id, PIPELINE, f"node{node}", 1, key, parts, run_id, None, now, now)
        add("penstock_execution", *row, None)
        add("penstock_artifact", artifact, key, execution, "statistics", 0)
        if len(rows["execution"]) == 10_000 or offset == executions - 1:
            with store.transaction():
                for table, of_table in rows.items():
                    session.insert(written[table], of_table)
            rows.clear()


def run_node(store: MetadataStore, run_id: str, number: int, key: str) -> None:
    """Return what the launcher asks of the store for one node that is not cached."""
    assert store.find_cached(key) is None
    if number == 0:
        store.create_run(RunRecord(run_id, PIPELINE, time.time()))
    execution = store.register_execution(
        run_id=run_id,
        node_id=f"node{number}",
        type_name="benchmark.Node",
        parameters={"number": number},
        cache_key=key,
        key_parts={"parameters": {"number": number}, "source": {"node.py": key}},
    )
    output = ExampleStatistics(
        f"/root/node{number}/statistics/{execution}",
        properties={"span": 1},
        custom_properties={"tfx_version": "1.21.0"},
        fingerprint=key,
    )
    store.publish(execution, {"statistics": [output]}, usage=Usage(0.1, 0.1, 1, 1))


def measure(work: Callable[[int], object], repeats: int) -> float:
    """Return the median of the microseconds that `work(number)` takes."""
    times = []
    for number in range(repeats):
        start = time.perf_counter_ns()
        work(number)
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


@contextlib.contextmanager
def plain_sqlite(path: Path, rows: int) -> Iterator[sqlite3.Connection]:
    """Return a SQLite table of `rows` rows with an index over a key of 64 characters."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, k TEXT, v TEXT)")
    connection.execute("CREATE INDEX plain_k ON plain (k)")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO plain(k, v) VALUES (?, ?)", ((key_of(n), str(n)) for n in range(rows))
    )
    connection.execute("COMMIT")
    yield connection
    connection.close()


def benchmark(executions: int, repeats: int) -> dict[str, Any]:
    source = random.Random(0)
    picks = [source.randrange(executions) for _ in range(repeats)]
    with tempfile.TemporaryDirectory(prefix="penstock-benchmark-") as folder:
        with plain_sqlite(Path(folder) / "plain.db", executions) as plain:

            def select(number: int) -> None:
                found = plain.execute("SELECT v FROM plain WHERE k = ?", (key_of(picks[number]),))
                assert found.fetchone()[0] == str(picks[number])

            def transaction(number: int) -> None:
                plain.execute("BEGIN IMMEDIATE")
                plain.execute("INSERT INTO plain(k, v) VALUES (?, ?)", (key_of(-number), "x"))
                plain.execute("COMMIT")

            limit_select = measure(select, repeats)
            limit_insert = measure(transaction, repeats)
        with MetadataStore.open(Path(folder) / "metadata.db") as store:
            begun = time.perf_counter()
            fill(store, executions)
            fill_seconds = time.perf_counter() - begun

            def hit(number: int) -> None:
                found = store.find_cached(key_of(picks[number]))
                assert found is not None
                assert len(found.outputs["statistics"]) == 1

            def miss(number: int) -> None:
                assert store.find_cached(key_of(-NODES - 1 - number)) is None

            def run(number: int) -> None:
                run_id = f"run-{picks[number] // NODES:07d}"
                assert store.get_run(run_id).run_id == run_id

            def nodes_of_run(number: int) -> None:
                run_id = f"run-{picks[number] // NODES:07d}"
                assert len(store.run_states(run_id)) in (NODES, executions % NODES)

            def listing(number: int) -> None:
                assert len(store.list_runs(PIPELINE, limit=20)) <= 20

            def node(number: int) -> None:
                run_node(store, "benchmark", number, key_of(executions + number))

            store_times = {
                "cache_hit": (measure(hit, repeats), limit_select),
                "cache_miss": (measure(miss, repeats), limit_select),
                "get_run": (measure(run, repeats), limit_select),
                "run_states": (measure(nodes_of_run, repeats), limit_select),
                "list_runs_20": (measure(listing, repeats), limit_select),
                "node": (measure(node, repeats), limit_insert),
            }
    return {
        "executions": executions,
        "fill_seconds": round(fill_seconds, 2),
        "limit_select_us": round(limit_select, 1),
        "limit_transaction_us": round(limit_insert, 1),
        **{
            name: {"us": round(took, 1), "ratio_to_limit": round(took / limit, 1)}
            for name, (took, limit) in store_times.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.executions < 1 or options.repeats < 1:
        parser.error("--executions and --repeats are at least 1")
    result = benchmark(options.executions, options.repeats)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['executions']} executions, filled in {result['fill_seconds']} s")
    print(f"{'SQLite: indexed SELECT':28}{result['limit_select_us']:10.1f} us")
    print(f"{'SQLite: transaction, 1 row':28}{result['limit_transaction_us']:10.1f} us")
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"{name:28}{value['us']:10.1f} us{value['ratio_to_limit']:8.1f} times")


if __name__ == "__main__":
    sys.exit(main())
