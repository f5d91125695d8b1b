"""What an Evaluator decided, on the terminal: `show`, `why` and `open` with a node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.artifacts import Integer, ModelEvaluation
from penstock.cli import main
from penstock.cli.console import Console
from penstock.cli.threshold_table import print_thresholds

PIPELINE = '''
from penstock.artifacts import ModelBlessing, ModelEvaluation
from penstock.dsl import Component, Output, Pipeline, output
from penstock.evaluation import ThresholdCheck, Validation


class Judge(Component):
    """Judges as the Evaluator does."""
    evaluation: Output[ModelEvaluation] = output()
    blessing: Output[ModelBlessing] = output()

    def run(self, context):
        checks = [
            ThresholdCheck("auc", "Overall", 900, True, 0.81, {"lower": 0.7}),
            ThresholdCheck("auc", "carrier=HA", 12, False, 0.61, {"lower": 0.7}),
            ThresholdCheck("loss", "Overall", 900, False, 0.5, {"relative": -0.1}, change=0.02,
                           baseline=0.48, direction="lower is better"),
        ]
        checks += [ThresholdCheck("auc", f"hour={i}", 3, False, 0.5, {"lower": 0.7}) for i in range(40)]
        found = Validation(False, checks)
        with open(f"{self.blessing.uri}/NOT_BLESSED", "w"):
            pass
        self.blessing.custom_properties.update(blessed=0, verdict=found.verdict())
        self.evaluation.custom_properties["verdict"] = found.verdict()
        with open(f"{self.evaluation.uri}/threshold_checks.json", "w") as file:
            file.write("{}")
        context.report_verdict("not blessed", ok=False)


class Other(Component):
    """Does nothing."""

    def run(self, context):
        pass


pipeline = Pipeline("judged", components=[Judge(), Other()])
'''


@pytest.fixture
def judged(project, capsys):
    (project / "pipelines/judged.py").write_text(PIPELINE)
    assert main(["run", "pipelines/judged.py", "--in-process", "--progress", "none"]) == 0
    capsys.readouterr()


def read(capsys, *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    told = capsys.readouterr()
    return told.out or told.err


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_node_shows_each_threshold_with_value_bound_baseline_and_slice(judged, capsys):
    lines = lines_of(read(capsys, "show", "latest", "Judge"))
    assert "Judge THRESHOLD SLICE EXAMPLES VALUE BASELINE CHANGE BOUND" in lines
    first = lines.index("Judge THRESHOLD SLICE EXAMPLES VALUE BASELINE CHANGE BOUND") + 1
    assert lines[first] == "loss Overall 900 0.5 0.48 0.02 change <= -10 % failed"
    assert lines[first + 1] == "auc carrier=HA 12 0.61 >= 0.7 failed"
    assert lines[-1].startswith("(13 more checks: penstock open ")


def test_a_run_shows_those_that_failed(judged, capsys):
    lines = lines_of(read(capsys, "show", "latest"))
    assert "auc carrier=HA 12 0.61 >= 0.7 failed" in lines
    assert lines[-1].startswith("(37 more checks that failed: penstock open ")


def test_why_says_why_it_was_not_blessed(judged, capsys):
    lines = lines_of(read(capsys, "why", "latest", "Judge"))
    assert "not blessed, because" in lines
    assert "- loss 0.5, up by 0.02 from the baseline's 0.48 (must fall by 10% at least)" in lines
    assert "- auc 0.61 below 0.7 in carrier=HA (12 examples)" in lines
    assert lines[-1] == "- and 32 more: penstock open latest Judge"
    verdict = json.loads(read(capsys, "why", "latest", "Judge", "--json"))["verdict"]
    assert (verdict["num_checks"], verdict["num_failed"]) == (43, 42)


def test_open_takes_a_node_of_a_run_and_an_output(judged, capsys):
    words = ("-o", "page.html", "--json")
    blessing = json.loads(read(capsys, "open", "latest", "Judge.blessing", *words))
    assert blessing["type"] == "ModelBlessing"
    assert "Not blessed" in Path("page.html").read_text()
    told = read(capsys, "open", "latest", "Judge", *words, code=4)
    assert "holds no checks" in told  # its main output is the evaluation
    assert "no node 'Juge'. Did you mean 'Judge'?" in read(capsys, "open", "latest", "Juge", code=3)
    assert "has no output 'blesing'. Did you mean 'blessing'?" in read(
        capsys, "open", "latest", "Judge.blesing", code=3
    )


def test_intervals_are_printed_where_there_are_some(capsys, tmp_path):
    evaluation = ModelEvaluation(str(tmp_path), id=5)
    held = {"metric": "auc", "slice": "Overall", "num_examples": 9, "passed": True, "kind": "value",
            "value": 0.81, "bounds": {"lower": 0.7}, "direction": "", "interval": [0.75, 0.87]}  # fmt: skip
    evaluation.custom_properties["verdict"] = {"checks": [held], "num_checks": 1, "num_failed": 0}
    print_thresholds(Console(), "E THRESHOLD", [evaluation], most=3, failed_only=False)
    lines = lines_of(capsys.readouterr().out)
    assert lines[1:] == [
        "E THRESHOLD SLICE EXAMPLES VALUE 95 % INTERVAL BOUND",
        "auc Overall 9 0.81 0.75 to 0.87 >= 0.7 held",
    ]


def test_a_node_without_thresholds_shows_none(capsys, tmp_path):
    print_thresholds(Console(), "N THRESHOLD", [Integer(str(tmp_path))], most=3, failed_only=False)
    assert capsys.readouterr().out == ""
