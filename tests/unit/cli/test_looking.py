"""`runs`, `show`, `why`, `logs`, `artifacts`, `graph` and `compile` on runs of the small project."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from penstock.cli import main
from penstock.graph import Graph


def run(*words: str) -> None:
    assert main(["run", "pipelines/words.py", "--in-process", "--progress", "none", *words]) == 0


@pytest.fixture
def two_runs(project, capsys):
    """Two runs: the second one with another parameter."""
    run("--run-id", "a-first")
    run("--run-id", "b-second", "--param", "epochs=5", "--seed", "3")
    capsys.readouterr()
    return project


def read(capsys, *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    return capsys.readouterr().out


def test_runs_are_listed_newest_first(two_runs, capsys):
    lines = read(capsys, "runs").splitlines()
    assert lines[0].split() == ["RUN", "PIPELINE", "STATE", "STARTED", "TIME", "NOTE"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["b-second", "words", "complete"],
        ["a-first", "words", "complete"],
    ]
    assert len(read(capsys, "runs", "--limit", "1").splitlines()) == 2
    assert read(capsys, "runs", "--pipeline", "other") == "no runs of pipeline 'other' yet\n"


def test_runs_as_json(two_runs, capsys):
    first, second = json.loads(read(capsys, "runs", "--json"))
    assert (first["run_id"], second["run_id"]) == ("b-second", "a-first")
    assert first["parameters"] == {"epochs": 5}
    assert first["finished"] >= first["started"]


def test_runs_imports_little(two_runs, imported_modules):
    assert imported_modules("runs") < 600


def test_looking_imports_nothing_heavy(two_runs):
    code = (
        "import sys; from penstock.cli import main;"
        "[main(words) for words in (['runs'], ['show', 'latest'], ['why', 'latest', 'Report'],"
        " ['graph', 'latest'], ['artifacts'], ['gc'], ['check', 'pipelines/words.py'], ['doctor'],"
        " ['compile', 'pipelines/words.py'])];"
        "heavy = {'rich', 'tensorflow', 'apache_beam', 'numpy', 'pyarrow'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_reading_changes_nothing(two_runs, capsys):
    store = two_runs / ".penstock/metadata.db"
    before = store.read_bytes()
    for words in (["runs"], ["show", "latest"], ["artifacts"], ["gc"]):
        read(capsys, *words)
    assert store.read_bytes() == before


def test_show_tells_the_whole_run(two_runs, capsys):
    text = read(capsys, "show", "latest")
    heading = dict(line.split(maxsplit=1) for line in text.split("\n\n")[0].splitlines())
    assert heading["run"] == "b-second"
    assert heading["pipeline"] == "words"
    assert heading["parameters"] == "epochs=5"
    assert heading["seed"] == "3"
    assert heading["code"] == "not in git"
    assert "Python 3." in heading["environment"]
    nodes = {line.split()[0]: line.split() for line in text.split("\n\n")[1].splitlines()}
    assert nodes["CountWords"][1] == "complete"
    assert nodes["sum"]
    assert text.endswith("CountWords  words      15\n")
    assert "CountWords.counts" in text


def test_verdicts_are_shown_everywhere(project, capsys):
    words = project / "components/words.py"
    stated = 'context.report_verdict("too few words: 6", ok=False)'
    words.write_text(
        words.read_text().replace("context.report_metrics", f"{stated}; context.report_metrics")
    )
    run("--run-id", "ran")
    run("--run-id", "reused")
    capsys.readouterr()
    for run_id in ("ran", "reused"):
        assert "too few words: 6" in read(capsys, "show", run_id)
        (node,) = (
            each
            for each in json.loads(read(capsys, "show", run_id, "--json"))["nodes"]
            if each["verdict"]
        )
        assert (node["id"], node["verdict"]) == (
            "CountWords",
            {"ok": False, "text": "too few words: 6"},
        )
        assert "too few words: 6" in read(capsys, "graph", run_id)
        assert "too few words: 6" in read(capsys, "graph", run_id, "--format", "svg")
        assert "too few words: 6" in read(capsys, "graph", run_id, "--format", "mermaid")
    lines = read(capsys, "runs").splitlines()[1:]
    assert all(line.endswith("CountWords: too few words: 6") for line in lines)
    assert json.loads(read(capsys, "runs", "--json"))[0]["verdicts"] == {
        "CountWords": {"ok": False, "text": "too few words: 6"}
    }


def test_deleted_and_missing_artifacts_are_marked(two_runs, capsys):
    import shutil

    from penstock.store import MetadataStore

    with MetadataStore.open(two_runs / ".penstock/metadata.db") as store:
        deleted = store.find_artifacts(type_name="Integer")[0]
        store.mark_deleted([deleted.artifact.id])
    shutil.rmtree(two_runs / ".penstock/words/ReadText")
    lines = read(capsys, "show", "latest").splitlines()
    assert next(line for line in lines if line.startswith("CountWords.counts")).endswith("deleted")
    assert next(line for line in lines if line.startswith("ReadText.text")).endswith("missing")


def test_show_tells_why(two_runs, capsys):
    text = read(capsys, "show", "latest", "--why")
    assert "CountWords: It ran because 2 things changed since execution 2 of run a-first" in text
    assert "  - parameter times changed: 2 -> 5" in text
    assert "  - the seed changed: none -> 3" in text


def test_show_as_json(two_runs, capsys):
    value = json.loads(read(capsys, "show", "b", "--json"))
    assert value["run_id"] == "b-second"
    node = {each["id"]: each for each in value["nodes"]}["CountWords"]
    assert node["state"] == "COMPLETE"
    assert node["metrics"] == {"words": 15.0}
    assert node["usage"]["cpu_seconds"] >= 0
    assert node["usage"]["peak_rss_bytes"] > 2**20
    assert node["outputs"]["counts"][0]["fingerprint"]
    assert [each["name"] for each in node["why"]["differences"]] == ["times", ""]
    sums = value["sums"]
    assert sums["bytes_written"] == sum(each["usage"]["bytes_written"] for each in value["nodes"])
    assert sums["peak_rss_bytes"] == max(each["usage"]["peak_rss_bytes"] for each in value["nodes"])


def test_code_and_its_changes_are_shown(project, capsys):
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], cwd=project, check=True)
    (project / "data/words.txt").write_text("changed\n")
    run()
    capsys.readouterr()
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert f"code        {commit}, with uncommitted changes" in read(capsys, "show", "latest")


@pytest.mark.parametrize(
    "words", [["show", "c"], ["why", "c", "Report"], ["logs", "c", "Report"], ["graph", "c"]]
)
def test_unknown_runs_are_not_found(two_runs, words, capsys):
    assert main(words) == 3
    assert "There is no run 'c'" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["why", "logs"])
def test_unknown_nodes_are_answered_with_the_nearest(two_runs, verb, capsys):
    assert main([verb, "latest", "Reprot"]) == 3
    message = "pipeline 'words' has no node 'Reprot'. Did you mean 'Report'?\n"
    assert capsys.readouterr().err == message


def test_an_empty_store_has_no_latest_run(project, capsys):
    from penstock.store import MetadataStore

    MetadataStore.open(project / ".penstock/metadata.db").close()
    assert main(["show", "latest"]) == 3
    assert "has no runs yet" in capsys.readouterr().err
    assert read(capsys, "runs") == "no runs yet\n"


def test_a_damaged_store_is_told(project, capsys):
    store = project / ".penstock/metadata.db"
    store.parent.mkdir()
    store.write_text("this is no database, and long enough to look like one" * 50)
    assert main(["runs"]) == 4
    assert "is not a SQLite database" in capsys.readouterr().err


def test_why_as_json(two_runs, capsys):
    value = json.loads(read(capsys, "why", "latest", "Report", "--json"))
    assert value["run_id"] == "b-second"
    assert value["compared_run"] == "a-first"
    assert [each["section"] for each in value["differences"]] == ["inputs", "seed"]


def test_logs_print_what_was_logged(two_runs, capsys):
    assert "counted 15 words" in read(capsys, "logs", "latest", "CountWords")
    assert "counted 6 words" in read(capsys, "logs", "a-first", "CountWords")
    path = read(capsys, "logs", "latest", "CountWords", "--path").strip()
    assert path.startswith(str(two_runs))
    assert main(["logs", "latest", "CountWords", "--attempt", "4"]) == 3
    assert "attempt 4 of CountWords did not run" in capsys.readouterr().err


def test_logs_of_a_cached_node_are_those_of_what_it_reuses(two_runs, capsys):
    run("--param", "epochs=5", "--seed", "3")
    capsys.readouterr()
    assert "counted 15 words" in read(capsys, "logs", "latest", "CountWords")


def test_artifacts_are_listed_and_filtered(two_runs, capsys):
    lines = read(capsys, "artifacts", "--type", "Integer").splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [["Integer", "CountWords.counts"]] * 2
    found = json.loads(read(capsys, "artifacts", "--run", "a-first", "--node", "Report", "--json"))
    assert [each["key"] for each in found] == ["report"]
    assert read(capsys, "artifacts", "--type", "Nothing") == "no such artifacts\n"
    assert main(["artifacts", "--node", "Report"]) == 2
    assert "--node needs --pipeline or --run" in capsys.readouterr().err


def test_an_artifact_shows_what_it_was_made_from(two_runs, capsys):
    (last,) = json.loads(read(capsys, "artifacts", "--run", "latest", "--node", "Report", "--json"))
    value = json.loads(read(capsys, "artifacts", str(last["id"]), "--json"))
    assert {each["node_id"] for each in value["made_from"]} == {"ReadText", "CountWords"}
    text = read(capsys, "artifacts", str(last["id"]))
    assert "MADE FROM" in text
    assert last["fingerprint"] in text
    assert main(["artifacts", "999"]) == 3


def test_aliases_are_given_and_taken(two_runs, capsys):
    assert "alias       best" in read(capsys, "artifacts", "2", "--alias", "best")
    assert json.loads(read(capsys, "artifacts", "best", "--json"))["id"] == 2
    assert "[best]" in read(capsys, "artifacts")
    assert main(["artifacts", "2", "--alias", "17"]) == 2
    assert main(["artifacts", "--alias", "x"]) == 2
    capsys.readouterr()
    assert read(capsys, "artifacts", "--remove-alias", "best") == "removed the alias best\n"
    assert main(["artifacts", "best"]) == 3
    assert main(["artifacts", "--remove-alias", "best"]) == 3


def test_graph_of_a_file_and_of_a_run(two_runs, capsys):
    assert read(capsys, "graph", "pipelines/words.py") == (
        "● ReadText\n╰─● CountWords  ← ReadText\n  ╰─● Report    ← CountWords\n"
    )
    lines = read(capsys, "graph", "latest").splitlines()
    assert [line.split()[2] for line in lines[:1]] == ["complete"]
    assert read(capsys, "graph", "latest", "--format", "mermaid").splitlines()[3] == "flowchart TD"
    nodes = json.loads(read(capsys, "graph", "latest", "--format", "json"))["nodes"]
    assert [each["state"] for each in nodes] == ["COMPLETE"] * 3


def test_graph_into_a_file(two_runs, capsys):
    assert main(["graph", "latest", "--format", "svg", "-o", "out/run.svg"]) == 0
    assert capsys.readouterr().err == "wrote out/run.svg\n"
    ET.parse(two_runs / "out/run.svg")


def test_compile_writes_the_graph(two_runs, capsys):
    graph = Graph.from_json(json.loads(read(capsys, "compile", "pipelines/words.py")))
    assert [node.id for node in graph.nodes] == ["ReadText", "CountWords", "Report"]
    assert main(["compile", "pipelines/words.py", "-o", "out/graph.json"]) == 0
    assert Graph.from_json(json.loads((two_runs / "out/graph.json").read_text())) == graph


def test_runs_are_compared(two_runs, capsys, tmp_path):
    page = tmp_path / "comparison.html"
    text = read(capsys, "compare", "a-first", "latest", "-o", str(page))
    lines = [line.split() for line in text.splitlines()]
    assert ["epochs", "2", "5"] in lines
    assert ["CountWords.words", "6", "15"] in lines
    assert "  - parameter times changed: 2 -> 5" in text
    assert "a-first" in page.read_text()
    value = json.loads(read(capsys, "compare", "a-first", "b-second", "--json"))
    assert value["runs"] == ["a-first", "b-second"]
    words = next(row for row in value["rows"] if row["name"] == "CountWords.words")
    assert (words["values"], words["differs"]) == ([6.0, 15.0], True)


def test_a_comparison_needs_two_different_runs(two_runs, capsys):
    assert main(["compare", "a-first"]) == 2
    assert "give two or more runs" in capsys.readouterr().err
    assert main(["compare", "latest", "b-second"]) == 2
    assert "run b-second is given twice" in capsys.readouterr().err


def test_metrics_are_columns_of_runs(two_runs, capsys):
    lines = [line.split() for line in read(capsys, "runs", "--metric", "words").splitlines()]
    assert lines[0][-2:] == ["words", "NOTE"]
    assert [(line[0], line[-1]) for line in lines[1:]] == [("b-second", "15"), ("a-first", "6")]
    least_first = read(capsys, "runs", "--metric", "CountWords.words", "--ascending", "--json")
    assert [each["run_id"] for each in json.loads(least_first)] == ["a-first", "b-second"]
    assert main(["runs", "--metric", "word"]) == 3
    assert "no run here has a metric 'word'. Did you mean 'words'?" in capsys.readouterr().err
    assert main(["runs", "--ascending"]) == 2


def test_small_values_are_shown_with_their_artifacts(two_runs, capsys):
    (line,) = (
        line for line in read(capsys, "show", "latest").splitlines() if "CountWords.counts" in line
    )
    assert line.split()[-1] == "15"
