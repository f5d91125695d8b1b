"""Every standard artifact has a page: complete, escaped, without the network, and saying what it should."""

import base64
import json
import re
import shutil
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from penstock import artifacts
from penstock.artifacts import (
    ABComparison,
    Array,
    Artifact,
    ArtifactState,
    Boolean,
    Bytes,
    ComparisonBlessing,
    ExampleAnomalies,
    Examples,
    ExampleStatistics,
    Explanation,
    Float,
    HyperParameters,
    InferenceResult,
    InfraBlessing,
    Integer,
    JsonValue,
    Model,
    ModelBlessing,
    ModelCard,
    ModelComparison,
    ModelEvaluation,
    ModelRun,
    OptimizationReport,
    PushedModel,
    Schema,
    String,
    Table,
    TransformCache,
    TransformGraph,
    TunerResults,
)
from penstock.cards import (
    ArtifactFacts,
    RelatedArtifact,
    UnreadableArtifact,
    artifact_page,
    collect,
    page_entry,
    run_page,
    tag,
    write_model_card,
)
from penstock.cards.artifact_pages.registry import GENERIC
from penstock.components import DriftMonitor, ExampleDiff
from penstock.components.example_diff import ExampleDiffConfig, PairedExampleSkew
from penstock.io import TFRecordWriter, read_row_counts
from penstock.plots import new_figure, write_pictures
from penstock.testing import run_component
from penstock.training.doctor import Finding, write_findings

from .whole_page import html_of

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
PENGUIN = GOLDEN / "penguin" / "pipeline_root"
EXPLAINED = {"permutation": {"metric": "accuracy", "importances": {"bill_length_mm": 0.21}}}
NASTY = "<script>alert('x')</script>"
FACTS = ArtifactFacts(
    created=1_795_000_000.0,
    pipeline="penguin",
    run_id="20261121-0930",
    node_id="Writer",
    key="output",
    execution_id=7,
    aliases=["production"],
    made_from=[RelatedArtifact(3, "Schema", "SchemaGen")],
    used_for=[RelatedArtifact(9, "ModelCard", "ModelCard")],
)


