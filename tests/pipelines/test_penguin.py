"""The main job, end to end, as a user runs it: `penstock run pipelines/penguin.py`."""

from __future__ import annotations

import collections
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.artifacts.fingerprint import fingerprint
from penstock.evaluation import read_metrics
from penstock.io import read_record_batches, split_files
from penstock.store import ExecutionState, MetadataStore

pytestmark = pytest.mark.tensorflow

REPOSITORY = Path(__file__).resolve().parents[2]
NODES = [
    "CsvExampleGen",
    "LatestBlessedModel",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Transform",
    "Tuner",
    "Trainer",
    "Evaluator",
    "BaselineComparison",
    "InfraValidator",
    "Pusher",
    "ModelCard",
]


class Project:
    """A copy of the repository's project, and what was run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        shutil.copy(REPOSITORY / "pyproject.toml", folder)
        for name in ("pipelines", "modules", "data"):
            shutil.copytree(
                REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )

    def penstock(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "PENSTOCK_STORE"}
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def run(self, *words: str) -> dict:
        return json.loads(self.penstock("run", "pipelines/penguin.py", "--json", *words).stdout)

    def store(self) -> MetadataStore:
        return MetadataStore.open(self.folder / ".penstock" / "metadata.db")

    def uri(self, node: str, key: str) -> str:
        with self.store() as store:
            (artifact,) = store.node_outputs("penguin", node)[key]
        return artifact.uri


def states(result: dict) -> dict[str, str]:
    return {node: each["state"].upper() for node, each in result["nodes"].items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """The project after one cold run with a seed and determinism."""
    made = Project(tmp_path_factory.mktemp("penguin") / "first")
    made.cold = made.run("--seed", "7", "--deterministic")
    return made


def test_a_cold_run_completes_every_node(project):
    assert sorted(states(project.cold)) == sorted(NODES)
    assert set(states(project.cold).values()) == {"COMPLETE"}


def majorities(uri: str, slice_feature: str) -> dict[str, tuple[int, float]]:
    """Return rows and share of the commonest species for each value of a feature, on test."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for batch in read_record_batches(split_files(uri, "test")):
        columns = batch.to_pydict()
        for value, species in zip(columns[slice_feature], columns["species"], strict=True):
            counts[value[0].decode() if value else ""][species[0].decode()] += 1
    return {
        value: (count.total(), max(count.values()) / count.total())
        for value, count in counts.items()
    }


def test_it_tells_the_species_on_the_test_split(project):
    found = {
        slice_key: {key.name: value for key, value in values.items()}
        for slice_key, values in read_metrics(project.uri("Evaluator", "evaluation"))
    }
    name = next(key for key in found[()] if "accuracy" in key.lower())
    assert found[()][name] >= 0.95
    judged = 0
    examples = project.uri("CsvExampleGen", "examples")
    for feature in ("island", "sex"):
        for value, (rows, share) in majorities(examples, feature).items():
            if rows >= 10 and value:
                assert found[((feature, value),)][name] > share
                judged += 1
    assert judged >= 4


