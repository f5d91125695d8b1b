"""What Kubeflow's own pages show of a node; its SDK says what its types look like."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

import yaml
from google.protobuf import json_format
from kfp import dsl
from kfp.pipeline_spec import pipeline_spec_pb2

from penstock.artifacts import ModelEvaluation, Schema, Verdict
from penstock.dsl import ExecutionContext, Input, Output, Pipeline, component
from penstock.graph import GraphNode, compile_pipeline
from penstock.launch.launcher import Ended
from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml
from penstock.runners.kubeflow.container.entrypoint import main
from penstock.runners.kubeflow.container.executor_input import OutputSlot
from penstock.runners.kubeflow.container.shown import facts, show, shown_outputs
from penstock.runners.kubeflow.container.task import ContainerTask

GOLDEN = Path(__file__).resolve().parents[4] / "golden"
SCHEMA = GOLDEN / "penguin/pipeline_root/SchemaGen/schema/4/schema.pbtxt"


@component
def infer(schema: Output[Schema], context: ExecutionContext) -> None:
    shutil.copy(SCHEMA, Path(schema.uri, "schema.pbtxt"))
    context.log.warning("inferred")
    context.report_metrics({"features": 5, "worst": float("nan")})
    context.report_verdict("5 features", ok=True)


@component
def judge(evaluation: Output[ModelEvaluation], schema: Input[Schema]) -> None:
    pass


def _nodes() -> dict[str, GraphNode]:
    first = infer()
    graph = compile_pipeline(Pipeline("p", "r", [first, judge(schema=first.outputs["schema"])]))
    return {node.id: node for node in graph.nodes}


def _slots(node: GraphNode, folder: Path) -> dict[str, OutputSlot]:
    return {n: OutputSlot(n, str(folder / n), str(folder / n)) for n in shown_outputs(node)}


def _evaluated(folder: str) -> Ended:
    evaluation = ModelEvaluation(folder)
    return Ended(3, "CACHED", {"evaluation": [evaluation]}, {"auc": 0.9}, Verdict("good", True))


def test_a_task_has_outputs_of_the_types_that_kubeflow_shows() -> None:
    first = infer()
    graph = compile_pipeline(Pipeline("p", "r", [first, judge(schema=first.outputs["schema"])]))
    spec = next(yaml.safe_load_all(compile_to_yaml(graph)))
    types = {
        name: {
            key: each["artifactType"]["schemaTitle"]
            for key, each in component["outputDefinitions"]["artifacts"].items()
        }
        for name, component in spec["components"].items()
    }
    assert types == {
        "comp-infer": {
            "schema": "system.Artifact",
            "node-metrics": "system.Metrics",
            "page-schema": "system.HTML",
        },
        "comp-judge": {
            "evaluation": "system.Artifact",
            "node-metrics": "system.Metrics",
            "classification-metrics": "system.ClassificationMetrics",
            "page-evaluation": "system.HTML",
        },
    }
    without = compile_to_yaml(graph, KubeflowConfig(pages=False))
    assert "system.Metrics" not in without
    assert "system.HTML" not in without


def test_a_container_writes_them_beside_its_references(tmp_path: Path) -> None:
    graph = compile_pipeline(Pipeline("p", "r", [infer()]))
    names = ["schema", *shown_outputs(graph.nodes[0])]
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    message = {
        "inputs": {"parameterValues": {"pipeline-root": str(tmp_path / "root")}},
        "outputs": {
            "artifacts": {
                name: {"artifacts": [{"name": name, "uri": str(tmp_path / name)}]} for name in names
            },
            "outputFile": str(tmp_path / "output.json"),
        },
    }
    task = ContainerTask.of(graph, graph.nodes[0]).to_text()
    given = ["--executor-input", json.dumps(message), "--task", task]
    assert main([*given, "--project-root", str(tmp_path)]) == 0
    output = json_format.Parse(
        (tmp_path / "output.json").read_text(), pipeline_spec_pb2.ExecutorOutput()
    )
    metadata = {
        name: json_format.MessageToDict(each.artifacts[0].metadata)
        for name, each in output.artifacts.items()
    }
    assert metadata["node-metrics"].pop("seconds") >= 0
    assert metadata["node-metrics"] == {"features": 5, "worst": "nan"}
    assert metadata["schema"]["verdict"] == "5 features"
    assert metadata["schema"]["state"] == "COMPLETE"
    assert "inferred" in Path(metadata["schema"]["log"]).read_text()
    assert metadata["schema"]["execution"] in metadata["schema"]["log"]
    assert "culmen_depth_mm" in (tmp_path / "page-schema").read_text()


def test_the_curve_and_the_matrix_are_as_kubeflow_s_own_metrics(tmp_path: Path) -> None:
    judged = _nodes()["judge"]
    found = show(judged, _evaluated(str(GOLDEN / "tfma/jackknife")), 1.5, _slots(judged, tmp_path))
    theirs = dsl.ClassificationMetrics()
    theirs.log_confusion_matrix(
        ["class 0", "class 1", "class 2"], [[74, 4, 7], [51, 11, 23], [6, 2, 62]]
    )
    ours = found["classification-metrics"]
    assert ours["confusionMatrix"] == theirs.metadata["confusionMatrix"]
    theirs.log_roc_curve(fpr=[0.0], tpr=[0.5], threshold=[0.9])
    for point in ours.get("confidenceMetrics", ()):
        assert point.keys() == theirs.metadata["confidenceMetrics"][0].keys()
    assert found["node-metrics"] == {"auc": 0.9, "cached": 1, "seconds": 1.5}
    assert "Thresholds failed" in (tmp_path / "page-evaluation").read_text()


def test_what_cannot_be_shown_is_said_and_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = _nodes()["judge"]
    found = show(judged, _evaluated(str(tmp_path / "gone")), 1.5, _slots(judged, tmp_path))
    assert found["node-metrics"]["auc"] == 0.9
    assert "page-evaluation" not in found
    said = capsys.readouterr().err
    assert "judge: Kubeflow's pages will lack page-evaluation: UnreadableArtifact: " in said


def test_a_node_without_a_log() -> None:
    told = facts(_nodes()["judge"], _evaluated("e"), "/nowhere")
    assert told == {"execution": "3", "state": "CACHED", "verdict": "good"}
