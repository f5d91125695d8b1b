from __future__ import annotations

import pytest

from penstock.launch.cache_miss import cache_miss
from penstock.store import MetadataStore, RunRecord


@pytest.fixture
def store(tmp_path):
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        store.create_run(RunRecord("r1", "p", 1.0))
        yield store


def ran(store, **parameters) -> int:
    execution_id = store.register_execution(
        run_id="r1", node_id="n", type_name="T", cache_key="k", key_parts={"parameters": parameters}
    )
    store.publish(execution_id, {})
    return execution_id


def why(store, **parameters) -> str:
    return cache_miss(store, "p", "n", {"parameters": parameters}, 1_000)


def test_the_nearest_of_the_last_executions_is_compared(store) -> None:
    assert why(store, a=1) == "first run"
    ran(store, a=1, b=1, c=1)
    ran(store, a=7, b=7, c=7)
    assert why(store, a=1, b=1, c=2) == "parameter c changed: 1 -> 2"
    assert why(store, a=1, b=2, c=2) == "parameter b changed: 1 -> 2 and 1 more"
    assert why(store, a=7, b=7, c=7) == "its earlier outputs cannot be reused"