def text_of(page):
    """Return what a page says, after checking that it is whole and fetches nothing."""
    whole = html_of(page)
    assert NASTY not in whole
    body = re.sub(r"<(style|script)>.*?</\1>", "", whole, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def golden(kind, folder, splits=("train", "eval")):
    artifact = kind(str(PENGUIN / folder), id=5)
    if splits:
        artifact.splits = list(splits)
    return artifact


def write(root, **files):
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(root)


def valued(kind, root, value):
    artifact = kind(str(root / kind.__name__), id=5)
    artifact.value = value
    return artifact


TRIALS = [
    {"trial_id": "1", "score": 0.25, "status": "COMPLETED", "hyperparameters": {"units": 8},
     "metrics": {"val_loss": 0.25}, "message": ""},
    {"trial_id": "0", "score": 0.75, "status": "COMPLETED", "hyperparameters": {"units": 16},
     "metrics": {"val_loss": 0.75}, "message": ""},
    {"trial_id": "2", "score": None, "status": "FAILED", "hyperparameters": {"units": 64},
     "metrics": {}, "message": "Traceback\nValueError: too wide"},
]  # fmt: skip
SPACE = {
    "space": [
        {"class_name": "Int", "config": {"name": "units", "min_value": 8, "max_value": 64, "step": 8,
                                         "default": 16, "sampling": "linear"}},
        {"class_name": "Choice", "config": {"name": "act", "values": ["relu", "elu"]}},
    ],
    "values": {"units": 8, "act": "relu"},
}  # fmt: skip


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    """One artifact of every standard type, with words that its page must have."""
    root = tmp_path_factory.mktemp("standard")
    card = str(root / "card")
    write_model_card(collect(title=f"Penguins {NASTY}", description="Which species?"), card)
    model = root / "model"
    shutil.copytree(GOLDEN / "saved_model", model / "Format-Serving")
    graph = root / "graph"
    shutil.copytree(PENGUIN / "Transform/transform_graph/6", graph)
    assets = "\n".join(f"term{i}" for i in range(30))
    write(graph, transform_fn__assets__words=assets)
    write(graph, transformed_metadata__asset_map={"species": "words"})
    with TFRecordWriter(str(root / "logs" / "prediction_logs-00000-of-00001.gz"), "GZIP") as logs:
        logs.write(b"\xff answered")
    examples = golden(Examples, "CsvExampleGen/examples/1")
    diff = ExampleDiff(
        examples_test=examples,
        examples_base=examples,
        config=ExampleDiffConfig(PairedExampleSkew(["body_mass_g"], skew_sample_size=2)),
        include_split_pairs=[["train", "eval"]],
    )
    compared = run_component(diff, root / "diff")["example_diff_result"]
    statistics = golden(ExampleStatistics, "StatisticsGen/statistics/3")
    monitor = DriftMonitor(statistics=statistics, examples=examples)
    drift = run_component(monitor, root / "drift")["drift"]
    blessed = ModelBlessing(write(root / "bad", NOT_BLESSED=""), id=5)
    blessed.custom_properties = {
        "blessed": 0, "reasons": ["auc 0.61 below 0.7"], "current_model": "/m/7", "current_model_id": 31
    }  # fmt: skip
    dead = Finding("dead-units", "layer 'a'", "It is <dead>.", "Revive it.", 1200)
    write_findings(str(root / "watched"), [dead])
    diagnosed = ModelRun(str(root / "watched"))
    pushed = PushedModel(str(GOLDEN / "saved_model"), id=5)
    pushed.custom_properties = {"pushed": 1, "pushed_version": "17", "pushed_destination": "/srv/m"}
    digest = "ab" * 32
    manifest = {"ab": {"file": "accumulator-0.gz", "analyzer": "Vocabulary[words]"}}
    return [
        (examples, ["not counted", "splits", "train: first 10 rows", "body_mass_g", "tfrecords_gzip"]),
        (statistics, ["rows in train", "rows in eval"]),
        (golden(Schema, "SchemaGen/schema/4", ()), ["culmen_depth_mm", "float", "required"]),
        (golden(ExampleAnomalies, "ExampleValidator/anomalies/5"), ["No anomalies in train, eval"]),
        (drift, ["No drift", "body_mass_g", "stability index"]),
        (
            Explanation(write(root / "explained", **{"explanation.json": EXPLAINED})),
            ["Importance of features", "permutation", "bill_length_mm", "0.21"],
        ),
        (compared, ["train against eval", "differing", "sample pairs", "how rows were joined"]),
        (TransformGraph(str(graph)), ["Features in", "Features out", "species", "and 10 more"]),
        (
            TransformCache(write(root / "cache", **{f"Split-train-{digest}__MANIFEST.json": manifest})),
            ["Split-train (abababababab)", "Vocabulary[words]", "missing"],
        ),
        (
            HyperParameters(write(root / "hp", **{"best_hyperparameters.txt": SPACE})),
            ["units", "8 to 64, by 8", "relu, elu"],
        ),
        (
            TunerResults(write(root / "trials", **{"tuner_results.json": TRIALS})),
            ["best score", "1 best", "ValueError: too wide", "Score by trial", "Score by hyperparameter"],
        ),
        (Model(str(model), id=5), ["serving_default", "age", "required", "city", "optional", "weight"]),
        (
            ModelRun(write(root / "run", **{"history.json": {"loss": [0.5, 0.2], "val_loss": [0.6, 0.3]}})),
            ["epochs", "Learning curves", "0.2"],
        ),
        (diagnosed, ["dead-units", "1,200", "It is &lt;dead&gt;.", "Revive it."]),
        (golden(ModelEvaluation, "Evaluator/evaluation/8", ()), ["Overall", "Metrics by slice"]),
        (blessed, ["Not blessed", "auc 0.61 below 0.7", "penstock open 31"]),
        (
            InfraBlessing(
                write(root / "infra", INFRA_BLESSED=""),
                custom_properties={"requests": 21, "latency_p99_ms": 12.52, "memory_mb": 600},
            ),
            ["Blessed", "21", "12.5 ms", "600.0 MiB"],
        ),
        (ComparisonBlessing(write(root / "beside", COMPARISON_BLESSED="")), ["Blessed"]),
        (valued(ModelComparison, root, COMPARED), ["as much better", "accuracy", "always yes"]),
        (valued(OptimizationReport, root, OPTIMIZED), ["keeps its bounds", "0.3", "12,000", "int8"]),
        (valued(ABComparison, root, VERSIONS), ["Undecided", "about 225", "canary", "95.0%"]),
        (pushed, ["Pushed as version 17", "/srv/m", "serving_default"]),
        (ModelCard(card), ["Which species?", "About this artifact"]),
        (InferenceResult(str(root / "logs")), ["First row", "\\xff answered"]),
        (valued(Integer, root, 12345), ["12345"]),
        (valued(Float, root, 0.5), ["0.5"]),
        (valued(Boolean, root, True), ["True"]),
        (valued(String, root, f"two\n{NASTY}"), ["two", "2 lines"]),
        (valued(Bytes, root, b"ab\x00"), ["61 62 00", "ab."]),
        (valued(JsonValue, root, {"a": [1, {"b": None}]}), ["&quot;a&quot;: [ 1, { &quot;b&quot;: null"]),
        (valued(Table, root, pa.table({"city": ["Oslo"], "trips": [12]})), ["Oslo", "int64"]),
        (valued(Array, root, np.array([[1.5, np.nan]])), ["1 x 2", "float64", "not finite", "NaN"]),
    ]  # fmt: skip


COMPARED = {
    "metrics": [
        {"name": "accuracy", "model": 0.9, "baseline": 0.6, "improvement": 0.3,
         "lower_is_better": False, "margin": 0.2, "ok": True},
    ],
    "baseline": "baseline_fn", "description": "always yes", "label": "kind", "ok": True,
    "rows": {"train": 3, "test": 10},
}  # fmt: skip
NUMBERS = {"file_bytes": 12000, "gzip_bytes": 9000, "one_row_ms": {"median": 0.1, "p99": 0.2},
           "batch_ms": {"median": 0.3, "p99": 0.4}, "metric": 0.9}  # fmt: skip
OPTIMIZED = {
    "technique": "Quantization", "details": {"mode": "int8", "sparsity": {"dense": 0.5}},
    "metric": "accuracy", "rows": 100, "batch_size": 32, "requests": 200,
    "original": NUMBERS, "optimized": NUMBERS, "ok": True,
    "judged": [
        {"name": "size ratio", "value": 0.3, "bound": 0.5, "ok": True},
        {"name": "latency ratio", "value": 0.9, "bound": None, "ok": True},
    ],
}  # fmt: skip
VERSIONS = {
    "metrics": [
        {"name": "accuracy", "candidate": 0.52, "baseline": 0.5, "improvement": 0.02, "lower": -0.01,
         "upper": 0.05, "lower_is_better": False, "margin": 0.0, "outcome": "undecided", "method": "t"},
    ],
    "outcome": "undecided", "reasons": ["about 225 would decide"], "candidate": "canary",
    "baseline": "champion", "label": "kind", "rows": [50, 150], "paired": False, "confidence": 0.95,
}  # fmt: skip


def standard_types():
    found = {getattr(artifacts, name) for name in artifacts.__all__}
    bases = {artifacts.Artifact, artifacts.SplitArtifact, artifacts.ValueArtifact}
    return {each for each in found if isinstance(each, type) and issubclass(each, Artifact)} - bases


def test_pictures_in_an_artifact_are_shown_on_its_page(tmp_path):
    run = tmp_path / "run"
    pictures = {"dots": new_figure(1, 1), "lines": new_figure(1, 1)}
    write_pictures(run / "plots", pictures)
    write_pictures(run / "training_curves", {"training_curves": new_figure(1, 1)})
    for artifact, shown in ((ModelRun(str(run)), 2), (Artifact(str(run)), 3)):
        page = artifact_page(artifact).html
        assert page.count('src="data:image/png;base64,') == shown
        assert "plots/dots.png" in page


def test_every_standard_type_has_a_page_of_its_own(standard):
    assert {type(artifact) for artifact, _ in standard} == standard_types()
    assert all(page_entry(artifact) is not GENERIC for artifact, _ in standard)


def test_pages_say_what_the_artifact_is_and_where_it_comes_from(standard):
    for artifact, words in standard:
        said = text_of(artifact_page(artifact, FACTS))
        missing = [word for word in words if word not in said]
        assert not missing, (type(artifact).__name__, missing, said[:3000])
        for word in (
            artifact.uri,
            "Writer.output, execution 7",
            "20261121-0930",
            "production",
            "penstock open 3",
            "penstock open 9",
        ):
            assert word in said, (type(artifact).__name__, word)


def test_statistics_show_all_splits_side_by_side(standard):
    page = artifact_page(standard[1][0])
    assert page.html.count('class="square d1"') == 1
    assert "differs by" in page.html


def test_of_many_splits_the_first_six_are_shown(tmp_path):
    artifact = ExampleStatistics(str(tmp_path))
    artifact.splits = [f"s{i}" for i in range(8)]
    for split in artifact.splits:
        shutil.copytree(
            PENGUIN / "StatisticsGen/statistics/3/Split-eval", artifact.split_uri(split)
        )
    said = text_of(artifact_page(artifact))
    assert "rows in s5" in said
    assert "rows in s6" not in said
    assert "The first 6 splits are shown, and not s6, s7." in said


def test_anomalies_of_each_split_are_told(tmp_path):
    artifact = ExampleAnomalies(str(tmp_path))
    artifact.splits = ["train", "eval"]
    found = anomalies_pb2.Anomalies()
    info = found.anomaly_info["fare"]
    info.severity = anomalies_pb2.AnomalyInfo.ERROR
    info.reason.add(short_description=NASTY, type=anomalies_pb2.AnomalyInfo.UNKNOWN_TYPE)
    for split, proto in (("train", anomalies_pb2.Anomalies()), ("eval", found)):
        path = tmp_path / f"Split-{split}"
        path.mkdir()
        (path / "SchemaDiff.pb").write_bytes(proto.SerializeToString())
    said = text_of(artifact_page(artifact))
    assert "1 in eval" in said
    assert "What is wrong in eval" in said
    assert "What is wrong in train" not in said


@pytest.mark.parametrize(
    ("splits", "words"), [([], "No split was judged"), (["train_eval"], "No anomalies")]
)
def test_anomalies_of_pairs_of_splits(tmp_path, splits, words):
    artifact = ExampleAnomalies(str(tmp_path))
    artifact.splits = splits
    for pair in splits:
        (tmp_path / f"SplitPair-{pair}").mkdir()
        (tmp_path / f"SplitPair-{pair}" / "SchemaDiff.pb").write_bytes(b"")
    assert words in text_of(artifact_page(artifact))


def test_quarantined_rows_are_shown(tmp_path):
    root = tmp_path / "examples"
    shutil.copytree(PENGUIN / "CsvExampleGen/examples/1", root)
    entry = {"file": "a.csv", "line": 7, "reason": "3 cells, not 4", "raw": "MSwyLDM=", "rows": 1}
    write(root / "quarantine", **{"broken_rows.jsonl": json.dumps(entry) + "\n"})
    artifact = Examples(str(root))
    said = text_of(artifact_page(artifact))  # the splits are those of the folder
    assert "Broken rows that were left out: 1" in said
    assert "3 cells, not 4" in said
    assert "1,2,3" in said
    assert "eval: first 10 rows" in said


class Glossary(Artifact):
    """A type of a user's own, with a page."""

    def page_sections(self):
        return {
            "Terms": [{"term": NASTY, "length": 3}, {"term": "b"}],
            "Notes": "as\nit is",
            "Facts": {"language": "en"},
            "Drawn": tag("b", "bold"),
        }


class Broken(Artifact):
    """A type whose page fails."""

    def page_sections(self):
        raise RuntimeError("no terms")


class Plain(Artifact):
    """A type without a page."""


class Answer(Integer):
    """A value of a user's own."""


def test_a_type_of_ones_own_says_what_its_page_shows(tmp_path):
    page = artifact_page(Glossary(write(tmp_path, **{"terms.txt": "x"})))
    said = text_of(page)
    assert "Terms term length" in said
    assert "language en" in said
    assert "<b>bold</b>" in page.html
    assert "About this artifact" in said


def test_a_page_of_ones_own_that_fails_is_told_above_the_files(tmp_path):
    said = text_of(artifact_page(Broken(write(tmp_path, **{"terms.txt": "alpha"}))))
    assert "Broken.page_sections() raised RuntimeError: no terms" in said
    assert "alpha" in said


def test_any_other_type_shows_properties_files_and_texts(tmp_path):
    (tmp_path / "b.bin").write_bytes(b"\x00\x01")
    artifact = Plain(write(tmp_path, **{"a.txt": NASTY}), custom_properties={"size": 3})
    said = text_of(artifact_page(artifact))
    assert "a.txt" in said
    assert "b.bin" in said
    assert "&lt;script&gt;" in said
    assert "1 property" in said


def test_a_type_that_extends_another_has_its_page(tmp_path):
    answer = Answer(str(tmp_path), state=ArtifactState.LIVE)
    answer.value = 42
    assert page_entry(answer).shows == "the value"
    assert "42" in text_of(artifact_page(answer))


@pytest.mark.parametrize(
    ("artifact", "file", "content"),
    [
        (TunerResults, "tuner_results.json", b"[{"),
        (ModelRun, "history.json", b"{"),
        (ModelRun, "training_doctor.json", b"[]"),
        (Schema, "schema.pbtxt", b"feature {"),
        (ExampleStatistics, "FeatureStats.pb", b"\xff\xff"),
        (ExampleAnomalies, "SchemaDiff.pb", b"\xff\xff"),
        (Table, "table.parquet", b"PAR1"),
        (Array, "array.npy", b"\x93NUM"),
        (Integer, "value", b"many"),
        (JsonValue, "value", b"{"),
        (HyperParameters, "best_hyperparameters.txt", b"{"),
    ],
)
def test_damaged_files_are_named(artifact, file, content, tmp_path):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UnreadableArtifact, match=re.escape(str(tmp_path / file))):
        artifact_page(artifact(str(tmp_path)))


