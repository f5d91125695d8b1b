import json
import sys
from pathlib import Path

import pytest

from penstock.dsl import LatestBlessedModel, ParameterError, Pipeline, Resolver, RuntimeParameter
from penstock.dsl.exceptions import PipelineError
from penstock.graph import Graph, compile_pipeline

sys.path.insert(0, str(Path(__file__).parents[1] / "dsl"))
from example_components import Gen, Stats, Train, sums


def make(rows=2, **settings):
    gen = Gen(path="data", rows=rows).with_resources(
        accelerator=RuntimeParameter("accelerator", str, default="nvidia-l4"), cpu=2
    )
    stats = Stats(examples=gen, rows=RuntimeParameter("n", int, default=3)).with_policy(retries=2)
    blessed = Resolver(LatestBlessedModel()).with_id("blessed")
    train = Train(examples=[gen], module_file="m.py")
    train.add_upstream_node(blessed)
    return Pipeline("p", components=[gen, stats, blessed, train], **settings)


def test_a_graph_survives_json():
    graph = compile_pipeline(make(pipeline_root="root", beam_pipeline_args=["--x=1"]))
    copy = Graph.from_json(json.loads(json.dumps(graph.to_json())))
    assert copy == graph
    assert copy.digest == graph.digest
    assert copy["Train"].upstream == ("Gen", "blessed")
    assert copy["Gen"].special == {"path": "external_path"}
    assert copy["Stats"].policy.retries == 2
    assert copy["Stats"].beam_pipeline_args == ("--x=1",)


def test_equal_pipelines_have_equal_digests():
    assert compile_pipeline(make()).digest == compile_pipeline(make()).digest
    assert compile_pipeline(make()).digest != compile_pipeline(make(rows=3)).digest


def test_runtime_parameters_are_bound():
    graph = compile_pipeline(make())
    assert sorted(graph.parameters) == ["accelerator", "n"]
    bound = graph.bind({"n": "7"})
    assert bound["Stats"].parameters["rows"] == 7
    assert bound["Gen"].bound_resources.accelerator == "nvidia-l4"
    assert graph.bind({"accelerator": "tpu-v5e"})["Gen"].bound_resources.is_tpu


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"m": 1}, "no runtime parameter 'm'"),
        ({"n": 13}, "^Stats: rows cannot be 13$"),
        ({"acelerator": "x"}, "Did you mean 'accelerator'?"),
        ({"n": "x"}, "'n' is an int. Received: 'x'"),
    ],
)
def test_wrong_values_are_named(given, message):
    with pytest.raises(ParameterError, match=message):
        compile_pipeline(make()).bind(given)


def test_a_parameter_without_default_must_be_given():
    graph = compile_pipeline(
        Pipeline("p", components=[Gen(path="d", rows=RuntimeParameter("n", int))])
    )
    with pytest.raises(ParameterError, match="Set it with --param n=VALUE"):
        graph.bind({})


def test_two_parameters_of_one_name_must_agree():
    first = Gen(path="d", rows=RuntimeParameter("n", int, 1)).with_id("a")
    second = Gen(path="d", rows=RuntimeParameter("n", int, 2)).with_id("b")
    with pytest.raises(PipelineError, match="Two runtime parameters are named 'n'"):
        compile_pipeline(Pipeline("p", components=[first, second]))


def test_a_newer_format_is_refused():
    value = compile_pipeline(make()).to_json() | {"format": 99}
    with pytest.raises(ValueError, match="format 99; this Penstock reads 1"):
        Graph.from_json(value)


def test_functions_have_outputs_for_what_they_return():
    node = compile_pipeline(Pipeline("p", components=[sums(a=1, b=2)])).nodes[0]
    assert sorted(node.outputs) == ["log", "mean", "total"]
    assert node.libraries == ("numpy",)
    assert not node.uses_seed


def test_a_part_takes_parameters_of_the_whole_pipeline():
    pipeline = make()
    part = compile_pipeline(pipeline.only("Stats"))
    assert (sorted(part.parameters), sorted(part.left_out)) == (["n"], ["accelerator"])
    assert part.bind({"n": 4, "accelerator": "tpu-v5e"})["Stats"].parameters["rows"] == 4
    assert Graph.from_json(json.loads(part.to_text())) == part
    with pytest.raises(
        ParameterError, match="no runtime parameter 'acelerator'. Did you mean 'accelerator'?"
    ):
        part.bind({"acelerator": "x"})
    narrower = compile_pipeline(pipeline.to_nodes("Stats").only("Gen"))
    assert (sorted(narrower.parameters), sorted(narrower.left_out)) == (["accelerator"], ["n"])


def test_a_part_needs_no_value_for_what_is_left_out():
    gen = Gen(path="d", rows=RuntimeParameter("n", int))
    part = compile_pipeline(Pipeline("p", components=[gen, Stats(examples=gen)]).only("Stats"))
    assert part.values({}) == {}
    assert sorted(part.left_out) == ["n"]


def test_what_is_known_is_bound():
    gen = Gen(path="d", rows=RuntimeParameter("later", int))
    stats = Stats(examples=gen, rows=RuntimeParameter("n", int, default=3))
    graph = compile_pipeline(Pipeline("p", components=[gen, stats]))
    known = graph.bind_known({"n": "4"})
    assert known["Stats"].parameters["rows"] == 4
    assert known["Gen"].parameters["rows"] == {"$runtime_parameter": "later"}
    with pytest.raises(ParameterError, match="rows cannot be 13"):
        graph.bind_known({"n": 13})
    with pytest.raises(ParameterError, match="Did you mean 'later'?"):
        graph.bind_known({"lateer": 13})
