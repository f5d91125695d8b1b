"""A process that writes to a store; tests start many of them, and kill some."""

from __future__ import annotations

import sys
import time

from penstock.artifacts import ExampleStatistics, PropertyType
from penstock.store import MetadataStore, RunRecord, RunState


class Counted(ExampleStatistics):
    """A type of its own, so that processes race to register it."""

    TYPE_NAME = "Counted"
    PROPERTIES = {**ExampleStatistics.PROPERTIES, "rows": PropertyType.INT}


def main(url: str, run_id: str, nodes: int, start_at: float) -> None:
    """Run `nodes` nodes of one pipeline, beginning at a given time; print a line for each."""
    time.sleep(max(0.0, start_at - time.time()))
    with MetadataStore.open(url) as store, store.acquire_lease(run_id):
        store.create_run(RunRecord(run_id, "shared", time.time()))
        for number in range(nodes):
            key = f"{number:064x}"
            store.find_cached(key)
            execution = store.register_execution(
                run_id=run_id,
                node_id=f"node{number}",
                type_name="test.Counter",
                base_type="mlmd.Process",
                parameters={"number": number},
                cache_key=key,
            )
            output = Counted(f"/{run_id}/node{number}/{execution}", properties={"rows": number})
            store.publish(execution, {"statistics": [output]})
            print(f"{execution} {output.id}", flush=True)
        store.finish_run(run_id, RunState.COMPLETE)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
