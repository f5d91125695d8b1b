"""`models`, `promote`, `rollback`, and what `why` says of a model that was not pushed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.pushing import hold_version, push_model, read_aliases

GOLDEN = Path(__file__).resolve().parents[2] / "golden/saved_model"

PIPELINE = """
from penstock.artifacts import Examples, Model, ModelBlessing
from penstock.components import Pusher
from penstock.dsl import Component, Input, Output, Pipeline, RuntimeParameter, output
import shutil, os


class Ingest(Component):
    span: int = 1
    examples: Output[Examples] = output()

    def run(self, context):
        os.makedirs(self.examples.uri, exist_ok=True)
        with open(f"{self.examples.uri}/rows", "w") as file:
            file.write(str(self.span))
        self.examples.custom_properties["span"] = self.span


class Train(Component):
    examples: Input[Examples]
    model: Output[Model] = output()

    def run(self, context):
        shutil.copytree(context.resolve_path("saved_model"), self.model.serving_uri)
        shutil.copyfile(f"{self.examples.uri}/rows", f"{self.model.serving_uri}/rows")


class Judge(Component):
    model: Input[Model]
    auc: float = 0.9
    blessing: Output[ModelBlessing] = output()

    def run(self, context):
        context.report_metrics({"auc": self.auc, "loss": 0.25})
        os.makedirs(self.blessing.uri, exist_ok=True)
        ok = self.auc > 0.5
        open(f"{self.blessing.uri}/{'BLESSED' if ok else 'NOT_BLESSED'}", "w").close()
        self.blessing.custom_properties["blessed"] = int(ok)
        self.blessing.custom_properties["reasons"] = [] if ok else ["auc 0.4 is below 0.5", "slow"]


ingest = Ingest(span=RuntimeParameter("span", int, default=1, description="The day"))
train = Train(examples=ingest.outputs["examples"])
judge = Judge(
    model=train.outputs["model"],
    auc=RuntimeParameter("auc", float, default=0.9, description="What it reports"),
)
pusher = Pusher(
    model=train.outputs["model"],
    model_blessing=judge.outputs["blessing"],
    push_destination="serving/taxi",
    answers_within_seconds=None,
)
pipeline = Pipeline("taxi", components=[ingest, train, judge, pusher])
"""


def run(root: Path, *given: str, file: str = "taxi") -> None:
    words = [word for each in given for word in ("--param", each)]
    command = [sys.executable, "-m", "penstock", "run", f"pipelines/{file}.py", "--in-process"]
    subprocess.run([*command, *words], cwd=root, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A project whose pipeline pushed twice, and then did not."""
    root = tmp_path_factory.mktemp("project")
    (root / "pipelines").mkdir()
    (root / "pyproject.toml").write_text("[tool.penstock]\n")
    (root / "pipelines/taxi.py").write_text(PIPELINE)
    shutil.copytree(GOLDEN, root / "saved_model")
    for given in (["span=1"], ["span=2"], ["span=2", "auc=0.4"]):
        run(root, *given)
    return root


@pytest.fixture
def project(pushed, tmp_path, monkeypatch):
    """A copy of it, to change."""
    root = tmp_path / "copy"
    shutil.copytree(pushed / "serving", root / "serving")
    monkeypatch.chdir(pushed)
    monkeypatch.delenv("PENSTOCK_MODELS", raising=False)
    return root


@pytest.fixture
def versions(pushed):
    return sorted(int(each.name) for each in (pushed / "serving/taxi").iterdir() if each.is_dir())


@pytest.fixture
def taxi(project) -> str:
    """The place of the copied versions."""
    return str(project / "serving/taxi")


