from __future__ import annotations

import json
import subprocess
import sys

import pytest

from penstock.checks.surroundings import check_resources
from penstock.cli import main
from penstock.dsl import Policy
from penstock.graph import GraphNode

STANDARD = """
from penstock.components import CsvExampleGen, SchemaGen, StatisticsGen, Trainer, Transform
from penstock.dsl import Pipeline
from penstock.training import TrainArgs

gen = CsvExampleGen(input_base="data")
statistics = StatisticsGen(examples=gen.outputs["examples"])
schema = SchemaGen(statistics=statistics.outputs["statistics"])
transform = Transform(
    examples=gen.outputs["examples"],
    schema=schema.outputs["schema"],
    module_file="modules/user.py",
)
trainer = Trainer(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    module_file="modules/user.py",
    train_args=TrainArgs(num_steps=1),
)
pipeline = Pipeline("standard", components=[gen, statistics, schema, transform, trainer])
"""

GOOD = "import tensorflow\n\ndef preprocessing_fn(inputs):\n    pass\n\ndef run_fn(fn_args):\n    pass\n"


def check(project, module: str, capsys, code: int = 1) -> list[dict]:
    (project / "pipelines/standard.py").write_text(STANDARD)
    (project / "modules/user.py").write_text(module)
    assert main(["check", "pipelines/standard.py", "--json"]) == code
    return json.loads(capsys.readouterr().out)["findings"]


def test_a_good_pipeline_has_nothing_wrong(project, capsys):
    assert main(["check", "pipelines/words.py"]) == 0
    assert capsys.readouterr().out == (
        "pipeline words: 3 nodes, 1 runtime parameter: nothing wrong\n"
    )


@pytest.mark.parametrize(
    "module",
    [
        GOOD,
        GOOD.replace("(inputs)", "(inputs, custom_config)"),
        GOOD.replace("(inputs)", "(inputs, custom_config=None)"),
        GOOD.replace("(inputs)", "(features, /, *, extra=1)"),
        GOOD.replace("(inputs)", "(*columns)"),
        GOOD.replace("def run_fn(fn_args):\n    pass", "from modules.letters import clean as run_fn"),
        GOOD.replace("def run_fn(fn_args):\n    pass", "run_fn = print"),
        GOOD.replace("def run_fn(fn_args):\n    pass",
                     "try:\n    from x import run_fn\nexcept ImportError:\n"
                     "    def run_fn(fn_args):\n        pass"),
    ],
)  # fmt: skip
def test_functions_that_fit(project, module, capsys):
    assert check(project, module, capsys, code=0) == []


@pytest.mark.parametrize(
    ("module", "place", "message"),
    [
        (GOOD.replace("preprocessing_fn", "preprocesing_fn"), "modules/user.py",
         "Transform needs a function preprocessing_fn(inputs, custom_config=None) in this file. "
         "Did you mean 'preprocesing_fn'?"),
        (GOOD.replace("(inputs)", "()"), "modules/user.py:3",
         "Transform calls preprocessing_fn(inputs, custom_config=None); this one takes 0 arguments"),
        (GOOD.replace("(inputs)", "(inputs, schema)"), "modules/user.py:3",
         "Transform calls preprocessing_fn(inputs, custom_config=None); this one also needs schema"),
        (GOOD.replace("(fn_args)", "(fn_args, *, epochs)"), "modules/user.py:6",
         "Trainer calls run_fn(fn_args); this one also needs epochs"),
        (GOOD.replace("def run_fn(fn_args):", "class run_fn:"), "modules/user.py",
         "Trainer needs a function run_fn(fn_args) in this file."),
    ],
)  # fmt: skip
def test_functions_that_do_not_fit(project, module, place, message, capsys):
    (found,) = check(project, module, capsys)
    assert (found["level"], found["place"], found["message"]) == ("error", place, message)


def test_a_module_file_with_a_syntax_error(project, capsys):
    (found,) = check(project, "def preprocessing_fn(inputs:\n", capsys)
    assert found["place"] == "modules/user.py:1"
    assert found["message"] == (
        "'(' was never closed (Transform, Trainer)\n    def preprocessing_fn(inputs:"
    )


