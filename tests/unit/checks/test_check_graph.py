import time

import pytest

from penstock.artifacts import TransformGraph
from penstock.checks.check_graph import bind_known, check_graph, require
from penstock.checks.finding import CheckFailed, told_once
from penstock.components import CsvExampleGen, Evaluator, ImportExampleGen, ImportSchemaGen, Trainer
from penstock.dsl import (
    Component,
    EmptyFolder,
    Importer,
    LatestBlessedModel,
    Pipeline,
    Resolver,
    RuntimeParameter,
    SecretKey,
    VolumeClaim,
)
from penstock.evaluation import EvalConfig, MetricConfig, MetricsSpec, ModelSpec, SlicingSpec
from penstock.graph import compile_pipeline
from penstock.io.ingestion.config import Input, RangeConfig, RollingRange, Split
from penstock.training import TrainArgs

RUN_FN = "def run_fn(fn_args):\n    pass\n"


class Unfinished(Component):
    """Has no `run` yet."""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/d.csv").write_text("\ufefflabel,carrier,weight\n1,a,2\n", "utf-8")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/01-train.v2.py").write_text(RUN_FN)
    return tmp_path


def findings(root, *nodes, **given):
    graph, found = bind_known(compile_pipeline(Pipeline("p", components=list(nodes))), given)
    return found + check_graph(graph, str(root))


def messages(*arguments, **given):
    return [each.message for each in findings(*arguments, **given)]


def train(gen, **parameters):
    return Trainer(examples=gen, **{"module_file": "modules/01-train.v2.py", **parameters})


@pytest.mark.parametrize(
    ("module_file", "message"),
    [
        ("modules/01-train.v2.py", None),
        ("modules.01-train%2Ev2", None),
        ("~/x.py", "there is no file"),
        ("modules/01-trian.v2.py", "Did you mean 'modules/01-train.v2.py'?"),
        ("modules.01-trian%2Ev2", "has the module 'modules.01-trian%2Ev2'. Did you mean 'modules.01-train%2Ev2'?"),
        ("modules/train", "a path that ends in .py, or a dotted name. Received: 'modules/train'"),
        ("gs://bucket/train.py", "a module file must be inside the project"),
        ("../outside.py", "is not below the project's root"),
        ("json.py", "is imported as 'json', which is a module of Python's standard library"),
    ],
)  # fmt: skip
def test_module_files(root, module_file, message):
    (root.parent / "outside.py").write_text(RUN_FN)
    (root / "json.py").write_text(RUN_FN)
    gen = CsvExampleGen(input_base="data")
    found = messages(root, gen, train(gen, module_file=module_file))
    assert [message in each for each in found] == ([] if message is None else [True])
    for each in found:
        assert each.startswith(f"Trainer(module_file={module_file!r}): ")


def test_a_syntax_error_in_a_module_is_told_at_once(root):
    (root / "modules/01-train.v2.py").write_text("import tensorflow\n\ndef run_fn(fn_args:\n")
    gen = CsvExampleGen(input_base="data")
    began = time.process_time()
    again = train(gen).with_id("again")
    found = findings(root, gen, train(gen), again)
    assert time.process_time() - began < 0.5
    (found,) = told_once(found)
    assert found.place.endswith("modules/01-train.v2.py:3")
    assert found.message == "'(' was never closed (Trainer, again)\n    def run_fn(fn_args:"