def said(capsys, *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(list(words)) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def data(capsys, *words: str):
    return json.loads(said(capsys, *words, "--json"))


def test_models_lists_what_was_pushed_and_what_was_not(project, versions, capsys):
    (model,) = data(capsys, "models")
    assert model["name"] == "taxi"
    assert model["destination"] == f"{os.getcwd()}/serving/taxi"
    assert [each["version"] for each in model["versions"]] == versions[::-1]
    assert model["not_pushed"]["reason"].startswith("The model is not blessed: auc 0.4 is below")
    shown = said(capsys, "models")
    assert "auc 0.9, loss 0.25" in shown
    assert "taxi was not pushed in run " in shown


def test_a_version_has_its_metrics_blessing_data_and_lineage(project, versions, capsys):
    newest, oldest = data(capsys, "models", "taxi")["versions"]
    assert newest["lineage"]["metrics"] == {"auc": 0.9, "loss": 0.25}
    assert newest["lineage"]["blessed"] is True
    assert [each["span"] for each in newest["lineage"]["data"]] == [2]
    assert [each["span"] for each in oldest["lineage"]["data"]] == [1]
    assert newest["lineage"]["pipeline"] == "taxi"
    assert newest["lineage"]["run"] != oldest["lineage"]["run"]
    assert newest["bytes"] == 15323
    one = data(capsys, "models", "taxi", str(versions[0]))
    assert one["lineage"] == oldest["lineage"]
    assert data(capsys, "models", "taxi", "latest")["version"] == versions[1]
    shown = said(capsys, "models", "taxi", "latest")
    assert "artifact " in shown
    assert "0.9" in shown


def test_what_was_pushed_without_a_manifest_is_described_by_the_store(
    pushed, versions, monkeypatch, capsys
):
    monkeypatch.chdir(pushed)
    manifest = pushed / f"serving/taxi/{versions[0]}/penstock_manifest.json"
    content = manifest.read_bytes()
    whole = data(capsys, "models", "taxi", str(versions[0]))["lineage"]
    manifest.unlink()
    try:
        lineage = data(capsys, "models", "taxi", str(versions[0]))["lineage"]
    finally:
        manifest.write_bytes(content)
    for name in ("metrics", "blessed", "pipeline", "run", "model"):
        assert lineage[name] == whole[name]
    assert [each["span"] for each in lineage["data"]] == [1]


def test_an_alias_is_promoted_and_rolled_back(taxi, versions, capsys):
    old, new = map(str, versions)
    assert "would be version" in said(capsys, "promote", taxi, old, "--as", "champion", "--dry-run")
    assert read_aliases(taxi) == {}
    said(capsys, "promote", taxi, old, "--as", "champion", "--by", "ada")
    change = data(capsys, "promote", taxi, new, "--as", "champion", "--by", "bob")
    assert (change["from"], change["to"], change["by"]) == (int(old), int(new), "bob")
    assert "already" in said(capsys, "promote", taxi, new, "--as", "champion")
    said(capsys, "rollback", taxi, "--as", "champion", "--dry-run")
    assert read_aliases(taxi) == {"champion": int(new)}
    assert f"is now version {old} (before: version {new})" in said(
        capsys, "rollback", taxi, "--as", "champion"
    )
    assert read_aliases(taxi) == {"champion": int(old)}
    error = said(capsys, "rollback", taxi, "--as", "champion", code=3)
    assert f"names version {old}, and no version before it" in error
    history = data(capsys, "models", taxi, "--history")
    assert [each["to"] for each in history] == [int(old), int(new), int(old)]
    assert "ada" in said(capsys, "models", taxi, "--history")
    assert "champion" in said(capsys, "models", taxi, "@champion")
    assert data(capsys, "promote", taxi, "@champion", "--as", "canary")["to"] == int(old)
    said(capsys, "promote", taxi, "--remove", "canary")
    assert "version " in said(capsys, "promote", taxi, "--remove", "champion")
    assert read_aliases(taxi) == {}


def test_old_versions_go_but_for_those_in_use(taxi, versions, capsys):
    push_model(GOLDEN, taxi)
    said(capsys, "promote", taxi, str(versions[0]), "--as", "champion")
    with hold_version(taxi, versions[1]):
        assert "in use by a server" in said(capsys, "models", taxi, "--prune", "1")
        assert "in use" in said(capsys, "models", taxi)
    planned = data(capsys, "models", taxi, "--prune", "1", "--dry-run")
    assert planned["removed"] == [versions[1]]
    assert planned["kept"] == {str(versions[0]): "alias champion"}
    assert data(capsys, "models", taxi, "--prune", "1")["removed"] == [versions[1]]


def test_models_below_a_folder_need_no_project(project, versions, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "no model was pushed yet" in said(capsys, "models")
    error = said(capsys, "models", "taxi", code=3)
    assert "There is no store at" in error
    assert "PENSTOCK_MODELS" in error
    monkeypatch.setenv("PENSTOCK_MODELS", str(project / "serving"))
    (model,) = data(capsys, "models")
    assert model["name"] == "taxi"
    assert len(model["versions"]) == 2
    said(capsys, "promote", "taxi", str(versions[0]), "--as", "champion")
    assert read_aliases(str(project / "serving/taxi")) == {"champion": versions[0]}


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["models", "taxo"], 3, "No model is named 'taxo' in the store .* Did you mean 'taxi'?"),
        (["models", "nowhere/taxi"], 3, "There is no model at .*/nowhere/taxi"),
        (["models", "pyproject.toml/x"], 3, "There is no model at"),
        (["models", "taxi", "9"], 3, "taxi has no version 9. Versions: 1"),
        (["models", "taxi", "@champion"], 3, "taxi has no alias 'champion'. It has no aliases"),
        (
            ["models", "taxi", "newest"],
            2,
            "A version is a number, @ALIAS or latest. Received: 'new",
        ),
        (["models", "--history"], 2, "--history needs a model"),
        (["models", "taxi", "--to-mlflow", "http://x"], 2, "--to-mlflow needs a version"),
        (["models", "taxi", "--history", "--prune", "3"], 2, "give one of --history, --prune"),
        (["models", "taxi", "7", "--prune", "3"], 2, "leave out the version"),
        (["models", "taxi", "--dry-run"], 2, "--dry-run goes with --prune"),
        (["promote", "taxi", "9", "--as", "champion"], 3, "has no version 9. Versions: 1"),
        (
            ["promote", "taxi", "x", "--as", "champion"],
            2,
            "A version is a number, @ALIAS or latest",
        ),
        (["promote", "taxi", "9"], 2, "give --as ALIAS, or --remove ALIAS"),
        (["promote", "taxi", "--as", "champion"], 2, "missing: VERSION"),
        (["promote", "taxi", "9", "--remove", "champion"], 2, "--remove takes no version"),
        (["promote", "taxi", "--remove", "champion"], 3, "has no alias 'champion'"),
        (
            ["promote", "taxi", "latest", "--as", "v9"],
            2,
            "not a number, 'latest', or 'v' and a number",
        ),
        (["rollback", "taxi", "--as", "champion"], 3, "has no alias 'champion'. It has no aliases"),
        (["rollback", "taxi"], 2, "missing: --as"),
    ],
)
def test_wrong_use_is_said(project, capsys, words, code, error):
    assert re.search(error, said(capsys, *words, code=code))


