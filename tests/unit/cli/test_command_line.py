from __future__ import annotations

import subprocess
import sys

import pytest

import penstock
from penstock.cli import exit_codes, main
from penstock.cli.catalogue import VERBS


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", *words], capture_output=True, text=True, check=False
    )


def test_help_lists_every_verb_and_exit_code(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert f"  {name} " in text
        assert verb.summary in text
    for code, meaning in exit_codes.MEANINGS.items():
        assert f"  {code}" in text
        assert meaning in text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb, capsys):
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: penstock {verb}")
    assert f"penstock {verb}" in text[text.index("examples:") :]
    assert max(map(len, text.splitlines())) <= 100
    assert main(["help", verb]) == 0
    assert capsys.readouterr().out == text


def test_no_words_show_the_help_and_fail(capsys):
    assert main([]) == exit_codes.USAGE
    assert "usage: penstock VERB" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"penstock {penstock.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "penstock: unknown verb 'rnu'. Did you mean 'run'? See `penstock --help`."),
        (["qqqq"], "penstock: unknown verb 'qqqq'. See `penstock --help`."),
        (["--versoin"], "penstock: unknown option '--versoin'. Did you mean '--version'? "
                        "See `penstock --help`."),
        (["run"], "penstock run: missing: FILE. See `penstock run --help`."),
        (["run", "x.py", "--pram", "a=1"],
         "penstock run: unknown option '--pram'. Did you mean '--param'? See `penstock run --help`."),
        (["run", "x.py", "--param", "a"],
         "penstock run: argument --param: takes name=value. Received: 'a'. "
         "See `penstock run --help`."),
        (["run", "x.py", "--param", "a=1", "--param", "a=2"],
         "penstock run: --param a is given twice."),
        (["run", "x.py", "--only", "A", "--to", "B"],
         "penstock run: --only does not go with --from or --to."),
        (["run", "x.py", "--max-parallel", "0"],
         "penstock run: argument --max-parallel: takes a whole number of 1 or more. Received: '0'. "
         "See `penstock run --help`."),
        (["runs", "more"], "penstock runs: unexpected argument: 'more'. See `penstock runs --help`."),
        (["gc", "--older-than", "soon"],
         "penstock gc: argument --older-than: a time is a number with s, m, h, d or w, such as 30d. "
         "Received: 'soon'. See `penstock gc --help`."),
        (["graph", "x", "--format", "png"],
         "penstock graph: argument --format: invalid choice: 'png' (choose from 'text', 'mermaid', "
         "'svg', 'json'). See `penstock graph --help`."),
    ],
)  # fmt: skip
def test_bad_usage_is_one_clear_line(words, message, capsys):
    assert main(words) == exit_codes.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    if sys.version_info >= (3, 12):
        captured = captured._replace(err=captured.err.replace("(choose from text,", "(choose from"))
    if "choose from" not in message:
        assert captured.err == message + "\n"
    else:
        assert captured.err.startswith(message[:60])
        assert captured.err.count("\n") == 1


def test_interrupt_has_its_code(monkeypatch, capsys):
    from penstock.cli.verbs import runs

    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run", interrupted)
    assert main(["runs"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_fault_of_its_own_is_not_hidden(monkeypatch, capsys):
    from penstock.cli.verbs import runs

    def broken(arguments):
        raise AttributeError("a fault")

    monkeypatch.setattr(runs, "run", broken)
    assert main(["runs"]) == exit_codes.FAULT
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.endswith("AttributeError: a fault\n")


def test_a_file_that_cannot_be_written_is_one_line(project, capsys):
    assert main(["compile", "pipelines/words.py", "-o", "data/words.txt/graph.json"]) == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from penstock.cli import main; main(['--help']);"
        "heavy = {'sqlalchemy', 'rich', 'tensorflow', 'apache_beam', 'numpy', 'pyarrow',"
        " 'penstock.dsl', 'penstock.store', 'penstock.graph'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_help_imports_little(imported_modules):
    assert imported_modules("--help") < 200


def test_exit_code_of_a_process():
    ended = run("rnu")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Did you mean 'run'?" in ended.stderr


def test_a_reader_that_stops_reading_is_no_error(project):
    assert main(["run", "pipelines/words.py", "--in-process", "--progress", "none"]) == 0
    ended = subprocess.run(
        f"{sys.executable} -m penstock graph pipelines/words.py --format svg | head -1",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stderr == ""
    assert ended.stdout.startswith("<svg")
