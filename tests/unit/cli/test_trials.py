"""`show` with the trials of a search."""

import pytest

from penstock.artifacts import TunerResults
from penstock.cli import main
from penstock.cli.console import Console
from penstock.cli.trial_table import print_trials

SEARCHING = """
from penstock.artifacts import TunerResults
from penstock.dsl import Component, Output, Pipeline, output
from penstock.tuning import write_results


class Search(Component):
    \"\"\"Writes the trials of a search.\"\"\"
    trials: Output[TunerResults] = output()

    def run(self, context):
        ended = [
            {"trial_id": str(i), "status": "COMPLETED", "score": i / 8, "seconds": 1.5,
             "hyperparameters": {"units": 8 + i, "rate": 0.000125, "tuner/epochs": 2}}
            for i in range(4)
        ]
        pruned = {"trial_id": "4", "status": "PRUNED", "score": None, "hyperparameters": {"units": 9}}
        failed = {"trial_id": "5", "status": "FAILED", "score": None, "message": "ValueError: too wide"}
        write_results([*ended, pruned, failed], self.trials.uri)


class Other(Component):
    \"\"\"Is there, too.\"\"\"

    def run(self, context):
        pass


pipeline = Pipeline("searching", components=[Search(), Other()])
"""


@pytest.fixture
def searched(project, capsys):
    (project / "pipelines/searching.py").write_text(SEARCHING)
    words = ["run", "pipelines/searching.py", "--in-process", "--progress", "none"]
    assert main(words) == 0
    capsys.readouterr()
    return project


def shown(capsys, *words):
    assert main(["show", "latest", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.split() for line in lines[lines.index("") :]]


def test_the_best_trials_are_shown_with_the_run_and_all_with_the_node(searched, capsys):
    lines = shown(capsys)
    head = lines.index(["Search", "TRIAL", "SCORE", "rate", "units", "TIME"])
    assert lines[head + 1 :] == [
        ["0", "0", "0.000125", "8", "1.5", "s", "best"],
        ["1", "0.125", "0.000125", "9", "1.5", "s"],
        ["2", "0.25", "0.000125", "10", "1.5", "s"],
        ["(3", "more", "trials:", "penstock", "open", "1)"],
    ]
    whole = shown(capsys, "Search")
    assert whole[-2:] == [["4", "-", "-", "9", "-", "pruned"], ["5", "-", "-", "-", "-", "failed"]]


def test_results_that_cannot_be_read_are_left_to_open(searched, tmp_path, capsys):
    (tmp_path / "tuner_results.json").write_text("[{")
    print_trials(Console(), "Search TRIAL", TunerResults(str(tmp_path)), most=3)
    print_trials(Console(), "Search TRIAL", TunerResults(str(tmp_path / "gone")), most=3)
    assert capsys.readouterr().out == ""
