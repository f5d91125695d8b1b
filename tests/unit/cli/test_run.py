from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from penstock.cli import main
from penstock.store import MetadataStore

QUIET = ("--in-process", "--progress", "none")


def process(project, *words: str, **settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "penstock", *words],
        cwd=project, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings,
    )  # fmt: skip


def test_a_run_says_its_end_and_is_recorded(project, capsys):
    assert main(["run", "pipelines/words.py", *QUIET, "--run-id", "first"]) == 0
    assert capsys.readouterr().out.startswith("run first complete in ")
    with MetadataStore.open(project / ".penstock/metadata.db") as store:
        run = store.get_run("first")
        assert run.state == "COMPLETE"
        assert (
            run.command
            == "penstock run pipelines/words.py --in-process --progress none --run-id first"
        )
        assert run.parameters == {"epochs": 2}


def test_json_is_the_only_output(project, capsys):
    assert main(["run", "pipelines/words.py", "--in-process", "--json", "--param", "epochs=4"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["state"] == "COMPLETE"
    assert value["nodes"]["CountWords"]["metrics"] == {"words": 12.0}
    (artifact,) = value["nodes"]["Report"]["outputs"]["report"]
    assert artifact["uri"].startswith(str(project))


def test_parts_and_the_cache(project, capsys):
    def states(*words):
        assert main(["run", "pipelines/words.py", "--in-process", "--json", *words]) == 0
        nodes = json.loads(capsys.readouterr().out)["nodes"]
        return {id: node["state"] for id, node in nodes.items()}

    assert states("--to", "CountWords") == {"ReadText": "COMPLETE", "CountWords": "COMPLETE"}
    assert states() == {"ReadText": "CACHED", "CountWords": "CACHED", "Report": "COMPLETE"}
    assert states("--only", "Report") == {"Report": "CACHED"}
    assert states("--from", "CountWords", "--no-cache") == {
        "CountWords": "COMPLETE",
        "Report": "COMPLETE",
    }


def test_seed_and_determinism_are_recorded(project):
    words = ["run", "pipelines/words.py", *QUIET, "--seed", "7", "--deterministic", "--run-id", "r"]
    assert main(words) == 0
    with MetadataStore.open(project / ".penstock/metadata.db") as store:
        run = store.get_run("r")
    assert (run.seed, run.deterministic) == (7, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--param", "epoch=3"],
         "Pipeline 'words' has no runtime parameter 'epoch'. Did you mean 'epochs'?\n"),
        (["--param", "epochs=many"], "Runtime parameter 'epochs' is an int. Received: 'many'\n"),
        (["--only", "Reprt"], "Pipeline 'words' has no node 'Reprt'. Did you mean 'Report'?\n"),
    ],
)  # fmt: skip
def test_wrong_arguments_run_nothing(project, words, message, capsys):
    assert main(["run", "pipelines/words.py", *QUIET, *words]) == 2
    assert capsys.readouterr().err == message
    assert not (project / ".penstock").exists()


def test_a_failed_run_tells_the_users_traceback_and_how_to_go_on(project, capsys):
    module = project / "modules/counting.py"
    good = module.read_text()
    module.write_text("def count(text):\n    raise KeyError('boom')\n")
    assert main(["run", "pipelines/words.py", *QUIET, "--run-id", "bad"]) == 1
    error = capsys.readouterr().err
    assert 'modules/counting.py", line 2, in count' in error
    assert "src/penstock" not in error
    assert "CountWords failed: KeyError: 'boom'" in error
    assert "resume it: penstock resume bad\n" in error
    assert "if you changed the pipeline file: penstock run pipelines/words.py" in error
    assert "--run-id" not in error

    module.write_text(good)
    sys.modules.pop("modules.counting", None)
    assert main(["resume", "bad", *QUIET]) == 0
    assert capsys.readouterr().out.startswith("run bad complete in ")
    with MetadataStore.open(project / ".penstock/metadata.db") as store:
        states = [(e.node_id, e.state.name) for e in store.run_executions("bad")]
    assert states == [
        ("ReadText", "COMPLETE"),
        ("CountWords", "FAILED"),
        ("CountWords", "COMPLETE"),
        ("Report", "COMPLETE"),
    ]


