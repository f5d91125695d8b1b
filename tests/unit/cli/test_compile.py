from __future__ import annotations

import os
import subprocess
import sys

import pytest

from penstock.cli import main


def penstock(*words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-m", "penstock", *words],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


def test_kubeflow_yaml_has_the_image_the_root_and_the_parameters(project):
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("kfp")
    ended = penstock("compile", "pipelines/words.py", "--to", "kubeflow", "--image", "words:1",
                     "--root", "gs://bucket/words", "--param", "epochs=7", "-o", "out/words.yaml")  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.endswith("wrote out/words.yaml: 3 nodes\n")
    spec = next(yaml.safe_load_all((project / "out/words.yaml").read_text()))
    executors = spec["deploymentSpec"]["executors"].values()
    assert {each["container"]["image"] for each in executors} == {"words:1"}
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    assert inputs["epochs"]["defaultValue"] == 7
    assert inputs["pipeline_root"]["defaultValue"] == "gs://bucket/words"


def test_without_kubeflows_sdk_the_extra_is_named(project, tmp_path):
    (tmp_path / "kfp.py").write_text("raise ImportError('there is no kfp')\n")
    ended = penstock("compile", "pipelines/words.py", "--to", "kubeflow", path=str(tmp_path))
    assert ended.returncode == 4
    assert ended.stderr.count("\n") == 1
    assert "pip install 'penstock-ml[kubeflow]'" in ended.stderr


def test_options_of_kubeflow_are_refused_elsewhere(project, capsys):
    assert main(["compile", "pipelines/words.py", "--image", "x", "--param", "epochs=1"]) == 2
    assert capsys.readouterr().err == "penstock compile: --image, --param is for --to kubeflow.\n"


def test_what_kubeflow_cannot_do_is_said_by_check(project, capsys):
    assert main(["check", "pipelines/words.py", "--runner", "kubeflow"]) == 0
    assert "words: pipeline_root: it has none" in capsys.readouterr().out


def test_what_differs_from_an_earlier_file(project, capsys):
    pytest.importorskip("kfp")
    for kind in ("json", "kubeflow"):
        options = ["compile", "pipelines/words.py", "--to", kind]
        assert main([*options, "-o", "old"]) == 0
        capsys.readouterr()
        assert main([*options, "--diff", "old"]) == 0
        assert capsys.readouterr().out == "nothing differs\n"
    assert (
        main([*options, "--param", "epochs=7", "--image", "b:2", "--diff", "old", "-o", "new"]) == 0
    )
    told = capsys.readouterr()
    assert "the default of the runtime parameter epochs changed: " in told.out
    assert 'all nodes: image changed: "penstock:latest" -> "b:2"' in told.out
    assert told.err.endswith("wrote new: 3 nodes\n")
    assert main(["compile", "pipelines/words.py", "--diff", "old"]) == 2
    assert "old is not a graph that `penstock compile` wrote" in capsys.readouterr().err
    assert main([*options, "--diff", "pipelines/words.py"]) == 2
    assert "pipelines/words.py: This is not a pipeline that" in capsys.readouterr().err
    assert main([*options, "--diff", "gone"]) != 0


def test_the_file_s_own_configuration_counts_unless_something_else_is_typed(project, capsys):
    pytest.importorskip("kfp")
    yaml = pytest.importorskip("yaml")
    file = project / "pipelines/words.py"
    more = """
from penstock import PodSettings, SecretKey
from penstock.runners.kubeflow import KubeflowConfig
settings = KubeflowConfig(
    image="own:1", pipeline_root="gs://own/root", pod=PodSettings(priority_class="high")
)
"""
    file.write_text(file.read_text() + more)
    options = ["compile", "pipelines/words.py", "--to", "kubeflow"]
    assert main(["check", "pipelines/words.py", "--runner", "kubeflow"]) == 1
    said = capsys.readouterr().out
    assert "PodSettings.priority_class='high'" in said
    assert "pipeline_root: it has none" not in said
    assert main([*options, "--allow", "priority_class", "--store-secret", "db/url"]) == 0
    first, second = yaml.safe_load_all(capsys.readouterr().out)
    images = [each["container"]["image"] for each in first["deploymentSpec"]["executors"].values()]
    assert set(images) == {"own:1"}
    inputs = first["root"]["inputDefinitions"]["parameters"]
    assert inputs["pipeline_root"]["defaultValue"] == "gs://own/root"
    for pod in second["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        assert pod["secretAsEnv"][0]["secretName"] == "db"
    assert main([*options, "--allow", "priority_class", "--image", "typed:1", "-o", "typed"]) == 0
    assert "image: typed:1" in (project / "typed").read_text()
    assert main([*options, "--store-secret", "db"]) == 2
    assert "SECRET/KEY. Received: 'db'" in capsys.readouterr().err
    (project / "pipelines/two.py").write_text(file.read_text() + "other = KubeflowConfig()\n")
    assert main(["compile", "pipelines/two.py", "--to", "kubeflow"]) == 2
    assert "has several KubeflowConfigs: settings, other. Name the one to use" in (
        capsys.readouterr().err
    )
