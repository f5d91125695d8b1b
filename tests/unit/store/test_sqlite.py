"""What is special about SQLite: where the file may lie, what it holds, what is wrong with it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.artifacts import Examples, Verdict
from penstock.store import (
    ExecutionState,
    MetadataStore,
    RunRecord,
    RunState,
    SchemaMismatch,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)
from penstock.store.sqlite.database import network_file_system

SAMPLES = Path(__file__).resolve().parents[2] / "golden"
GOLDEN = SAMPLES / "penguin/metadata.db"
SCHEMA = SAMPLES / "mlmd-v10.sql"
GOLDEN_RUN = "2026-11-20T21:19:52.442850"


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    copy = tmp_path / "metadata.db"
    shutil.copyfile(GOLDEN, copy)
    return copy


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_path_and_url_name_the_same_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / "deep" / "er" / "metadata.db"
    MetadataStore.open(form.format(path)).close()
    assert path.read_bytes()[:15] == b"SQLite format 3"


def test_tables_are_ml_metadatas_to_the_letter(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        written = store.session.query(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%penstock%' ORDER BY name"
        )
        env = store.session.query("SELECT schema_version FROM MLMDEnv")
        types = store.session.query("SELECT id, name, type_kind FROM Type WHERE id < 10")
    with sqlite3.connect(":memory:") as reference:
        reference.executescript(SCHEMA.read_text())
        expected = reference.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    reference.close()
    assert written == expected
    assert env == [(10,)]
    assert [row[1] for row in types] == [
        "mlmd.Dataset",
        "mlmd.Model",
        "mlmd.Metrics",
        "mlmd.Statistics",
        "mlmd.Train",
        "mlmd.Transform",
        "mlmd.Process",
        "mlmd.Evaluate",
        "mlmd.Deploy",
    ]


def test_a_database_that_tfx_wrote_is_upgraded_with_a_backup(golden: Path) -> None:
    with MetadataStore.open(golden) as store:
        assert store.backup is not None
        assert Path(store.backup).parent == golden.parent
        with sqlite3.connect(store.backup) as copy, sqlite3.connect(GOLDEN) as original:
            assert list(copy.iterdump()) == list(original.iterdump())
        copy.close()
        original.close()
        found = store.latest_blessed_model(pipeline="penguin_local_keras")
        assert found is not None
        assert (found[0].id, found[1].id) == (13, 15)
        assert found[0].uri.endswith("Trainer/model/7")
        statistics = store.latest_artifacts(
            "ExampleStatistics",
            pipeline="penguin_local_keras",
            node_id="Transform",
            key="pre_transform_stats",
        )
        assert [a.id for a in statistics] == [6]
        outputs = store.run_outputs(GOLDEN_RUN)
        assert len(outputs) == 9
        assert outputs["CsvExampleGen"]["examples"][0].properties == {
            "split_names": '["train", "eval"]'
        }
        assert outputs["ExampleValidator"]["anomalies"][0].custom_properties["blessed"] == {
            "train": 1.0,
            "eval": 1.0,
        }
        assert set(store.lineage([17]).executions) == {1, 3, 4, 6, 7, 9}
        assert store.inputs_of(7)["examples"][0].id == 12
        assert store.get_execution(7).state is ExecutionState.COMPLETE
        # The next run of the pipeline goes on in the same store.
        store.create_run(RunRecord("next", "penguin_local_keras", 1.0))
        execution = store.register_execution(
            run_id="next",
            node_id="CsvExampleGen",
            type_name="tfx.components.example_gen.csv_example_gen.component.CsvExampleGen",
        )
        assert execution == 10
        store.publish(execution, {"examples": [Examples("/x", properties={"span": 1})]})
        assert store.session.query("SELECT count(*) FROM Type WHERE name = 'Examples'") == [(1,)]
    with MetadataStore.open(golden) as again:
        assert again.backup is None


def test_newer_and_older_schemas_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    MetadataStore.open(path).close()
    for statement, message in [
        ("UPDATE penstock_version SET version = 99", "newer Penstock .* version 99"),
        ("UPDATE MLMDEnv SET schema_version = 9", "schema version 9; expected 10. Upgrade it with"),
        ("UPDATE MLMDEnv SET schema_version = 11", "schema version 11; .* Use a newer Penstock"),
    ]:
        with sqlite3.connect(path) as connection:
            connection.execute("BEGIN")
            connection.execute(statement)
            connection.commit()
            with pytest.raises(SchemaMismatch, match=message):
                MetadataStore.open(path)
            connection.execute("UPDATE penstock_version SET version = 3")
            connection.execute("UPDATE MLMDEnv SET schema_version = 10")
        connection.close()
    MetadataStore.open(path).close()


def test_a_store_of_version_1_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with MetadataStore.open(path) as store:
        store.create_run(RunRecord("run", "p", 1.0))
        store.register_execution(run_id="run", node_id="n", type_name="t.N")
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE penstock_run DROP COLUMN paused_seconds")
        connection.execute("ALTER TABLE penstock_execution DROP COLUMN verdict")
        connection.execute("ALTER TABLE penstock_execution DROP COLUMN start_seconds")
        connection.execute("DROP TABLE penstock_rejection")
        connection.execute("DROP TABLE penstock_epoch")
        connection.execute("UPDATE penstock_version SET version = 1")
    connection.close()
    with MetadataStore.open(path) as store:
        assert store.backup is not None
        (execution,) = store.run_executions("run")
        assert execution.verdict is None
        store.fail(execution.id, "no", verdict=Verdict("3 anomalies", ok=False), judged=[7])
        assert store.get_execution(execution.id).verdict == Verdict("3 anomalies", ok=False)
        assert [(each.artifact_id, each.node_id) for each in store.rejections([7])] == [(7, "n")]
        store.record_epochs(execution.id, {1: {"loss": 0.5}})
        assert [each.epoch for each in store.execution_epochs(execution.id)] == [1]
    with MetadataStore.open(path) as store:
        assert store.backup is None


def test_part_of_a_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    MetadataStore.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE Attribution")
    connection.close()
    with pytest.raises(StoreCorrupt, match="only 14 of ML Metadata's 15 tables; attribution is"):
        MetadataStore.open(path)


def test_what_is_no_database(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all, only some lines of text\n" * 30)
    with pytest.raises(StoreCorrupt, match=r"notes\.txt is not a SQLite database"):
        MetadataStore.open(text)
    with pytest.raises(StoreUnavailable, match="is a folder. Expected a file"):
        MetadataStore.open(tmp_path)
    with pytest.raises(StoreUnavailable, match="There is no store at"):
        MetadataStore.open(tmp_path / "absent.db", create=False)
    with pytest.raises(StoreUnavailable, match="cannot be created: Not a directory"):
        MetadataStore.open(text / "sub" / "m.db")
    with pytest.raises(StoreUnavailable, match="lost with the process"):
        MetadataStore.open("sqlite://")
    with pytest.raises(StoreUnavailable, match="Unknown kind of store: oracle://"):
        MetadataStore.open("oracle://host/x")
    with pytest.raises(ValueError, match="'normal' or 'full'. Received: 'fast'"):
        MetadataStore.open(tmp_path / "m.db", durability="fast")
    with pytest.raises(StoreUnavailable, match="is empty: it has no tables"):
        sqlite3.connect(tmp_path / "empty.db").close()
        (tmp_path / "empty.db").touch()
        MetadataStore.open(tmp_path / "empty.db", create=False)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    MetadataStore.open(path).close()
    data = bytearray(path.read_bytes())
    data[100:4096] = os.urandom(3996)
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match=r"m\.db .* damaged"):
        MetadataStore.open(path)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = MetadataStore.open(tmp_path / "m.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.list_runs()
    with pytest.raises(StoreError, match="is closed"):
        store.create_run(RunRecord("r", "p", 1.0))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    MetadataStore.open(path).close()
    path.chmod(0o444)
    with pytest.raises(StoreReadOnly, match="may not be written"):
        MetadataStore.open(path)
    path.chmod(0o000)
    with pytest.raises(StoreUnavailable, match="may not be read"):
        MetadataStore.open(path)


def test_read_only(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with MetadataStore.open(path) as store:
        store.create_run(RunRecord("r", "p", 1.0))
    with MetadataStore.open(path, read_only=True) as store:
        assert [run.run_id for run in store.list_runs()] == ["r"]
        with pytest.raises(StoreReadOnly, match="may not be written"):
            store.finish_run("r", RunState.FAILED)


def test_read_only_does_not_upgrade(golden: Path) -> None:
    with pytest.raises(SchemaMismatch, match="Open it for writing once"):
        MetadataStore.open(golden, read_only=True)
    assert golden.read_bytes() == GOLDEN.read_bytes()


def test_what_every_node_asks_walks_no_table(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        store.create_run(RunRecord("r", "p", 1.0))
        asked: list[tuple[str, object]] = []
        fetch = store.session.fetch

        def listen(*statements):  # type: ignore[no-untyped-def]
            asked.extend(statements)
            return fetch(*statements)

        store.session.fetch = listen  # type: ignore[method-assign]
        store.find_cached("k", max_age_seconds=3.0)
        store.get_run("r")
        store.list_runs("p")
        store.list_runs()
        store.run_states("r")
        store.node_outputs("p", "n")
        store.node_outputs("p", "n", run_id="r")
        store.nearest_executions("p", "n")
        store.record_epochs(1, {1: {}})
        store.execution_epochs(1)
        store.run_epochs("r")
        store.session.fetch = fetch  # type: ignore[method-assign]
        assert len(asked) >= 8
        for text, parameters in asked:
            plan = fetch((f"EXPLAIN QUERY PLAN {text}", parameters))[0]  # type: ignore[arg-type]
            scans = [row[3] for row in plan if row[3].startswith("SCAN") and "INDEX" not in row[3]]
            # A subquery of at most one or a few rows may be walked.
            assert [scan for scan in scans if scan not in ("SCAN hit", "SCAN pe")] == [], text


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/export /data nfs4 rw 0 0
/dev/vdb /data/local xfs rw 0 0
//host/share /mnt/my\\040share cifs rw 0 0
gcs /bucket fuse.gcsfuse rw 0 0
host:/x /twice nfs rw 0 0
tmpfs /twice tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/metadata.db", None),
        ("/data/metadata.db", "nfs4"),
        ("/database/metadata.db", None),
        ("/data/local/metadata.db", None),
        ("/mnt/my share/deep/metadata.db", "cifs"),
        ("/bucket/metadata.db", "fuse.gcsfuse"),
        ("/twice/metadata.db", None),
    ],
)
def test_network_mounts_are_told_apart(tmp_path: Path, path: str, kind: str | None) -> None:
    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    assert network_file_system(path, str(table)) == kind


def test_a_network_mount_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.store.sqlite.database._NETWORK", frozenset({_kind_of(tmp_path)}))
    with pytest.raises(StoreUnavailable, match="network file system .* PostgreSQL or MySQL URL"):
        MetadataStore.open(tmp_path / "m.db")
    assert not (tmp_path / "m.db").exists()


def _kind_of(path: Path) -> str:
    return (
        subprocess.run(["stat", "-f", "-c", "%T", path], check=True, capture_output=True, text=True)
        .stdout.strip()
        .replace("ext2/ext3", "ext4")
        .replace("overlayfs", "overlay")
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        block = bytes(4096)
        try:
            while True:
                file.write(block)
        except OSError:
            return filler


def test_failures_are_recorded_on_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "metadata.db"
    with MetadataStore.open(path) as store:
        store.create_run(RunRecord("r", "p", 1.0))
        running = [
            store.register_execution(run_id="r", node_id=f"n{i}", type_name="test.N")
            for i in range(12)
        ]
        filler = fill(small_disk)
        output = Examples("/o")
        with pytest.raises(StoreFull, match=r"No space left for the store .*metadata\.db"):
            for number in range(1000):
                store.create_run(RunRecord(f"more-{number}", "p" * 2000, 1.0))
        before = store.execution_states()
        with pytest.raises(StoreFull):
            for _ in range(1000):
                store.publish(running[0], {"o": [output] * 1, "p": [Examples("/" * 9000)]})
                running.pop(0)
                output = Examples("/o")
        assert before[running[0]] is ExecutionState.RUNNING
        assert output.id is None
        for execution in running:
            store.fail(execution, "OSError: No space left on device")
        store.finish_run("r", RunState.FAILED, "disk full")
        states = store.execution_states()
        assert {states[execution] for execution in running} == {ExecutionState.FAILED}
        assert store.get_run("r").state is RunState.FAILED
        assert store.session.query("PRAGMA integrity_check") == [("ok",)]
        assert not os.path.exists(f"{path}.reserve")
    with MetadataStore.open(path) as store:
        assert store.get_execution(running[0]).error == "OSError: No space left on device"
    filler.unlink()
    with MetadataStore.open(path) as store:
        assert os.path.getsize(f"{path}.reserve") == 1 << 20
        store.create_run(RunRecord("after", "p", 2.0))
        assert store.session.query("PRAGMA integrity_check") == [("ok",)]
