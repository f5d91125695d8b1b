"""The real ML Metadata client reads what the store wrote, while the store holds it."""

from __future__ import annotations

import json
import subprocess
import time
from urllib.parse import urlparse

import pytest

from penstock.artifacts import Examples, ExampleStatistics
from penstock.store import ExecutionState, MetadataStore, RunRecord

READER = """
import json, sys
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
config = pb.ConnectionConfig()
engine, *where = json.loads(sys.argv[1])
if engine == "sqlite":
    config.sqlite.filename_uri = where[0]
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE
elif engine == "postgresql":
    host, port, user, name = where
    p = config.postgresql
    p.host, p.port, p.user, p.dbname, p.password = host, str(port), user, name, "none"
else:
    host, port, user, name = where
    m = config.mysql
    m.host, m.port, m.user, m.database = host, port, user, name
store = metadata_store.MetadataStore(config)
artifacts = store.get_artifacts()
executions = store.get_executions()
contexts = store.get_contexts()
types = {t.id: t for t in store.get_artifact_types()}
run = next(c for c in contexts if c.type == "pipeline_run")
print(json.dumps({
    "artifact_types": {
        t.name: [pb.ArtifactType.SystemDefinedBaseType.Name(t.base_type),
                 {k: pb.PropertyType.Name(v) for k, v in sorted(t.properties.items())}]
        for t in types.values()},
    "execution_types": {t.name: pb.ExecutionType.SystemDefinedBaseType.Name(t.base_type)
                        for t in store.get_execution_types()},
    "context_types": sorted(t.name for t in store.get_context_types()),
    "artifacts": [[a.id, a.type, a.uri, pb.Artifact.State.Name(a.state),
                   {k: v.WhichOneof("value") for k, v in sorted(a.properties.items())},
                   {k: v.WhichOneof("value") for k, v in sorted(a.custom_properties.items())}]
                  for a in artifacts],
    "executions": [[e.id, e.type, pb.Execution.State.Name(e.last_known_state),
                    {k: getattr(v, v.WhichOneof("value")) for k, v in e.custom_properties.items()}]
                   for e in executions],
    "contexts": sorted([c.type, c.name] for c in contexts),
    "parents": [c.name for c in store.get_parent_contexts_by_context(run.id)],
    "events": sorted([e.execution_id, pb.Event.Type.Name(e.type), e.artifact_id,
                      [s.key if s.WhichOneof("value") == "key" else s.index for s in e.path.steps]]
                     for e in store.get_events_by_execution_ids([e.id for e in executions])),
    "of_run": sorted(e.id for e in store.get_executions_by_context(run.id)),
    "filtered": [a.id for a in store.get_artifacts(metadata_store.ListOptions(
        filter_query="properties.span.int_value = 3"))],
}))
"""


def connection(url: str) -> list[str | int | None]:
    if url.startswith("sqlite"):
        return ["sqlite", url.removeprefix("sqlite:///")]
    parsed = urlparse(url)
    return [parsed.scheme, parsed.hostname, parsed.port, parsed.username, parsed.path[1:]]