@pytest.mark.parametrize(
    ("artifact", "file"),
    [
        (TunerResults, "tuner_results.json"),
        (Schema, "schema.pbtxt"),
        (ExampleStatistics, "FeatureStats.pb"),
        (Integer, "value"),
        (ModelCard, "model_card.html"),
        (ModelBlessing, "BLESSED"),
    ],
)
def test_missing_files_are_named(artifact, file, tmp_path):
    with pytest.raises(UnreadableArtifact, match=file):
        artifact_page(artifact(str(tmp_path)))


def test_a_model_that_is_no_saved_model_shows_its_files(tmp_path):
    said = text_of(artifact_page(Model(write(tmp_path, **{"weights.txt": "1 2"}))))
    assert "There is no SavedModel" in said
    assert "weights.txt" in said


@pytest.mark.parametrize("cut", [0, 20, 200])
def test_cut_examples_are_named(tmp_path, cut):
    shutil.copytree(PENGUIN / "CsvExampleGen/examples/1", tmp_path / "e")
    (path,) = (tmp_path / "e/Split-eval").iterdir()
    path.write_bytes(path.read_bytes()[:cut])
    write(tmp_path / "e", **{"row_counts.json": {"eval": 100, "train": 234}})
    with pytest.raises(UnreadableArtifact, match="eval"):
        artifact_page(Examples(str(tmp_path / "e")))