def test_files_that_are_missing_are_told_at_the_nodes_line(project, capsys):
    text = (project / "pipelines/words.py").read_text()
    text = text.replace("modules/counting.py", "modules/countng.py").replace(
        "words.txt", "word.txt"
    )
    (project / "pipelines/words.py").write_text(text)
    assert main(["check", "pipelines/words.py"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"pipelines/words.py:7: error: ReadText(source='data/word.txt'): there is nothing at "
        f"{project}/data/word.txt. Did you mean 'words.txt'?",
        f"pipelines/words.py:8: error: CountWords(module_file='modules/countng.py'): there is no file "
        f"{project}/modules/countng.py. Did you mean 'modules/counting.py'?",
        "pipeline words: 3 nodes, 1 runtime parameter: 2 errors",
    ]


def test_a_runtime_parameter_without_a_value(project, capsys):
    text = (project / "pipelines/words.py").read_text().replace("default=2, ", "")
    (project / "pipelines/words.py").write_text(text)
    assert main(["check", "pipelines/words.py"]) == 0
    assert "run it with --param epochs=VALUE" in capsys.readouterr().out
    assert main(["check", "pipelines/words.py", "--param", "epochs=3"]) == 0
    assert "nothing wrong" in capsys.readouterr().out
    assert main(["check", "pipelines/words.py", "--param", "epochs=x"]) == 1
    assert "'epochs' is an int. Received: 'x'" in capsys.readouterr().out


def test_wiring_errors_end_it_with_their_line(project, capsys):
    text = (project / "pipelines/words.py").read_text().replace("text=read", "txt=read")
    (project / "pipelines/words.py").write_text(text)
    assert main(["check", "pipelines/words.py"]) == 2
    assert capsys.readouterr().err.startswith(
        "pipelines/words.py:8: CountWords takes no argument 'txt'. Did you mean 'text'?"
    )


def node(**resources) -> GraphNode:
    return GraphNode(
        id="Trainer", kind="component", component="x:Trainer", type_name="x", type_annotation=None,
        inputs={}, outputs={}, parameters={}, special={}, upstream=(), policy=Policy(),
        resources=resources, libraries=(), uses_tensorflow=False, uses_seed=True,
        uses_lineage=False, beam_pipeline_args=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("resources", "level", "message"),
    [
        ({}, None, ""),
        ({"cpu": 2, "memory": "4Gi"}, None, ""),
        ({"accelerator": "nvidia-l4"}, None, ""),
        ({"accelerator": "nvidia-l4", "accelerator_count": 0}, None, ""),
        ({"memory": {"$runtime_parameter": "memory"}}, None, ""),
        ({"cpu": 64}, "warning", "Trainer asks for 64 cores; this machine has 4, so it runs on 4."),
        ({"memory": "64Gi"}, "error", "Trainer asks for 64Gi of memory; this machine has 8.0 GiB"),
        ({"accelerator": "nvidia-l4", "accelerator_count": 2}, "error",
         "Trainer asks for 2 nvidia-l4 (GPU); this machine has 1. Run it elsewhere, or take the "
         "accelerator from a RuntimeParameter."),
        ({"accelerator": "tpu-v5e"}, "error",
         "Trainer asks for 1 tpu-v5e (TPU); this machine has 0. Run it elsewhere, or take the "
         "accelerator from a RuntimeParameter."),
    ],
)  # fmt: skip
def test_resources(resources, level, message):
    found = list(
        check_resources(
            node(**resources), "p.py:1", cores=4, memory=8 * 2**30,
            accelerators=["GPU:0"],
        )
    )  # fmt: skip
    assert [(each.level, each.message) for each in found] == ([(level, message)] if level else [])


def test_checking_imports_no_tensorflow(project):
    (project / "pipelines/standard.py").write_text(STANDARD)
    (project / "modules/user.py").write_text(GOOD)
    code = (
        "import sys; from penstock.cli import main;"
        "assert main(['check', 'pipelines/standard.py']) == 0;"
        "heavy = {'tensorflow', 'apache_beam', 'tensorflow_transform', 'keras'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