@pytest.mark.parametrize(
    ("code", "line", "level", "message"),
    [
        ("import modules.more", 1, None, ""),
        ("import modules, os.path, yaml_of_nowhere.x", 1, "warning",
         "imports 'yaml_of_nowhere', which is not installed here (Trainer)"),
        ("\nimport modules.mor", 2, "error",
         "imports 'modules.mor', which the project does not have. Did you mean 'modules.more'? (Trainer)"),
        ("from . import more", 1, None, ""),
        ("from .mor import x", 1, "error",
         "imports 'modules.mor', which the project does not have. Did you mean 'modules.more'? (Trainer)"),
        ("try:\n    import modules.mor\nexcept ImportError:\n    pass", 1, None, ""),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import modules.mor", 1, None, ""),
        ("def f():\n    from modules import broken", 2, "error", "expected ':' (Trainer)\n    while True"),
        ("from modules.more import later", 2, "error", "expected ':' (Trainer)\n    while True"),
    ],
)  # fmt: skip
def test_what_a_module_imports(root, code, line, level, message):
    (root / "modules/01-train.v2.py").write_text(f"{code}\n{RUN_FN}")
    (root / "modules/more.py").write_text("def later():\n    import modules.more, modules.broken\n")
    broken = "x = 1\nwhile True\n    pass\n" if "while" in message else ""
    (root / "modules/broken.py").write_text(broken)
    gen = CsvExampleGen(input_base="data")
    found = told_once(findings(root, gen, train(gen)))
    assert [(each.level, each.message) for each in found] == (
        [] if level is None else [(level, message)]
    )
    for each in found:
        assert each.place.endswith(f".py:{line}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("modules.more.run", None),
        ("modules.mor.run", "Did you mean 'modules.more'?"),
        ("modules.more.rum", "Trainer(run_fn=...) needs a function rum in this file. Did you mean 'run'?"),
    ],
)  # fmt: skip
def test_functions_that_are_named(root, name, message):
    (root / "modules/more.py").write_text("def run(fn_args):\n    pass\n")
    gen = CsvExampleGen(input_base="data")
    found = messages(root, gen, train(gen, module_file=None, run_fn=name))
    assert [message in each for each in found] == ([] if message is None else [True])


def test_a_runtime_parameter_is_checked_with_its_value(root):
    gen = CsvExampleGen(input_base="data")
    trainer = train(gen, distribution=RuntimeParameter("distribution", str, default="none"))
    assert messages(root, gen, trainer, distribution="mirrored") == []
    (found,) = messages(root, gen, trainer, distribution="mirored")
    assert found.startswith("Trainer: distribution must be one of")
    assert found.endswith("Received: 'mirored'. Did you mean 'mirrored'?")
    file = RuntimeParameter("file", str)
    assert messages(root, gen, train(gen, module_file=file)) == [
        "runtime parameter 'file' has no default: run it with --param file=VALUE"
    ]
    assert "there is no file" in messages(root, gen, train(gen, module_file=file), file="x.py")[0]
    assert "no runtime parameter 'fiel'. Did you mean 'file'?" in "".join(
        messages(root, gen, train(gen, module_file=file), fiel="x.py")
    )


def test_a_named_function_may_be_a_runtime_parameter(root):
    gen = CsvExampleGen(input_base="data")
    trainer = train(
        gen, module_file=None, run_fn=RuntimeParameter("fn", str, default="modules.a.run")
    )
    graph = compile_pipeline(Pipeline("p", components=[gen, trainer]))
    assert graph.bind({})["Trainer"].parameters["run_fn"] == {"$name": "modules.a:run"}


def test_a_field_of_a_dataclass_is_checked_with_its_value(root):
    gen = CsvExampleGen(
        input_base="data",
        range_config=RangeConfig(rolling_range=RollingRange(RuntimeParameter("spans", int, 1))),
    )
    trainer = train(gen, train_args=TrainArgs(num_steps=RuntimeParameter("steps", int)))
    assert "steps" in messages(root, gen, trainer, spans=1)[0]
    assert "Trainer: TrainArgs.num_steps must not be negative. Received: -1" in messages(
        root, gen, trainer, steps=-1
    )
    assert "CsvExampleGen: num_spans must be 1 or more. Received: num_spans=0" in messages(
        root, gen, trainer, steps=1, spans=0
    )


def evaluator(gen, trainer, schema=None, **model):
    config = EvalConfig(
        model_specs=[ModelSpec(**{"label_key": "label", **model})],
        slicing_specs=[SlicingSpec(), SlicingSpec(feature_keys=["carier"])],
        metrics_specs=[MetricsSpec(metrics=[MetricConfig(class_name="ExampleCount")])],
    )
    return Evaluator(
        examples=gen, model=trainer.outputs["model"], eval_config=config, schema=schema
    )