def test_a_damaged_saved_model_is_told(tmp_path):
    shutil.copytree(GOLDEN / "saved_model", tmp_path / "Format-Serving")
    (tmp_path / "Format-Serving/variables/variables.index").write_bytes(b"short")
    with pytest.raises(UnreadableArtifact, match=r"variables\.index is damaged"):
        artifact_page(Model(str(tmp_path)))


@pytest.mark.parametrize(
    ("kind", "source", "target", "word"),
    [
        (Model, GOLDEN / "saved_model", "Format-Serving", "weight"),
        (PushedModel, GOLDEN / "saved_model", "", "weight"),
        (ModelEvaluation, PENGUIN / "Evaluator/evaluation/8", "", "Overall"),
        (Schema, PENGUIN / "SchemaGen/schema/4", "", "culmen_depth_mm"),
        (Examples, PENGUIN / "CsvExampleGen/examples/1", "", "eval: first 10 rows"),
    ],
)
def test_artifacts_elsewhere(kind, source, target, word):
    uri = f"memory://pages/{kind.__name__}"
    there = f"/pages/{kind.__name__}/{target}".rstrip("/")
    fsspec.filesystem("memory").put(str(source), there, recursive=True)
    said = text_of(artifact_page(kind(uri)))
    assert word in said
    assert uri in said


