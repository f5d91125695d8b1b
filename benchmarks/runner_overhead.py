"""What the runner itself costs: nodes that do nothing, and nodes that share the processors.

A chain and a fan-out of nodes with distinct parameters and one artifact each are run in this process
and with warm worker processes, durable store included; then once more, all cached. The limit beside
them is what the same number of rows and files costs with plain sqlite3 and open().

    python benchmarks/runner_overhead.py [--nodes 1000] [--parallel] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from penstock.dsl import Pipeline, component
from penstock.dsl.node import Node
from penstock.runners.local import LocalDagRunner

TRANSACTIONS, ROWS = 2, 12
"""What a node writes to the store: registered in one transaction, published in another."""


@component(uses_seed=False)
def number(value: int) -> int:
    return value


@component(uses_seed=False)
def spin(seconds: float, value: int) -> int:
    """Use a processor for so many seconds of its time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        value = (value * 31 + 7) % 1_000_003
    return value


def chain(count: int) -> list[Node]:
    nodes: list[Node] = [number(value=place).with_id(f"n{place}") for place in range(count)]
    for before, after in itertools.pairwise(nodes):
        after.add_upstream_node(before)
    return nodes


def fan_out(count: int) -> list[Node]:
    first, *others = chain(1) + [
        number(value=place).with_id(f"n{place}") for place in range(1, count)
    ]
    for node in others:
        node.add_upstream_node(first)
    return [first, *others]


def run(folder: Path, name: str, nodes: list[Node], *, workers: int) -> float:
    """Return the wall seconds of a run."""
    pipeline = Pipeline(name, pipeline_root=str(folder / name), components=nodes)
    runner = LocalDagRunner(
        store=str(folder / "metadata.db"),
        progress="none",
        in_process=not workers,
        max_parallel=workers or None,
    )
    began = time.perf_counter()
    runner.run(pipeline, project_root=str(Path(__file__).parents[1]))
    return time.perf_counter() - began


def limit(folder: Path, count: int) -> float:
    """Return the seconds that plain sqlite3 and open() need for as many rows and files."""
    connection = sqlite3.connect(folder / "limit.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, number INT, text TEXT)")
    connection.execute("CREATE INDEX i ON t(name, number)")
    began = time.perf_counter()
    for place in range(count):
        for _ in range(TRANSACTIONS):
            connection.execute("BEGIN IMMEDIATE")
            for row in range(ROWS):
                connection.execute(
                    "INSERT INTO t(name, number, text) VALUES (?, ?, ?)",
                    (f"node {place}", row, "x" * 80),
                )
            connection.execute("COMMIT")
        target = folder / "limit" / f"n{place}" / "result" / str(place)
        os.makedirs(target)
        (target / "value").write_bytes(b"1")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def overhead(count: int, workers: int) -> dict[str, float]:
    """Return milliseconds a node of each shape and way."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(folder, "warm-up", chain(3), workers=0)
        for shape, make in (("chain", chain), ("fan_out", fan_out)):
            for way, processes in (("in_process", 0), ("workers", workers)):
                here = folder / f"{shape}-{way}"
                here.mkdir()
                seconds = run(here, "bench", make(count), workers=processes)
                figures[f"{shape}_{way}_ms"] = 1000 * seconds / count
                if not processes:
                    seconds = run(here, "bench", make(count), workers=0)
                    figures[f"{shape}_cached_ms"] = 1000 * seconds / count
        figures["limit_ms"] = 1000 * limit(folder, count) / count
    figures["chain_in_process_over_limit"] = figures["chain_in_process_ms"] / figures["limit_ms"]
    return figures


def parallel(seconds: float) -> dict[str, float]:
    """Return the wall seconds of one CPU-bound node and of two at once."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        for key, count in (("one_node_seconds", 1), ("two_nodes_seconds", 2)):
            nodes: list[Node] = [
                spin(seconds=seconds, value=place).with_id(f"n{place}") for place in range(count)
            ]
            figures[key] = run(Path(name), f"spin{count}", nodes, workers=2)
    figures["two_over_one"] = figures["two_nodes_seconds"] / figures["one_node_seconds"]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3, help="the median is reported")
    parser.add_argument("--parallel", action="store_true", help="two CPU-bound nodes at once, too")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a CPU-bound node")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = [overhead(options.nodes, options.workers) for _ in range(options.repeat)]
    figures = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
    if options.parallel:
        figures |= parallel(options.seconds)
    figures = {key: round(value, 3) for key, value in figures.items()}
    if options.json:
        print(json.dumps({"nodes": options.nodes, "workers": options.workers, **figures}))
        return
    width = max(map(len, figures))
    print(f"{options.nodes} nodes, {options.workers} worker processes, median of {options.repeat}")
    for key, value in figures.items():
        print(f"  {key:{width}}  {value:8.3f}")


if __name__ == "__main__":
    sys.exit(main())
