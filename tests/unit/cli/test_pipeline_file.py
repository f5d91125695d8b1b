from __future__ import annotations

import json
import sys

import pytest

from penstock.cli import main
from penstock.cli.errors import NotFound, PipelineFileError
from penstock.cli.pipeline_file import load_pipeline, select_nodes
from penstock.dsl import PipelineError


def write(project, text, name="pipelines/other.py"):
    path = project / name
    path.write_text(text, "utf-8")
    return str(path.relative_to(project))


HEAD = "from penstock.dsl import Pipeline\nfrom components.words import *\n"


def test_the_pipeline_is_what_is_named_so(project):
    file = write(project, HEAD + "a = Pipeline('a', components=[ReadText(source='data')])\n"
                 "pipeline = Pipeline('b', components=[ReadText(source='data')])\n")  # fmt: skip
    assert load_pipeline(file).pipeline.name == "b"


def test_or_the_only_one(project):
    file = write(
        project, HEAD + "mine = Pipeline('a', components=[ReadText(source='data')])\nsame = mine\n"
    )
    loaded = load_pipeline(file)
    assert loaded.pipeline.name == "a"
    assert loaded.project_root == str(project)
    assert loaded.shown == "pipelines/other.py"


def test_or_what_create_pipeline_returns(project):
    file = write(
        project,
        HEAD + "def create_pipeline(name='c', *more, **most):\n"
        "    return Pipeline(name, components=[ReadText(source='data')])\n",
    )
    assert load_pipeline(file).pipeline.name == "c"


def test_classes_are_known_by_their_dotted_names(project):
    graph = load_pipeline("pipelines/words.py").compile()
    assert graph["CountWords"].component == "components.words:CountWords"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "pipelines/other.py defines no pipeline. Write `pipeline = Pipeline(...)` at its "
         "top level, or a function create_pipeline() that returns one."),
        (HEAD + "a = Pipeline('a', components=[ReadText(source='d')])\n"
         "b = Pipeline('b', components=[ReadText(source='d')])\n",
         "pipelines/other.py defines several pipelines: a, b. Name the one to use `pipeline`."),
        ("def create_pipeline(root, name='x'): pass\n",
         "pipelines/other.py: create_pipeline() needs root. Give these defaults, or write "
         "`pipeline = create_pipeline(...)` at the top level."),
        ("def create_pipeline(): return 3\n",
         "pipelines/other.py: create_pipeline() returned int, expected a Pipeline"),
        ("x = (\n", "pipelines/other.py:1: '(' was never closed\n    x = ("),
        (HEAD + "\n\nstep = CountWords(\n    txt=3,\n    times=1,\n)\n",
         "pipelines/other.py:5: CountWords takes no argument 'txt'. Did you mean 'text'?\n"
         "    step = CountWords("),
        (HEAD + "def make(n):\n    return CountWords(text=n)\n\nmake(3)\n",
         "pipelines/other.py:4: CountWords(text=...) takes a channel of String, such as "
         "node.outputs[...]. Received: int 3\n    return CountWords(text=n)"),
        (HEAD + "pipeline = Pipeline('a b', components=[])\n",
         "pipelines/other.py:3: A pipeline's name has 1 to 63 letters, digits, '_', '-' and '.', and "
         "starts with a letter or digit. Received: 'a b'\n    pipeline = Pipeline('a b', components=[])"),
        (HEAD + "pipeline = Pipeline('a', components=[ReadText(source='d').with_policy(retry=1)])\n",
         "pipelines/other.py:3: Policy has no setting 'retry'. Did you mean 'retries'?\n"
         "    pipeline = Pipeline('a', components=[ReadText(source='d').with_policy(retry=1)])"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_the_users_line(project, text, message):
    file = write(project, text)
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(file)
    assert str(caught.value) == message


def test_a_check_of_a_component_is_told_at_the_users_line(project):
    (project / "components/checked.py").write_text(
        "from penstock.dsl import Component\n"
        "class Checked(Component):\n"
        "    count: int = 1\n"
        "    def check(self):\n"
        "        if self.count < 1:\n"
        "            raise ValueError(f'count is at least 1. Received: {self.count}')\n"
    )
    file = write(project, "from components.checked import Checked\nChecked(count=0)\n")
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(file)
    # The component is the user's own, so its traceback is his, without Penstock's frames.
    assert str(caught.value).splitlines()[-1] == "ValueError: count is at least 1. Received: 0"
    assert 'pipelines/other.py", line 2' in str(caught.value)
    assert "src/penstock" not in str(caught.value)


def test_a_standard_components_check_is_told_at_the_users_line(project):
    file = write(
        project,
        "from penstock.components import CsvExampleGen\n"
        "gen = CsvExampleGen(input_base='data', output_file_format='nonsense')\n",
    )
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(file)
    assert str(caught.value).startswith("pipelines/other.py:2: ")
    assert "nonsense" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_an_exception_of_the_file_is_the_users_traceback_alone(project):
    (project / "modules/broken.py").write_text("def f():\n    return {}['x']\n")
    file = write(project, "from modules.broken import f\nf()\n")
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(file)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "KeyError: 'x'"
    frames = [line for line in lines if line.strip().startswith("File ")]
    assert len(frames) == 2
    assert "importlib" not in str(caught.value)


def test_a_missing_package_of_the_extra_is_told_with_it(project, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tfx_bsl", None)
    file = write(project, "import tfx_bsl.coders\n")
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(file)
    assert str(caught.value).endswith("\nIt comes with: pip install 'penstock-ml[run]'")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "from penstock.data_validation import FeatureComparator",
            "FeatureComparator is in penstock.components: from penstock.components import FeatureComparator",
        ),
        ("from penstock.io import Examples", "from penstock.artifacts import Examples"),
        ("from penstock.components import CsvExamplegen", "Did you mean 'CsvExampleGen'?"),
    ],
)
def test_a_name_of_another_package_is_told_with_it(project, line, told):
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(write(project, f"{line}\n"))
    last = str(caught.value).splitlines()[-1]
    assert last.endswith(told)