def test_what_is_wrong_elsewhere_is_named_as_it_lies_there():
    fsspec.filesystem("memory").pipe("/pages/trials/tuner_results.json", b"[{")
    with pytest.raises(UnreadableArtifact, match=r"memory://pages/trials/tuner_results\.json"):
        artifact_page(TunerResults("memory://pages/trials"))


def test_the_page_of_a_run():
    node = {
        "id": "Trainer",
        "state": "FAILED",
        "attempts": 2,
        "error": f"ValueError: {NASTY}\nmore",
        "usage": {"wall_seconds": 4.2, "cpu_seconds": 1.5, "peak_rss_bytes": 2**30},
        "metrics": {"loss": 0.25},
        "verdict": {"ok": False, "text": "loss too high"},
        "outputs": {"model": [{"type": "Model", "id": 3, "uri": "/r/Trainer/model/1", "state": "DELETED"}]},
        "why": {"differences": [], "reasons": ["it never ran"]},
    }  # fmt: skip
    run = {
        "run_id": "20261121-0930", "pipeline": "taxi", "state": "FAILED", "error": "Trainer failed",
        "nodes": [node], "root": "/r", "parameters": {"epochs": 3}, "started": 1.0, "finished": 9.0,
        "command": "penstock run", "commit": "abc", "dirty": True, "seed": 3, "deterministic": True,
        "project": "/p", "environment_fingerprint": "f00", "labels": {},
        "environment": {"python": "3.11.7", "packages": {"numpy": "1.26"}},
        "sums": {"wall_seconds": 8.0, "cpu_seconds": 1.5, "peak_rss_bytes": 2**30, "bytes_written": 5},
    }  # fmt: skip
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>'
    page = run_page(run, svg)
    said = text_of(page)
    for word in ("Failed", "Trainer failed", "loss too high", "2 attempts; it never ran", "4.2 s",
                 "deleted", "epochs", "abc, with uncommitted changes", "3.11.7", "1 package"):  # fmt: skip
        assert word in said, word
    assert "<svg><rect" in page.html


def test_images_in_rows_are_shown_with_their_labels(tmp_path):
    from penstock.components import NumpyExampleGen
    from penstock.io.images.png import encode_png
    from penstock.testing import run_component

    pixels = np.random.default_rng(0).integers(0, 256, (30, 5, 4), np.uint8)
    np.savez(tmp_path / "a.npz", picture=pixels, label=[f"<{n}>" for n in range(30)])
    component = NumpyExampleGen(input_base=str(tmp_path))
    examples = run_component(component, tmp_path / "out")["examples"]
    page = artifact_page(examples).html
    shown = re.findall(r'src="data:image/png;base64,([^"]+)" alt="([^"]+)"', page)
    assert len(shown) == min(24, read_row_counts(examples.uri)["train"]) > 10
    expected = {
        f"&lt;{n}&gt;": base64.b64encode(encode_png(each)).decode() for n, each in enumerate(pixels)
    }
    assert all(expected[label] == data for data, label in shown)
    assert "picture of the first" in page