def test_a_damaged_version_is_not_promoted(taxi, versions, capsys):
    Path(taxi, str(versions[0]), "variables/variables.index").write_bytes(b"x")
    error = said(capsys, "promote", taxi, str(versions[0]), "--as", "champion", code=2)
    assert "variables.index has 1 bytes. Its manifest says 254" in error


def test_why_says_why_a_model_was_not_pushed(project, capsys):
    shown = said(capsys, "why", "latest", "Pusher")
    assert "not pushed: the model is not blessed\n  - auc 0.4 is below 0.5\n  - slow" in shown
    assert data(capsys, "why", "latest", "Pusher")["not_pushed_because"] == [
        "The model is not blessed",
        "auc 0.4 is below 0.5",
        "slow",
    ]


def test_a_name_in_two_places_is_ambiguous(pushed, tmp_path, monkeypatch, capsys):
    root = tmp_path / "project"
    shutil.copytree(pushed, root, ignore=shutil.ignore_patterns(".penstock", "serving"))
    run(root)
    (root / "pipelines/other.py").write_text(PIPELINE.replace("serving/taxi", "other/taxi"))
    run(root, file="other")
    monkeypatch.chdir(root)
    assert len(data(capsys, "models")) == 2
    error = said(capsys, "models", "taxi", code=3)
    assert f"'taxi' was pushed to 2 places: {root}/other/taxi, {root}/serving/taxi. Give" in error
    assert data(capsys, "models", "./other/taxi")["name"] == "taxi"
    shutil.rmtree(root / "other")
    assert data(capsys, "models", "taxi")["destination"] == f"{root}/serving/taxi"


def test_a_server_takes_names_of_the_registry(taxi, versions, tmp_path, monkeypatch, capsys):
    from penstock.cli.verbs import serve

    monkeypatch.setenv("PENSTOCK_MODELS", os.path.dirname(taxi))
    monkeypatch.chdir(tmp_path)
    said(capsys, "promote", "taxi", str(versions[0]), "--as", "champion")

    def source(place):
        return serve._config(serve.parser().read([f"it={place}"])).models[0]

    champion = source("models:/taxi@champion")
    assert (champion.name, champion.folder, champion.default_label) == ("it", taxi, "champion")
    assert source(f"models:/taxi/{versions[0]}").policy.specific == (versions[0],)
    assert source("models:/taxi/latest") == source(taxi)
    assert "has no alias 'canary'" in said(capsys, "serve", "it=models:/taxi@canary", code=3)
    assert "PENSTOCK_MODELS" in said(capsys, "serve", "it=models:/tip@canary", code=3)


def test_what_a_function_of_its_own_pushed_is_listed(pushed, tmp_path, monkeypatch, capsys):
    root = tmp_path / "project"
    shutil.copytree(pushed, root, ignore=shutil.ignore_patterns(".penstock", "serving"))
    (root / "modules").mkdir()
    (root / "modules/push.py").write_text(
        "def push_fn(push):\n    return f'nowhere://{push.model_name}/{push.version}'\n"
    )
    own = 'push_fn="modules.push.push_fn", model_name="fares"'
    (root / "pipelines/own.py").write_text(PIPELINE.replace('push_destination="serving/taxi"', own))
    run(root, file="own")
    monkeypatch.chdir(root)
    (model,) = data(capsys, "models")
    (version,) = model["versions"]
    assert model["destination"] == ""
    assert version["path"] == f"nowhere://fares/{version['version']}"
    assert version["lineage"]["metrics"] == {"auc": 0.9, "loss": 0.25}
    assert version["path"] in said(capsys, "models")
    assert "pushed by a function of its own" in said(capsys, "models", "fares")
    assert version["path"] in said(capsys, "models", "fares", "latest")
    for words in (["promote", "fares", "latest", "--as", "a"], ["models", "fares", "--prune", "1"]):
        assert "by a function of its own (push_fn)" in said(capsys, *words, code=3)
