from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from penstock import machine
from penstock.cli import main
from penstock.cli.diagnosis import devices, packages
from penstock.cli.diagnosis.packages import check_packages, fits
from penstock.cli.diagnosis.store_health import check_store
from penstock.store import MetadataStore

REQUIREMENTS = [
    "sqlalchemy<2.1,>=2.0.30",
    'tensorflow<2.22,>=2.21; extra == "run"',
    'tfx-bsl (<1.22,>=1.21) ; extra == "run"',
    'kfp<2.17,>=2.16; extra == "kubeflow"',
    'apache-beam[gcp]<2.78,>=2.70; extra == "gcp"',
    'gcsfs>=2024.6; extra == "gcp"',
]
GOOD = {"sqlalchemy": "2.0.58", "tensorflow": "2.21.0", "tfx-bsl": "1.21.0", "kfp": "2.16.1"}


def test_it_says_what_it_saw(project, capsys):
    code = main(["doctor"])
    text = capsys.readouterr().out
    for topic in ("Python", "packages", "byte code", "project", "processors", "memory", "disk",
                  "accelerators", "store"):  # fmt: skip
        assert f" {topic} " in text
    assert str(project) in text
    assert code == (1 if "BAD" in text else 0)


def test_json_has_a_finding_a_topic(project, capsys):
    main(["doctor", "--json"])
    value = json.loads(capsys.readouterr().out)
    assert {"level", "topic", "text", "advice"} == set(value["findings"][0])
    assert value["problems"] == sum(each["level"] == "problem" for each in value["findings"])
    assert all(each["advice"] for each in value["findings"] if each["level"] == "problem")


def levels(**changes: str | None) -> dict[str, tuple[str, str, str]]:
    installed = {name: version for name, version in {**GOOD, **changes}.items() if version}
    return {
        each.topic: (each.level, each.text, each.advice)
        for each in check_packages(REQUIREMENTS, installed)
    }


def test_packages_that_fit():
    found = levels()
    assert found["packages"] == ("good", "sqlalchemy 2.0.58", "")
    assert found["packages [run]"] == ("good", "tensorflow 2.21.0, tfx-bsl 1.21.0", "")
    assert found["packages [gcp]"] == ("good", "not installed (apache-beam, gcsfs)", "")


@pytest.mark.parametrize(
    ("changes", "topic", "expected"),
    [
        ({"sqlalchemy": None}, "packages",
         ("problem", "sqlalchemy missing", "pip install penstock-ml")),
        ({"tensorflow": "2.22.1"}, "packages [run]",
         ("problem", "tensorflow 2.22.1 (expected <2.22,>=2.21)",
          "pip install --upgrade 'penstock-ml[run]'")),
        ({"tfx-bsl": None}, "packages [run]",
         ("problem", "tfx-bsl missing", "pip install 'penstock-ml[run]'")),
        ({"tfx-bsl": None, "tensorflow": None}, "packages [run]",
         ("warning", "not installed (what executes pipelines; tensorflow, tfx-bsl)",
          "pip install 'penstock-ml[run]'")),
        ({"apache-beam": "2.77.0"}, "packages [gcp]",
         ("warning", "gcsfs missing", "pip install 'penstock-ml[gcp]'")),
    ],
)  # fmt: skip
def test_packages_that_do_not(changes, topic, expected):
    assert levels(**changes)[topic] == expected


@pytest.mark.parametrize(
    ("version", "bounds", "expected"),
    [
        ("2.21.0", ">=2.21,<2.22", True),
        ("2.22", "<2.22", False),
        ("2.22.0rc1", "<2.22", False),
        ("10.0", ">=9", True),
        ("1.2.3", "==1.2.*", True),
        ("1.3", "==1.2.*", False),
        ("1.2", "==1.2.0", True),
        ("1.2.5", "!=1.2.5", False),
        ("1.4.9", "~=1.4.2", True),
        ("1.5.0", "~=1.4.2", False),
        ("2026.9.0", ">=2024.6", True),
        ("3", "", True),
    ],
)
def test_bounds(version, bounds, expected):
    assert fits(version, bounds) is expected