def test_columns_of_an_eval_config_are_looked_up_in_the_header(root):
    gen = CsvExampleGen(input_base="data")
    trainer = train(gen)
    evaluated = evaluator(gen, trainer, example_weight_key="quantity")
    weight, slicing = findings(root, gen, trainer, evaluated)
    assert weight.message == (
        "Evaluator: model_specs[0].example_weight_key: the example weight 'quantity' is not a feature of the "
        "examples. Features: carrier, label, weight"
    )
    assert "'carier' is not a feature of the examples. Did you mean 'carrier'?" in slicing.message
    assert (weight.level, slicing.level) == ("error", "error")


def test_the_id_of_the_worst_rows_is_a_column(root):
    gen = CsvExampleGen(input_base="data")
    trainer = train(gen)
    config = {
        "model_specs": [{"label_key": "label"}],
        "metrics_specs": [{"metrics": [{"class_name": "AUC"}]}],
    }
    asked = {"examples": gen, "model": trainer.outputs["model"], "eval_config": config}
    evaluated = Evaluator(**asked, worst_rows=5, id_key="carier")
    assert messages(root, gen, trainer, evaluated) == [
        "Evaluator: id_key='carier' is not a feature of the examples. Did you mean 'carrier'? "
        "Features: carrier, label, weight"
    ]
    assert messages(root, gen, trainer, Evaluator(**asked, worst_rows=5, id_key="carrier")) == []


def test_with_a_transform_a_column_may_be_a_new_one(root):
    gen = CsvExampleGen(input_base="data")
    importer = Importer("data", TransformGraph)
    trainer = train(gen, transform_graph=importer.outputs["result"])
    evaluated = evaluator(gen, trainer, label_key="label_xf", example_weight_key="quantity")
    (slicing,) = findings(root, gen, importer, trainer, evaluated)
    assert "'carier'" in slicing.message
    assert slicing.level == "warning"


def test_a_transformed_feature_may_have_another_spelling_than_its_column(root):
    (root / "data" / "d.csv").write_text("net pay,carier\n1,a\n")
    gen = CsvExampleGen(input_base="data")
    importer = Importer("data", TransformGraph)
    trainer = train(gen, transform_graph=importer.outputs["result"])
    evaluated = evaluator(gen, trainer, label_key="net_pay_xf", example_weight_key="")
    assert messages(root, gen, importer, trainer, evaluated) == []


def test_columns_are_looked_up_in_a_schema_file(root):
    (root / "schema.pbtxt").write_text("feature { name: 'label' }\nfeature { name: 'carrier' }\n")
    gen, schema = ImportExampleGen(input_base="data"), ImportSchemaGen(schema_file="schema.pbtxt")
    trainer = train(gen)
    evaluated = evaluator(gen, trainer, schema=schema)
    (slicing,) = messages(root, gen, schema, trainer, evaluated)
    assert "'carier' is not a feature of the examples. Did you mean 'carrier'?" in slicing


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("*.csv", None),
        ("span-{SPAN}/*", "d.csv"),
        ("trian/*", "data/trian does not exist"),
        ("{SPAN", "{SPAN"),
    ],
)
def test_patterns_of_files(root, pattern, message):
    parameter = RuntimeParameter("pattern", str)
    gen = CsvExampleGen(input_base="data", input_config=Input([Split("all", parameter)]))
    assert len(messages(root, gen)) == 1  # It has no value yet.
    found = findings(root, gen, pattern=pattern)
    assert [message in each.message for each in found] == ([] if message is None else [True])
    for each in found:
        assert each.message.startswith("CsvExampleGen: ")
    gen.add_upstream_node(first := CsvExampleGen(input_base="data").with_id("first"))
    assert {each.level for each in findings(root, first, gen, pattern=pattern)} <= {"warning"}