def test_there_is_nothing_to_resume_of_a_complete_run(project, capsys):
    assert main(["run", "pipelines/words.py", *QUIET, "--run-id", "done"]) == 0
    capsys.readouterr()
    assert main(["resume", "latest"]) == 0
    assert capsys.readouterr().out == "run done is complete: nothing is missing\n"


def test_resume_from_another_folder_finds_the_project(project, tmp_path, monkeypatch):
    module = project / "modules/counting.py"
    good = module.read_text()
    module.write_text("count = None\n")
    assert main(["run", "pipelines/words.py", *QUIET]) == 1
    module.write_text(good)
    monkeypatch.chdir(tmp_path)
    command = ["resume", "latest", "--store", str(project / ".penstock/metadata.db")]
    ended = subprocess.run(
        [sys.executable, "-m", "penstock", *command], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_resume_of_what_is_not_there(project, capsys):
    assert main(["resume", "nothing"]) == 3
    assert "there is no store at" in capsys.readouterr().err


SLOW = """
import time
from penstock.artifacts import Integer
from penstock.dsl import Component, Output, Pipeline, output

class Quick(Component):
    done: Output[Integer] = output()
    def run(self, context):
        self.done.value = 1

class Slow(Component):
    done: Output[Integer] = output()
    def run(self, context):
        time.sleep(120)

quick, slow = Quick(), Slow()
slow.add_upstream_node(quick)
pipeline = Pipeline("slow", components=[quick, slow])
"""


def wait_until_slow_runs(project) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (project / ".penstock/metadata.db").exists():
            with MetadataStore.open(project / ".penstock/metadata.db", create=True) as store:
                runs = store.list_runs()
                if runs and "Slow" in store.run_states(runs[0].run_id):
                    return
        time.sleep(0.05)
    raise AssertionError("the run did not come to its second node")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_signals_end_a_run_with_their_codes(project, number, code):
    (project / "pipelines/slow.py").write_text(SLOW)
    running = process(project, "run", "pipelines/slow.py", "--run-id", "r")
    wait_until_slow_runs(project)
    running.send_signal(number)
    _, error = running.communicate(timeout=30)
    assert running.returncode == code, error
    assert "penstock resume r" in error
    with MetadataStore.open(project / ".penstock/metadata.db") as store:
        assert store.get_run("r").state == "CANCELED"


def test_stop_ends_a_run(project, capsys):
    (project / "pipelines/slow.py").write_text(SLOW)
    running = process(project, "run", "pipelines/slow.py", "--run-id", "r")
    wait_until_slow_runs(project)
    assert main(["runs"]) == 0
    assert "running" in capsys.readouterr().out
    assert main(["stop", "latest"]) == 0
    assert capsys.readouterr().out == "run r has stopped: CANCELED\n"
    running.communicate(timeout=30)
    assert running.returncode == 130
    assert main(["stop", "r"]) == 0
    assert capsys.readouterr().out == "run r has ended already: CANCELED\n"


def test_a_killed_run_is_shown_as_killed(project, capsys):
    (project / "pipelines/slow.py").write_text(SLOW)
    running = process(project, "run", "pipelines/slow.py", "--run-id", "r", start_new_session=True)
    wait_until_slow_runs(project)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)
    # Its keeper holds the lease until it has ended what the run had started.
    until = time.monotonic() + 20
    text = ""
    while "killed" not in text and time.monotonic() < until:
        assert main(["runs"]) == 0
        text = capsys.readouterr().out
    assert "killed" in text
    assert main(["show", "r"]) == 0
    text = capsys.readouterr().out
    assert "killed" in text
    assert "penstock resume r" in text
    assert main(["stop", "r"]) == 0
    assert "is not running: its process is gone" in capsys.readouterr().out
    assert main(["doctor", "--json"]) in (0, 1)
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert any(each["advice"] == "penstock resume r" for each in findings)