def test_the_client_lists_everything(client_python: str, url: str) -> None:
    key = "ab" * 32
    with MetadataStore.open(url) as store:
        store.create_run(RunRecord("2026-11-21T10:00:00.5", "penguin", time.time()))
        run = {"run_id": "2026-11-21T10:00:00.5"}
        examples = Examples(
            "/root/CsvExampleGen/examples/1",
            properties={"span": 3, "split_names": '["train", "eval"]'},
            custom_properties={
                "tfx_version": "1.21.0",
                "size": 2**40,
                "rate": 0.5,
                "external": False,
                "counts": {"train": 228},
            },
        )
        gen = store.register_execution(
            **run,
            node_id="CsvExampleGen",
            type_name="tfx.components.example_gen.csv_example_gen.component.CsvExampleGen",
            parameters={"input_base": "/data", "flag": True, "text": "x" * 5000},
            cache_key=key,
        )
        store.publish(gen, {"examples": [examples]})
        stats = store.register_execution(
            **run,
            node_id="StatisticsGen",
            type_name="tfx.components.statistics_gen.component.StatisticsGen",
            base_type="mlmd.Process",
            inputs={"examples": [examples], "again": [examples]},
        )
        statistics = ExampleStatistics("/root/StatisticsGen/statistics/2")
        store.publish(stats, {"statistics": [statistics]})
        hit = store.find_cached(key)
        assert hit is not None
        cached = store.publish_cached(
            hit, **run, node_id="CsvExampleGen", type_name="test.Other", cache_key=key
        )
        failed = store.register_execution(**run, node_id="Trainer", type_name="test.Trainer")
        store.fail(failed, "boom")
        resolved = store.publish_resolved({"m": [examples]}, **run, node_id="resolver")

        answer = subprocess.run(
            [client_python, "-c", READER, json.dumps(connection(url))],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stderr
        seen = json.loads(answer.stdout)
        assert seen["artifact_types"] == {
            "Examples": ["DATASET", {"span": "INT", "split_names": "STRING", "version": "INT"}],
            "ExampleStatistics": ["STATISTICS", {"span": "INT", "split_names": "STRING"}],
        }
        assert seen["execution_types"] == {
            "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen": "UNSET",
            "tfx.components.statistics_gen.component.StatisticsGen": "PROCESS",
            "tfx.dsl.components.common.resolver.Resolver": "UNSET",
            "test.Other": "UNSET",
            "test.Trainer": "UNSET",
        }
        assert seen["context_types"] == ["execution_cache", "node", "pipeline", "pipeline_run"]
        assert seen["artifacts"] == [
            [
                examples.id,
                "Examples",
                examples.uri,
                "LIVE",
                {"span": "int_value", "split_names": "string_value"},
                {
                    "counts": "struct_value",
                    "external": "bool_value",
                    "rate": "double_value",
                    "size": "int_value",
                    "tfx_version": "string_value",
                },
            ],
            [statistics.id, "ExampleStatistics", statistics.uri, "LIVE", {}, {}],
        ]
        states = {row[0]: row[2] for row in seen["executions"]}
        assert states == {
            gen: "COMPLETE",
            stats: "COMPLETE",
            cached: "CACHED",
            failed: "FAILED",
            resolved: "COMPLETE",
        }
        properties = {row[0]: row[3] for row in seen["executions"]}
        assert properties[gen]["flag"] == "true"
        assert json.loads(properties[gen]["__schema__flag__"]) == {
            "value_type": {"boolean_type": {}}
        }
        assert properties[gen]["text"] == "x" * 5000
        assert seen["contexts"] == sorted(
            [
                ["pipeline", "penguin"],
                ["pipeline_run", "2026-11-21T10:00:00.5"],
                ["execution_cache", key],
                *(
                    ["node", f"penguin.{node}"]
                    for node in ("CsvExampleGen", "StatisticsGen", "Trainer", "resolver")
                ),
            ]
        )
        assert seen["parents"] == ["penguin"]
        assert seen["events"] == [
            [gen, "OUTPUT", examples.id, ["examples", 0]],
            [stats, "INPUT", examples.id, ["examples", 0, "again", 0]],
            [stats, "OUTPUT", statistics.id, ["statistics", 0]],
            [cached, "OUTPUT", examples.id, ["examples", 0]],
            [resolved, "INTERNAL_OUTPUT", examples.id, ["m", 0]],
        ]
        assert seen["of_run"] == [gen, stats, cached, failed, resolved]
        assert seen["filtered"] == [examples.id]
        # The client left what it read as it was, and the store goes on.
        assert store.get_execution(gen).state is ExecutionState.COMPLETE
        store.publish(
            store.register_execution(**run, node_id="n", type_name="test.N"),
            {"o": [Examples("/o")]},
        )


@pytest.mark.server
@pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True)
def test_a_database_that_the_client_made_on_a_server(client_python: str, url: str) -> None:
    """The client creates the tables; the store adds its own and widens what is too narrow."""
    made = READER.partition("artifacts = ")[0]
    command = [client_python, "-c", made, json.dumps(connection(url))]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with MetadataStore.open(url) as store:
        store.create_run(RunRecord("run", "penguin", time.time()))
        execution = store.register_execution(
            run_id="run",
            node_id="n",
            type_name="test.N",
            parameters={"big": 2**40, "long": "x" * 100_000},
        )
        output = Examples("/" + "u" * 5000, custom_properties={"big": 2**40})
        store.publish(execution, {"o": [output]})
        (read,) = store.outputs_of(execution)["o"]
        assert read.custom_properties == {"big": 2**40}
        assert read.uri == output.uri
        bases = store.session.query("SELECT count(*) FROM Type WHERE name LIKE 'mlmd.%'")
        assert bases == [(9,)]