def test_all_errors_are_raised_as_one(root):
    gen = CsvExampleGen(input_base="dta")
    graph = compile_pipeline(Pipeline("p", components=[gen, train(gen, module_file="x.py")]))
    with pytest.raises(CheckFailed) as caught:
        require(graph, check_graph(graph, str(root)))
    first, second, last = str(caught.value).splitlines()
    assert "CsvExampleGen(input_base='dta'): there is nothing at" in first
    assert first.endswith("Did you mean 'data'?")
    assert "Trainer(module_file='x.py'): there is no file" in second
    assert last == "Pipeline 'p' was not run: 2 errors."


def test_a_baseline_that_a_repeated_run_would_compare_with_itself(root):
    gen = CsvExampleGen(input_base="data")
    trainer = train(gen)

    def judged(baseline):
        config = EvalConfig(
            model_specs=[ModelSpec(label_key="label")],
            metrics_specs=[MetricsSpec(metrics=[MetricConfig(class_name="ExampleCount")])],
        )
        evaluator = Evaluator(
            examples=gen,
            model=trainer,
            baseline_model=baseline.outputs["model"],
            eval_config=config,
        )
        found = findings(root, gen, trainer, baseline, evaluator)
        return [each.message for each in found if each.level == "warning"]

    (message,) = judged(Resolver(LatestBlessedModel()).with_id("baseline"))
    assert message == (
        "baseline finds the newest Model, so a repeated run compares what it makes with itself. "
        "Write Resolver(..., other_than=Trainer.outputs['model'])."
    )
    assert judged(Resolver(LatestBlessedModel(), other_than=trainer.outputs["model"])) == []


def test_a_component_without_run_is_told_before_anything_runs(root):
    (found,) = findings(root, Unfinished())
    assert found.message == "Unfinished: the class Unfinished does not define run(self, context)"
    assert found.place.partition(":")[0].endswith("test_check_graph.py")


def test_a_distribution_is_checked_with_the_resources_of_its_node(root):
    gen = CsvExampleGen(input_base="data").outputs["examples"]
    kind = RuntimeParameter("kind", str, "none", "how it is distributed")
    count = RuntimeParameter("count", int, 2, "how many processes")
    trainer = train(gen, distribution=kind, train_args=TrainArgs(batch_size=9))
    trainer.with_resources(replicas=count)
    (told,) = messages(root, gen.producer, trainer)
    assert told.startswith(
        "Trainer: distribution='none' runs in one process. Several processes take"
    )
    assert messages(root, gen.producer, trainer, count=1) == []
    (told,) = messages(root, gen.producer, trainer, kind="multi_worker", count=1)
    assert "needs two or more processes" in told
    (told,) = messages(root, gen.producer, trainer, kind="multi_worker")
    assert "batch_size=9 for 2 replicas. Use 8 or 10." in told
    assert messages(root, gen.producer, trainer, kind="multi_worker", count=3) == []

    one = CsvExampleGen(input_base="data").with_resources(replicas=2)
    assert messages(root, one) == [
        "CsvExampleGen: CsvExampleGen runs in one process. Received: Resources(replicas=2)"
    ]


def test_what_a_pod_has_and_this_machine_lacks(root, monkeypatch):
    monkeypatch.setenv("HAS", "x")
    monkeypatch.delenv("TOKEN", raising=False)
    gen = CsvExampleGen(input_base="data").with_pod(
        node_selector={"pool": "gpu"},
        environment={
            "HAS": "x",
            "LEVEL": "debug",
            "TOKEN": SecretKey("hub", "token"),
            "MAYBE": SecretKey("hub", "maybe", optional=True),
        },
        mounts={str(root): EmptyFolder(), "/not/here": VolumeClaim("data")},
    )
    graph = compile_pipeline(Pipeline("p", components=[gen]))
    found = check_graph(graph, str(root), accelerators=[])
    assert [each.level for each in found] == ["warning"] * 3
    level, token, mount = (each.message for each in found)
    assert "gives LEVEL='debug' on a cluster; here the variable is not set" in level
    assert "gets TOKEN from the secret 'hub' on a cluster; here the variable is not set" in token
    assert "VolumeClaim is mounted at /not/here on a cluster; there is no such folder here" in mount
    assert messages(root, gen) == []
