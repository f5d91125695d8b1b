"""Uploading and running on Kubeflow's stand-in, which runs the pods as processes."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from kubeflow_api import KubeflowApi

from penstock.dsl import ParameterError
from penstock.kubeflow import Kubeflow, PipelinePackage
from penstock.kubeflow.errors import NameTaken, UnknownOnServer
from penstock.runners.result import RunFailed


def _given(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"pipeline_root": str(tmp_path / "root"), **more}


def test_a_pipeline_is_uploaded_once_and_runs(
    kubeflow: Kubeflow,
    api: KubeflowApi,
    package: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = kubeflow.upload(package, "release 1"), kubeflow.upload(package)

    assert (first.new, second.new) == (True, False)
    assert first.version_id == second.version_id
    assert re.fullmatch("words-[0-9a-f]{12}", first.name)
    assert api.versions[first.version_id]["description"] == "release 1"

    run = kubeflow.run(package, parameters=_given(tmp_path, words="flaky"))
    result = kubeflow.wait(run.run_id, progress="plain")

    assert {node.id: node.state for node in result.nodes.values()} == {
        "Read": "COMPLETE",
        "Count": "COMPLETE",
    }
    assert result["Read"].attempts == 2
    told = capsys.readouterr().err
    assert f"run {run.run_id} of words, 2 nodes" in told
    assert "Count complete in" in told
    assert "complete in" in told.splitlines()[-1]
    assert "counted 1" in "".join(kubeflow.logs(run.run_id[:8], "Count"))
    assert "not the first time" in "".join(kubeflow.logs("latest", "Read", attempt=1))
    assert "reading flaky" in "".join(kubeflow.logs("latest", "Read", follow=True))
    with pytest.raises(UnknownOnServer, match=r"has no node 'Cuont'. Did you mean 'Count'\?"):
        list(kubeflow.logs("latest", "Cuont"))
    with pytest.raises(UnknownOnServer, match="Read has no attempt 3: there are 2"):
        list(kubeflow.logs("latest", "Read", attempt=3))


def test_a_failed_node_is_told_with_the_end_of_its_log(
    kubeflow: Kubeflow, package: str, tmp_path: Path
) -> None:
    kubeflow.run(package, parameters=_given(tmp_path, words="bad"), name="mine")

    with pytest.raises(RunFailed, match="these words are bad") as failed:
        kubeflow.wait("mine")

    result = failed.value.result
    assert (result["Read"].state, result["Count"].state) == ("FAILED", "SKIPPED")
    assert result["Read"].error == "main: Error (exit code 1)"
    assert result["Count"].error == "a node before it did not succeed"


def test_a_run_is_made_once_by_its_name(
    kubeflow: Kubeflow, api: KubeflowApi, package: str, tmp_path: Path
) -> None:
    given = _given(tmp_path)
    run = kubeflow.run(package, parameters=given, name="nightly")

    assert kubeflow.run(package, parameters=given, name="nightly").run_id == run.run_id
    assert len(api.runs) == 1
    with pytest.raises(
        NameTaken, match="There is a run 'nightly' already .* with other parameters"
    ):
        kubeflow.run(package, parameters=_given(tmp_path, words="x"), name="nightly")
    with pytest.raises(NameTaken, match="with another version of the pipeline"):
        kubeflow.run(package + "\n", parameters=given, name="nightly")
    kubeflow.wait("nightly")


def test_a_run_is_canceled(kubeflow: Kubeflow, package: str, tmp_path: Path) -> None:
    kubeflow.run(package, parameters=_given(tmp_path, words="wait"), name="waits")
    while "reading" not in "".join(_log(kubeflow)):
        time.sleep(0.05)

    assert kubeflow.status("waits")["Read"].state == "RUNNING"
    assert kubeflow.cancel("waits")
    result = kubeflow.wait("waits", check=False)

    assert result.state == "CANCELED"
    assert result["Count"].state == "SKIPPED"
    assert not kubeflow.cancel("waits")
    assert kubeflow.find("waits").over


def _log(kubeflow: Kubeflow) -> str:
    try:
        return "".join(kubeflow.logs("waits", "Read"))
    except UnknownOnServer:
        return ""


def test_runs_are_found(kubeflow: Kubeflow, package: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownOnServer, match="There is no run on this Kubeflow yet"):
        kubeflow.find("latest")
    run = kubeflow.run(package, parameters=_given(tmp_path), name="first-run")
    kubeflow.wait(run.run_id)

    assert kubeflow.find("latest").run_id == run.run_id
    assert kubeflow.find(run.run_id[:9]).run_id == run.run_id
    assert [each.name for each in kubeflow.runs()] == ["first-run"]
    with pytest.raises(UnknownOnServer, match=r"no run 'first_run' .* Did you mean 'first-run'\?"):
        kubeflow.find("first_run")


def test_parameters_are_checked_before_anything_is_sent(
    kubeflow: Kubeflow, api: KubeflowApi, package: str
) -> None:
    with pytest.raises(ParameterError, match="'pipeline_root' of pipeline 'words' has no default"):
        kubeflow.run(package)
    with pytest.raises(ParameterError, match=r"no parameter 'word'. Did you mean 'words'\?"):
        kubeflow.run(package, parameters={"word": "a"})
    assert api.requests == []


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("NUMBER_INTEGER", "200", 200),
        ("NUMBER_INTEGER", "2e2", 200),
        ("NUMBER_DOUBLE", "0.5", 0.5),
        ("BOOLEAN", "False", False),
        ("STRING", "200", "200"),
        ("LIST", "[1, 2]", [1, 2]),
    ],
)
def test_text_is_read_as_the_parameters_type(kind: str, text: str, value: object) -> None:
    package = PipelinePackage.of_spec(
        {
            "pipelineInfo": {"name": "p"},
            "root": {
                "dag": {"tasks": {}},
                "inputDefinitions": {"parameters": {"x": {"parameterType": kind}}},
            },
        }
    )
    assert package.values({"x": text}) == {"x": value}
    if kind != "STRING":
        with pytest.raises(ParameterError, match=f"'x' is of type {kind}. Received: 'many'"):
            package.values({"x": "many"})


def test_what_is_no_pipeline_is_refused() -> None:
    with pytest.raises(ValueError, match="no pipeline in Kubeflow's IR"):
        PipelinePackage.parse("a: 1")
    with pytest.raises(ValueError, match="this is no YAML"):
        PipelinePackage.parse("a: [1")


def test_kubeflows_own_client_sees_the_same(
    kubeflow: Kubeflow, api: KubeflowApi, package: str, tmp_path: Path
) -> None:
    import kfp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        client = kfp.Client(host=api.url)
    file = tmp_path / "words.yaml"
    file.write_text(package)
    made = client.create_run_from_pipeline_package(
        str(file), arguments=_given(tmp_path), run_name="theirs"
    )
    assert client.wait_for_run_completion(made.run_id, 60, sleep_duration=1).state == "SUCCEEDED"

    assert kubeflow.status("theirs")["Count"].state == "COMPLETE"
    assert client.list_runs(page_size=5).runs[0].display_name == "theirs"


def test_with_several_users_a_namespace_is_asked_for(make_api: Any, package: str) -> None:
    from penstock.kubeflow.errors import NotConfigured

    api = make_api(multi_user=True)
    with pytest.raises(NotConfigured, match="several users: name your namespace with --namespace"):
        Kubeflow.at(api.url).upload(package)
    version = Kubeflow.at(api.url, namespace="ada").upload(package)
    assert api.pipelines[version.pipeline_id]["namespace"] == "ada"
