import sys
from pathlib import Path

import pytest

from penstock.artifacts import Examples, Integer, Model
from penstock.dsl import (
    Component,
    DefinitionError,
    ParameterError,
    RuntimeParameter,
    WiringError,
    component,
)
from penstock.dsl.references import reference
from penstock.testing import ComponentFailed, run_component

sys.path.insert(0, str(Path(__file__).parent))
from example_components import Gen, Stats, Train, count, sums


def test_the_interface_is_read_from_the_declaration():
    interface = Stats.interface()
    assert list(interface.inputs) == ["examples", "schema"]
    assert [spec.optional for spec in interface.inputs.values()] == [False, True]
    assert list(interface.parameters) == ["rows", "names"]
    assert list(interface.outputs) == ["statistics", "extra"]
    assert [spec.optional for spec in interface.outputs.values()] == [False, True]


def test_wiring_by_channel_by_field_and_by_node():
    gen = Gen(path="data")
    for given in (gen.outputs["examples"], gen.examples, gen):
        stats = Stats(examples=given)
        assert stats.upstream_nodes == [gen]
        assert stats.outputs["statistics"].type.TYPE_NAME == "ExampleStatistics"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Stats(exampels=1), ParameterError, "Stats takes no argument 'exampels'. Did you mean 'examples'?"),
        (lambda: Stats(), WiringError, "Stats needs examples=Examples"),
        (lambda: Gen(), ParameterError, "Gen needs path=str. Nothing was given"),
        (lambda: Gen(path=3), ParameterError, r"Gen\(path=...\) takes str. Received: int 3"),
        (lambda: Gen(path="p", rows=True), ParameterError, "takes int. Received: bool True"),
        (lambda: Gen(path="p", rows=1.5), ParameterError, "takes int. Received: float 1.5"),
        (lambda: Stats(examples="x"), WiringError, "takes a channel of Examples"),
        (lambda: Stats(examples=count(examples=Gen(path="p"))), WiringError, "node count has 0 such outputs"),
        (lambda: Stats(examples=Gen(path="p"), schema=Gen(path="q")), WiringError, "schema"),
        (
            lambda: Stats(examples=Gen(path="p"), schema=Gen(path="q").outputs["examples"]),
            WiringError,
            r"Stats\(schema=...\) takes Schema. Received: Gen.outputs\['examples'\] \(Examples\)",
        ),
        (lambda: Gen(path="p").outputs["exampels"], WiringError, "Did you mean 'examples'?"),
        (lambda: Stats(examples=Gen(path="p"), rows=Gen(path="q").outputs["examples"]), WiringError, "is a parameter"),
        (lambda: Stats(examples=Gen(path="p"), names="abc"), ParameterError, r"takes Sequence\[str\]"),
        (lambda: Stats(examples=Gen(path="p"), names=["a", 1]), ParameterError, "Received: list"),
        (lambda: Stats(examples=Gen(path="p"), rows=13), ValueError, "rows cannot be 13"),
        (lambda: Stats(examples=Gen(path="p"), rows=RuntimeParameter("r", str)), ParameterError, "takes int"),
        (lambda: Stats(examples=[Gen(path="p"), Gen(path="q")]), WiringError, "takes one Examples. Received: 2"),
        (lambda: Gen(path="p").with_id("a b"), ParameterError, "Received: 'a b'"),
        (lambda: Gen(path="p").with_policy(retry=1), ParameterError, "Policy has no setting 'retry'. Did you mean 'retries'?"),
        (lambda: Gen(path="p").with_policy(retries=-1), ParameterError, "cannot be negative"),
        (lambda: Gen(path="p").with_resources(memory="16 GB"), ParameterError, "'512Mi' or '16Gi'"),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused_where_it_stands(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_several_artifacts_for_one_input():
    train = Train(examples=[Gen(path="p"), Gen(path="q")], module_file="m.py")
    assert len(train.inputs["examples"]) == 2


def test_a_channel_of_a_value_stands_for_a_parameter(tmp_path):
    gen = Gen(path="data")
    stats = Stats(examples=gen, rows=count(examples=gen).outputs["result"])
    assert [node.id for node in stats.upstream_nodes] == ["Gen", "count"]
    assert "rows" not in stats.parameters


def test_a_component_runs_on_plain_artifacts(tmp_path):
    outputs = run_component(Gen(path="data", rows=4), tmp_path)
    assert Path(outputs["examples"].uri, "rows").read_text() == "xxxx"
    assert outputs["examples"].uri == f"{tmp_path}/Gen/examples/1"
    assert len(outputs["examples"].fingerprint) == 64


def test_a_function_returns_values_by_name(tmp_path):
    two = Integer(str(tmp_path / "two"))
    two.value = 2
    outputs = run_component(sums(a=two, b=3), tmp_path)
    assert {key: artifact.value for key, artifact in outputs.items()} == {
        "total": 5,
        "mean": 2.5,
        "log": 2,
    }
    assert sums.LIBRARIES == ("numpy",)


@component
def needs_arrow(a: int) -> int:
    raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow.lib")


def test_a_missing_extra_is_named(tmp_path):
    with pytest.raises(ComponentFailed, match=r"'pyarrow'.* pip install 'penstock-ml\[run\]'"):
        run_component(needs_arrow(a=1), tmp_path)


@component
def table(a: int) -> dict:
    return {"result": a, "b": 2}


def test_a_returned_dict_is_a_value_whatever_its_keys(tmp_path):
    assert run_component(table(a=1), tmp_path)["result"].value == {"result": 1, "b": 2}


def test_a_component_that_writes_nothing_is_told_so(tmp_path):
    with pytest.raises(ComponentFailed, match="does not define run"):
        run_component(Train(examples=[Examples("/tmp")], module_file="m.py"), tmp_path)
    with pytest.raises(ComponentFailed, match="without writing its output 'model'"):
        run_component(_Idle(), tmp_path)
    assert not (tmp_path / "_Idle" / "model" / "1").exists()


class _Idle(Train):
    examples: object = None  # type: ignore[assignment]
    module_file: str = ""

    def run(self, context):
        pass


def test_a_function_must_say_its_types():
    with pytest.raises(DefinitionError, match="argument 'b' has no annotation"):

        @component
        def bad(a: int, b):
            pass

        bad(a=1)


def test_a_function_inside_another_cannot_be_sent_to_a_worker(tmp_path):
    @component
    def inner(count: int) -> int:
        return 1

    with pytest.raises(DefinitionError, match="defined inside a function"):
        run_component(inner(count=1), tmp_path)


def test_output_of_another_type_is_refused():
    assert Model.TYPE_NAME == "Model"
    with pytest.raises(WiringError, match="Model"):
        Train(examples=[Model("/tmp")], module_file="x")


@pytest.mark.parametrize(
    "use",
    [
        str, format, bool,
        lambda value: f"data/{value}/x.csv",
        lambda value: f"{value}",
        lambda value: value == "x",
        lambda value: value in (1, 2),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [RuntimeParameter("day", str), Gen(path="p").examples])
def test_what_has_no_value_yet_cannot_be_used_as_one(value, use):
    with pytest.raises(
        ParameterError, match="has no value while the pipeline is defined, so it cannot"
    ):
        use(value)
    assert value is not None
    assert value == value
    assert repr(value)


def function_with(name: str):
    space: dict = {}
    exec(f"def f({name}: int, b: int = 1) -> int:\n    return {name} + b", space)
    function = space["f"]
    function.__module__, function.__qualname__ = __name__, f"with_{name}"
    return component(function)


RESERVED = [
    "id",
    "inputs",
    "outputs",
    "run",
    "check",
    "policy",
    "parameters",
    "interface",
    "_id",
    "self",
]
for _name in RESERVED:
    globals()[f"with_{_name}"] = function_with(_name)


@pytest.mark.parametrize("name", RESERVED)
def test_a_functions_argument_may_have_any_name(name, tmp_path):
    node = globals()[f"with_{name}"](**{name: 4}).with_id("node")
    assert (node.id, node.parameters) == ("node", {name: 4, "b": 1})
    value = Integer(str(tmp_path / "five"))
    value.value = 5
    for given, expected in ((4, 5), (value, 6)):
        made = globals()[f"with_{name}"](**{name: given})
        assert run_component(made, tmp_path)["result"].value == expected


@pytest.mark.parametrize("name", ["id", "run", "outputs", "policy", "with_id"])
def test_a_field_cannot_hide_what_every_component_has(name):
    with pytest.raises(
        DefinitionError, match=f"Bad.{name}: a field cannot be named '{name}'.*'{name}_'"
    ):
        type("Bad", (Train,), {"__annotations__": {name: int}, "__module__": __name__})


def test_arguments_are_given_by_name():
    with pytest.raises(
        ParameterError, match=r"Gen takes its arguments by name, such as Gen\(path=...\)"
    ):
        Gen("data")
    with pytest.raises(
        ParameterError, match="sums takes no argument 'factor'. Expected one of: 'a', 'b'."
    ):
        sums(factor=1, b=2)


def test_check_sees_the_default_of_a_runtime_parameter():
    gen = Gen(path="data")
    Stats(examples=gen, rows=RuntimeParameter("rows", int, default=12))
    Stats(examples=gen, rows=RuntimeParameter("rows", int))
    with pytest.raises(ValueError, match="rows cannot be 13"):
        Stats(examples=gen, rows=RuntimeParameter("rows", int, default=13))


def test_check_sees_a_value_that_another_component_wrote(tmp_path):
    thirteen = Integer(str(tmp_path / "thirteen"))
    thirteen.value = 13
    with pytest.raises(ComponentFailed, match="rows cannot be 13"):
        run_component(Stats(examples=Examples(str(tmp_path)), rows=thirteen), tmp_path)


def test_a_parameter_is_what_it_was_when_the_component_was_made():
    settings = {"trees": 1, "layers": [1]}
    gen = Settings(values=settings)
    settings["trees"] = 2
    settings["layers"].append(2)
    assert gen.parameters == {"values": {"trees": 1, "layers": [1]}}


class Settings(Component):
    values: dict = {}

    def run(self, context):
        raise NotImplementedError


@pytest.mark.parametrize(
    "name", ["a\0b", "a\rb", "a" * 300, "-x", "a,b", "a{{b}}", "$(x)", 5, b"a", None, ".."]
)
def test_names_that_are_none_are_refused(name):
    with pytest.raises(ParameterError, match="A node's name is"):
        Settings().with_id(name)


def _asynchronous():
    async def fetch() -> int:
        return 1

    return fetch


def _generator():
    def rows() -> int:
        yield 1

    return rows


@pytest.mark.parametrize("function", [len, int, _asynchronous(), _generator()])
def test_what_is_no_plain_function_is_refused(function):
    with pytest.raises(DefinitionError):
        component(function)


def test_declarations_that_cannot_work_are_refused():
    def default(n: int = "x") -> int:  # type: ignore[assignment]
        return n

    def bare(model: Integer) -> int:
        return model.value

    def by_position(n: int, /) -> int:
        return n

    for function, said in [
        (default, "default does not fit"),
        (bare, "Input"),
        (by_position, "'/'"),
    ]:
        with pytest.raises(DefinitionError, match=said):
            component(function)()


def double(n: int = 1) -> int:
    return 2 * n


Double = component(double)


def test_a_component_is_found_by_the_name_that_its_file_has_for_it():
    assert reference(Double) == f"{__name__}:Double"
    with pytest.raises(DefinitionError, match="has no name for this component"):
        reference(component(double))


@pytest.mark.parametrize(
    "settings",
    [{"retries": "3"}, {"retries": 1.5}, {"cache": "no"}, {"timeout_seconds": float("nan")}],
)
def test_a_policy_of_another_type_is_refused(settings):
    with pytest.raises(ParameterError, match=f"Policy.{next(iter(settings))} is"):
        Settings().with_policy(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"cpu": True}, {"memory": "0"}, {"memory": "1Gi\n"}, {"topology": 3},
        {"accelerator_count": True}, {"cpu": RuntimeParameter("size", str, default="x")},
    ],
)  # fmt: skip
def test_resources_of_another_type_are_refused(settings):
    with pytest.raises(ParameterError, match=f"Resources.{next(iter(settings))}"):
        Settings().with_resources(**settings)


def test_settings_given_by_position_are_of_their_type():
    for setting in (Settings().with_policy, Settings().with_resources):
        with pytest.raises(ParameterError, match="or its settings by name"):
            setting(4)
    with pytest.raises(ParameterError, match="a list of texts"):
        Settings().with_beam_pipeline_args("--runner=x")