@pytest.fixture
def fake_tensorflow(tmp_path, monkeypatch):
    """A package of that name on the import path; it is looked at and never imported."""
    folder = tmp_path / "site/tensorflow/python/framework"
    folder.mkdir(parents=True)
    (tmp_path / "site/tensorflow/__init__.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


@pytest.mark.parametrize("written", [True, False])
def test_byte_code_that_is_missing_and_never_written(fake_tensorflow, monkeypatch, written):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    if written:
        (fake_tensorflow / "__pycache__").mkdir()
        tag = sys.implementation.cache_tag
        (fake_tensorflow / f"__pycache__/ops.{tag}.pyc").touch()
    (found,) = packages.check_byte_code()
    assert found.level == ("good" if written else "warning")
    assert "PYTHONDONTWRITEBYTECODE" in found.text
    assert ("compileall" in found.advice) is not written


def test_byte_code_that_will_be_written(fake_tensorflow, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    (found,) = packages.check_byte_code()
    assert found.level == "good"


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def test_gpus_are_asked_of_nvidia_smi(tmp_path, monkeypatch):
    write_program(tmp_path / "bin/nvidia-smi", "echo 'NVIDIA L4, 23034, 550.54'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (gpu,) = devices.accelerators(dev=str(tmp_path))
    assert gpu == devices.Accelerator("GPU", "NVIDIA L4", 23034 * 2**20, "550.54")


def test_gpus_are_read_from_proc_where_nvidia_smi_fails(tmp_path, monkeypatch):
    write_program(tmp_path / "bin/nvidia-smi", "exit 9")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    folder = tmp_path / "driver/nvidia/gpus/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t\t Tesla T4\nIRQ: 11\n")
    (gpu,) = devices.accelerators(proc=str(tmp_path), dev=str(tmp_path))
    assert gpu == devices.Accelerator("GPU", "Tesla T4")


def test_tpu_chips_are_device_files(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for number in (0, 1):
        (tmp_path / f"accel{number}").touch()
    found = devices.accelerators(proc=str(tmp_path), dev=str(tmp_path))
    assert [(each.kind, each.name) for each in found] == [("TPU", "accel0"), ("TPU", "accel1")]


def test_the_machine_is_measured(tmp_path):
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    total, available = machine.memory() or (0, 0)
    assert total >= available > 0
    free, size = machine.free_space(str(tmp_path / "not/there/yet")) or (0, 0)
    assert size >= free > 0


def test_a_store_that_is_not_there_is_good(tmp_path):
    (found,) = check_store(str(tmp_path / "metadata.db"))
    assert (found.level, "the first run creates it" in found.text) == ("good", True)


def test_a_good_store_tells_its_versions(tmp_path):
    MetadataStore.open(tmp_path / "metadata.db").close()
    (found,) = check_store(str(tmp_path / "metadata.db"))
    assert found.level == "good"
    assert "ML Metadata schema 10" in found.text


def test_a_damaged_store_is_a_problem(tmp_path):
    path = tmp_path / "metadata.db"
    with MetadataStore.open(path) as store:
        store.session.query("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    for page in range(6, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(data)
    problems = [each for each in check_store(str(path)) if each.level == "problem"]
    assert problems
    assert problems[0].advice


def test_a_wrong_project_file_is_a_problem(project, capsys):
    (project / "pyproject.toml").write_text("[tool.penstock]\nstroe = 'x'\n")
    assert main(["doctor", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert any("stroe" in each["text"] for each in findings if each["level"] == "problem")


@pytest.mark.tensorflow
def test_tensorflow_can_be_asked(project, capsys):
    main(["doctor", "--devices", "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    (found,) = [each for each in findings if each["topic"] == "TensorFlow"]
    assert "CPU:0" in found["text"]