def test_the_pushed_model_answers_raw_rows(project):
    (version,) = (project.folder / "serving_model" / "penguin").iterdir()
    asked = (
        "import json, sys\n"
        "from penstock.serving import load_model\n"
        "model = load_model(sys.argv[1])\n"
        "print(json.dumps(model.predict([\n"
        "  dict(island='Biscoe', bill_length_mm=50.0, bill_depth_mm=15.0,\n"
        "       flipper_length_mm=220, body_mass_g=5200, sex='male'),\n"
        "  dict(island='Torgersen', bill_length_mm=38.5, flipper_length_mm=185)])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, str(version.parent)],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first["species"] == "Gentoo"
    assert second["species"] == "Adelie"
    assert abs(sum(first["probabilities"]) - 1) < 1e-5


def test_two_cold_runs_with_a_seed_are_bit_equal(project, tmp_path):
    other = Project(tmp_path / "elsewhere")
    other.run("--seed", "7", "--deterministic")
    for node, key in [
        ("CsvExampleGen", "examples"),
        ("Transform", "transform_graph"),
        ("Transform", "transformed_examples"),
        ("Tuner", "best_hyperparameters"),
        ("Trainer", "model"),
        ("Evaluator", "evaluation"),
    ]:
        first, second = project.uri(node, key), other.uri(node, key)
        assert fingerprint(first) == fingerprint(second), f"{node}.{key}: {first} {second}"


def test_later_runs_are_cached_and_import_nothing_heavy(project):
    again = states(project.run("--seed", "7", "--deterministic"))
    # There is a blessed baseline now: what reads it runs again, the others do not.
    assert {node for node, state in again.items() if state == "COMPLETE"} <= {
        "LatestBlessedModel",
        "Evaluator",
        "Pusher",
        "ModelCard",
    }
    script = (
        "import json, sys\n"
        "started = []\n"
        "sys.addaudithook(lambda event, args: event == 'subprocess.Popen' and started.append(args[1]))\n"
        "from penstock.cli import main\n"
        "code = main(['run', 'pipelines/penguin.py', '--seed', '7', '--deterministic', '--progress',"
        " 'none'])\n"
        "heavy = [m for m in ('tensorflow', 'apache_beam', 'pyarrow') if m in sys.modules]\n"
        "print(json.dumps([code, heavy, [str(words[0]) for words in started]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    code, heavy, started = json.loads(done.stdout.splitlines()[-1])
    assert (code, heavy) == (0, [])
    assert all("git" in command for command in started)
    with project.store() as store:
        run = store.latest_run("penguin")
        ended = {each.node_id: each.state for each in store.run_executions(run.run_id)}
    ended.pop("LatestBlessedModel")
    assert set(ended.values()) == {ExecutionState.CACHED}


def test_training_is_distributed_by_parameter(project):
    result = project.run("--param", "distribution=mirrored", "--param", "train_steps=40")
    assert states(result)["Trainer"] == "COMPLETE"
    assert states(result)["Transform"] in ("CACHED", "COMPLETE")
    log = project.penstock("logs", "latest", "Trainer").stdout
    assert "distribution mirrored on tensorflow: 2 replicas" in log
    assert result["nodes"]["Trainer"]["metrics"]["replicas"] == 2


def test_every_execution_is_accounted_for(project):
    with project.store() as store:
        run = store.list_runs("penguin")[-1]
        executions = store.run_executions(run.run_id)
        epochs = store.run_epochs(run.run_id)
        (model_run,) = store.run_outputs(run.run_id)["Trainer"]["model_run"]
    history = json.loads(Path(model_run.uri, "history.json").read_text())
    told = [epoch.metrics["val_loss"] for epoch in epochs["Trainer"]]
    assert told == pytest.approx(history["val_loss"])
    assert list(epochs) == ["Trainer"], "a trial's epochs are not those of the Tuner"
    trained = next(each for each in executions if each.node_id == "Trainer")
    assert trained.usage.cpu_seconds > 0.1
    assert trained.usage.peak_rss_bytes > 100 << 20
    assert trained.usage.bytes_written > 10_000
    assert trained.key_parts["parameters"]["train_args"]["fields"]["num_steps"] == 200
    assert trained.key_parts["libraries"]["tensorflow"]
    assert len(run.environment_fingerprint) >= 16
    assert (run.seed, run.deterministic) == (7, True)


def test_every_live_artifact_matches_its_fingerprint(project):
    with project.store() as store:
        artifacts = [record.artifact for record in store.find_artifacts()]
    assert len(artifacts) >= 20
    for artifact in artifacts:
        assert fingerprint(artifact.uri)[0] == artifact.fingerprint, artifact


READER = """
import json, sys
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
config = pb.ConnectionConfig()
config.sqlite.filename_uri = sys.argv[1]
config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
store = metadata_store.MetadataStore(config)
executions = store.get_executions()
print(json.dumps({
    "types": sorted(t.name for t in store.get_execution_types()),
    "artifact_types": sorted(t.name for t in store.get_artifact_types()),
    "states": sorted({pb.Execution.State.Name(e.last_known_state) for e in executions}),
    "events": len(store.get_events_by_execution_ids([e.id for e in executions])),
    "contexts": sorted({c.type for c in store.get_contexts()}),
    "nodes": sorted({c.name for c in store.get_contexts_by_type("node")}),
    "versions": sorted({a.custom_properties["tfx_version"].string_value
                        for a in store.get_artifacts_by_type("Model")}),
}))
"""


def test_ml_metadata_s_client_lists_the_run(project, client_python):
    database = project.folder / ".penstock" / "metadata.db"
    done = subprocess.run(
        [client_python, "-c", READER, str(database)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert "tfx.components.trainer.component.Trainer" in read["types"]
    assert {"Examples", "ExampleStatistics", "Schema", "Model", "PushedModel"} <= set(
        read["artifact_types"]
    )
    assert "COMPLETE" in read["states"]
    assert read["events"] > 40
    assert {"pipeline", "pipeline_run", "node", "execution_cache"} == set(read["contexts"])
    assert "penguin.Trainer" in read["nodes"]
    assert read["versions"] != [""]
