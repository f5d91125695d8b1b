from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from penstock.artifacts import Model, ModelBlessing, PushedModel
from penstock.cli import main
from penstock.store import MetadataStore, RunRecord, RunState
from penstock.upkeep import Rules, plan_removal


def run(*words: str) -> None:
    assert main(["run", "pipelines/words.py", "--in-process", "--progress", "none", *words]) == 0


@pytest.fixture
def six_runs(project, capsys):
    """Six runs with other parameters: one ReadText, six CountWords, six Reports."""
    for epochs in range(1, 7):
        run("--param", f"epochs={epochs}", "--run-id", f"r{epochs}")
    capsys.readouterr()
    return project


def gc(capsys, *words: str) -> dict:
    assert main(["gc", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def origin(artifact: dict) -> str:
    return artifact["uri"].split("/.penstock/words/")[1].split("/")[0]


def test_first_it_only_says_what_would_go(six_runs, capsys):
    def files():
        return sorted(path for path in six_runs.rglob("*") if not path.name.startswith("metadata"))

    before = files()
    assert main(["gc", "--keep", "2"]) == 0
    text = capsys.readouterr().out
    assert "would remove: 8 artifacts and 0 folders" in text
    assert "Do it with --yes" in text
    assert files() == before


def test_the_newest_of_each_node_stay(six_runs, capsys):
    plan = gc(capsys, "--keep", "2", "--yes")
    assert sorted(map(origin, plan["artifacts"])) == ["CountWords"] * 4 + ["Report"] * 4
    for artifact in plan["artifacts"]:
        assert not Path(artifact["uri"]).parent.exists()
    with MetadataStore.open(six_runs / ".penstock/metadata.db") as store:
        live = {record.artifact.uri for record in store.find_artifacts()}
        gone = store.find_artifacts(ids=[a["id"] for a in plan["artifacts"]], states=())
    assert len(live) == 5
    assert all(Path(uri).exists() for uri in live)
    assert {record.artifact.state.name for record in gone} == {"DELETED"}
    assert gc(capsys, "--keep", "2") == {
        **gc(capsys, "--keep", "2"),
        "artifacts": [],
        "folders": [],
    }


def test_what_went_is_made_anew_and_why_says_so(six_runs, capsys):
    gc(capsys, "--keep", "1", "--yes")
    run("--param", "epochs=3")
    capsys.readouterr()
    assert main(["why", "latest", "CountWords"]) == 0
    text = capsys.readouterr().out
    assert "the earlier result could not be reused" in text
    assert "is DELETED" in text


def test_reuse_counts_as_use(six_runs, capsys):
    run("--param", "epochs=1")
    capsys.readouterr()
    plan = gc(capsys, "--keep", "1")
    with MetadataStore.open(six_runs / ".penstock/metadata.db") as store:
        kept = store.run_outputs("r1")
    assert {a.id for of in kept["CountWords"].values() for a in of} == {
        int(number) for number, reason in plan["kept"].items() if reason == "newest"
    } - {a.id for node in ("ReadText", "Report") for of in kept[node].values() for a in of}


def test_what_was_made_from_stays_with_what_is_kept(six_runs, capsys):
    with MetadataStore.open(six_runs / ".penstock/metadata.db") as store:
        outputs = store.run_outputs("r1")
        report, counts = outputs["Report"]["report"][0], outputs["CountWords"]["counts"][0]
        store.set_alias("good", report.id or 0)
    plan = gc(capsys, "--keep", "1")
    assert plan["kept"][str(report.id)] == "alias"
    assert plan["kept"][str(counts.id)] == "lineage"
    assert len(plan["artifacts"]) == 8


def test_what_is_young_stays(six_runs, capsys):
    assert gc(capsys, "--keep", "1", "--older-than", "1h")["artifacts"] == []
    with MetadataStore.open(six_runs / ".penstock/metadata.db") as store:
        later = plan_removal(store, Rules(keep=1, younger_than=3600), now=4e9)
    assert len(later.removed) == 10


def test_only_one_pipeline(six_runs, capsys):
    assert gc(capsys, "--keep", "1", "--pipeline", "other")["artifacts"] == []
    assert len(gc(capsys, "--keep", "1", "--pipeline", "words")["artifacts"]) == 10


def test_leftovers_of_failed_attempts_and_unknown_folders(six_runs, capsys):
    module = six_runs / "modules/counting.py"
    module.write_text("def count(text):\n    raise KeyError('x')\n")
    assert main(["run", "pipelines/words.py", "--progress", "none", "--param", "epochs=99"]) == 1
    capsys.readouterr()
    root = six_runs / ".penstock/words/CountWords"
    failed = max(int(each.name) for each in (root / ".system/executor_execution").iterdir())
    (root / f"counts/{failed}").mkdir(parents=True, exist_ok=True)
    (root / f"counts/{failed}/half").write_text("half")
    (root / f".system/executor_execution/{failed}/.temp").mkdir(exist_ok=True)
    (root / f"counts/{failed}.aside-1700").mkdir()
    (root / "counts/8888").mkdir()
    (root / "counts/8888/x").write_text("mine")

    plan = gc(capsys, "--yes")
    kinds = {each["kind"]: each["path"] for each in plan["folders"]}
    assert set(kinds) == {"leftover", "scratch"}
    assert not list((root / "counts").glob(f"{failed}*"))
    assert (root / f".system/executor_execution/{failed}/log.txt").exists()
    assert plan["unknown"] == [str(root / "counts/8888")]
    assert (root / "counts/8888/x").exists()

    assert [each["kind"] for each in gc(capsys, "--unknown", "--yes")["folders"]] == ["unknown"]
    assert not (root / "counts/8888").exists()


def test_a_removal_that_was_interrupted_is_finished(six_runs, capsys):
    """The store forgets before the folders go: what a crash leaves is found the next time."""
    with MetadataStore.open(six_runs / ".penstock/metadata.db") as store:
        (record,) = store.find_artifacts(run_id="r1", pipeline="words", node_id="Report")
        store.mark_deleted([record.artifact.id or 0])
    assert Path(record.artifact.uri).exists()
    plan = gc(capsys, "--keep", "6", "--yes")
    assert [each["kind"] for each in plan["folders"]] == ["deleted"]
    assert not Path(record.artifact.uri).parent.exists()


def make_models(store: MetadataStore, root: Path, count: int) -> None:
    """Write a pipeline's history: models, each blessed and pushed."""
    for number in range(1, count + 1):
        run_id = f"m{number}"
        store.create_run(RunRecord(run_id, "models", float(number), root=str(root)))
        inputs: dict[str, list] = {}
        for node, key, kind in (
            ("Trainer", "model", Model),
            ("Evaluator", "blessing", ModelBlessing),
            ("Pusher", "pushed_model", PushedModel),
        ):
            execution = store.register_execution(
                run_id=run_id,
                node_id=node,
                type_name=node,
                inputs=inputs,
                cache_key=f"{run_id}{node}",
            )
            artifact = kind(str(root / node / key / str(execution)))
            if kind is ModelBlessing:
                model = inputs["model"][0]
                artifact.custom_properties.update(
                    blessed=1, current_model=model.uri, current_model_id=model.id
                )
            os.makedirs(artifact.uri)
            store.publish(execution, {key: [artifact]})
            inputs = {**inputs, key: [artifact]}
        store.finish_run(run_id, RunState.COMPLETE)


def test_pushed_and_blessed_models_stay_with_what_they_were_made_from(tmp_path):
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        make_models(store, tmp_path / "models", 5)
        assert plan_removal(store, Rules(keep=1), now=1e9).removed == []
        plan = plan_removal(store, Rules(keep=1, models=2), now=1e9)
        assert sorted({str(record.run_id) for record in plan.removed}) == ["m1", "m2", "m3"]
        assert len(plan.removed) == 9
        by_run = {r.run_id: plan.kept[r.artifact.id or 0] for r in store.find_artifacts(
            type_name="Model") if r.artifact.id in plan.kept}  # fmt: skip
        assert by_run == {"m4": "model", "m5": "model"}


def test_what_a_live_run_reads_stays(tmp_path):
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        make_models(store, tmp_path / "models", 3)
        (oldest,) = store.find_artifacts(run_id="m1", pipeline="models", node_id="Trainer")
        with store.acquire_lease("live"):
            store.create_run(RunRecord("live", "models", 9.0, root=str(tmp_path)))
            store.register_execution(
                run_id="live", node_id="X", type_name="X", inputs={"model": [oldest.artifact]}
            )
            plan = plan_removal(store, Rules(keep=1, models=1), now=1e9)
    assert plan.kept[oldest.artifact.id or 0] == "running"


def test_what_is_used_between_plan_and_removal_stays(tmp_path):
    from penstock.upkeep.retention import forget

    with MetadataStore.open(tmp_path / "metadata.db") as store:
        make_models(store, tmp_path / "models", 3)
        plan = plan_removal(store, Rules(keep=1, models=1), now=1e9)
        (oldest,) = store.find_artifacts(run_id="m1", pipeline="models", node_id="Trainer")
        assert oldest.artifact.id in {record.artifact.id for record in plan.removed}
        store.create_run(RunRecord("late", "models", 9.0, root=str(tmp_path)))
        store.register_execution(
            run_id="late", node_id="X", type_name="X", inputs={"model": [oldest.artifact]}
        )
        gone = forget(store, plan)
        assert oldest.artifact.id not in {record.artifact.id for record in gone}
        assert len(gone) == len(plan.removed) - 1
        (still,) = store.find_artifacts(run_id="m1", pipeline="models", node_id="Trainer")
        assert still.artifact.id == oldest.artifact.id


def test_what_lies_outside_the_root_is_never_touched(project, tmp_path, capsys):
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "precious").write_text("x")
    with MetadataStore.open(project / ".penstock/metadata.db") as store:
        for number in range(5):
            store.create_run(
                RunRecord(f"i{number}", "p", float(number), root=str(tmp_path / "root"))
            )
            store.publish_imported(
                {"result": [Model(str(outside))]}, run_id=f"i{number}", node_id="Importer"
            )
            store.finish_run(f"i{number}", RunState.COMPLETE)
    plan = gc(capsys, "--keep", "1", "--yes", "--unknown")
    assert plan["artifacts"] == []
    assert set(plan["kept"].values()) == {"foreign"}
    assert (outside / "precious").exists()


def test_a_root_that_is_gone_is_no_error(six_runs, capsys):
    shutil.rmtree(six_runs / ".penstock/words")
    plan = gc(capsys, "--keep", "1", "--yes")
    assert len(plan["artifacts"]) == 10