def test_a_chained_exception_keeps_its_cause(project):
    file = write(
        project,
        "try:\n    int('x')\nexcept ValueError as error:\n"
        "    raise RuntimeError('no number') from error\n",
    )
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(file)
    text = str(caught.value)
    assert "invalid literal" in text
    assert "direct cause" in text
    assert text.endswith("RuntimeError: no number")


def test_what_another_process_cannot_import_is_told(project):
    file = write(
        project,
        HEAD + "from penstock.dsl import component\ndef go():\n    @component\n"
        "    def inner(a: int) -> int:\n        return a\n    return inner(a=1)\n"
        "pipeline = Pipeline('a', components=[go()])\n",
    )
    with pytest.raises(PipelineFileError, match=r"^pipelines/other.py: go.<locals>.inner in "):
        load_pipeline(file).compile()


def test_a_missing_file_is_answered_with_the_nearest(project):
    with pytest.raises(NotFound) as caught:
        load_pipeline("pipelines/wrds.py")
    assert str(caught.value) == (
        "there is no file 'pipelines/wrds.py'. Did you mean 'pipelines/words.py'?"
    )
    with pytest.raises(NotFound, match="pipelines is a folder"):
        load_pipeline("pipelines")


def test_other_kinds_of_file_are_refused(project):
    with pytest.raises(PipelineFileError, match=r"a pipeline is a Python file \(\*.py\)"):
        load_pipeline("data/words.txt")


@pytest.mark.parametrize(
    "name", ["my-words", "01_words", "words.v2", "class", "two words", "a%2Eb"]
)
def test_a_pipeline_file_may_have_any_name(project, name):
    source = HEAD + "pipeline = Pipeline('a', components=[ReadText(source='d')])\n"
    loaded = load_pipeline(write(project, source, f"pipelines/{name}.py"))
    assert loaded.compile().nodes[0].made_at == (loaded.path, source.count("\n"))


def test_nodes_that_no_pipeline_holds_are_named(project, capsys):
    file = write(
        project,
        HEAD + "a, b, c = (ReadText(source='data/words.txt').with_id(each) for each in 'abc')\n"
        "other = Pipeline('other', components=[b])\n"
        "pipeline = Pipeline('a', components=[a])\n",
    )
    assert main(["check", file]) == 0
    message = "c is created here, but is not in the pipeline's components. Add it, or remove it."
    assert f"pipelines/other.py:3: warning: {message}" in capsys.readouterr().out
    assert main(["run", file, "--in-process"]) == 0
    assert capsys.readouterr().err.startswith(f"warning: pipelines/other.py:3: {message}\n")


def test_what_the_file_prints_is_not_in_the_output(project, capsys):
    file = write(
        project,
        HEAD + "print('hello')\npipeline = Pipeline('a', components=[ReadText(source='d')])\n",
    )
    assert main(["compile", file]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["name"] == "a"
    assert captured.err == "hello\n"


def test_parts_of_a_pipeline(project):
    loaded = load_pipeline("pipelines/words.py")

    def names(**chosen):
        return [node.id for node in select_nodes(loaded, chosen)]

    assert names() == ["ReadText", "CountWords", "Report"]
    assert names(only=["Report", "ReadText"]) == ["ReadText", "Report"]
    assert names(**{"from": ["CountWords"]}) == ["CountWords", "Report"]
    assert names(to=["CountWords"]) == ["ReadText", "CountWords"]
    assert names(**{"from": ["CountWords"], "to": ["CountWords"]}) == ["CountWords"]
    with pytest.raises(PipelineError, match="Did you mean 'Report'"):
        names(to=["Reprt"])


def test_a_long_traceback_is_told_in_twenty_lines(project):
    calls = "".join(f"def f{n}():\n    f{n - 1}()\n" for n in range(1, 30))
    (project / "modules/deep.py").write_text("def f0():\n    raise KeyError('deep')\n" + calls)
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(write(project, "from modules.deep import f29\nf29()\n"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 20
    assert "other.py" in lines[1]
    assert lines[5].endswith("lines left out: `python pipelines/other.py` shows them all")
    assert lines[-1] == "KeyError: 'deep'"


@pytest.mark.parametrize(
    "text",
    ["import sys\nsys.exit(0)\n", "def create_pipeline():\n    raise SystemExit('no data')\n"],
)
def test_a_file_that_exits_is_no_pipeline(project, text, capsys):
    file = write(project, text)
    assert main(["run", file]) == 2
    assert f"{file}:2: the file calls exit(" in capsys.readouterr().err
