import sys
from pathlib import Path

import pytest

from penstock.artifacts import Examples, Model
from penstock.dsl import (
    Importer,
    LatestArtifacts,
    LatestBlessedModel,
    Pipeline,
    PipelineError,
    Resolver,
    WiringError,
)
from penstock.graph import compile_pipeline

sys.path.insert(0, str(Path(__file__).parent))
from example_components import Gen, Stats, Train, count


@pytest.fixture
def pipeline():
    gen = Gen(path="data")
    rows = count(examples=gen)
    stats = Stats(examples=gen, rows=rows)
    train = Train(examples=[gen], module_file="m.py")
    train.add_upstream_node(stats)
    return Pipeline("p", components=[train, stats, rows, gen])


def ids(pipeline):
    return [node.id for node in pipeline]


def test_nodes_are_in_an_order_in_which_they_can_run(pipeline):
    assert ids(pipeline) == ["Gen", "count", "Stats", "Train"]


def test_slices_are_pipelines(pipeline):
    assert ids(pipeline.to_nodes("Stats")) == ["Gen", "count", "Stats"]
    assert ids(pipeline.from_nodes("Stats")) == ["Stats", "Train"]
    assert ids(pipeline.only("Stats")) == ["Stats"]
    assert ids(pipeline.without("Train", "count")) == ["Gen", "Stats"]
    assert [node.id for node in pipeline.only("Stats").external] == ["Gen", "count"]
    assert ids(pipeline.from_nodes("count").to_nodes("Stats")) == ["count", "Stats"]


def test_pipelines_join(pipeline):
    extra = Stats(examples=pipeline["Gen"]).with_id("again")
    joined = pipeline.to_nodes("Gen") + Pipeline("q", components=[pipeline["Gen"], extra])
    assert ids(joined) == ["Gen", "again"]
    assert joined.name == "p"


def test_a_node_is_found_by_name_or_its_nearest_is_named(pipeline):
    assert pipeline["Stats"].id == "Stats"
    assert "Stats" in pipeline
    with pytest.raises(PipelineError, match="no node 'Stat'. Did you mean 'Stats'?"):
        pipeline["Stat"]


def test_wrong_pipelines_are_refused():
    gen = Gen(path="p")
    with pytest.raises(PipelineError, match="Two nodes are named 'Gen'"):
        Pipeline("p", components=[gen, Gen(path="q")])
    with pytest.raises(PipelineError, match="Stats needs Gen, which is not in components"):
        Pipeline("p", components=[Stats(examples=gen)])
    with pytest.raises(PipelineError, match="listed twice"):
        Pipeline("p", components=[gen, gen])
    with pytest.raises(PipelineError, match="Call it to make a node"):
        Pipeline("p", components=[Gen])
    with pytest.raises(PipelineError, match=r"Write \* before a list of nodes"):
        Pipeline("p", components=[[gen]])
    for wrong in (gen, None, 3):
        with pytest.raises(
            PipelineError, match=r"components is a list of nodes: components=\[...\]"
        ):
            Pipeline("p", components=wrong)
    with pytest.raises(PipelineError, match="an Importer brings it in"):
        Pipeline("p", components=[Stats(examples=Examples("x"))])
    with pytest.raises(PipelineError, match="Received: 'a b'"):
        Pipeline("a b")
    with pytest.raises(PipelineError, match=r"a list\. .* Pipeline\('p', components=\[\.\.\.\]\)"):
        Pipeline("p", [gen])
    a, b = Gen(path="p").with_id("a"), Gen(path="p").with_id("b")
    a.add_upstream_node(b)
    b.add_upstream_node(a)
    with pytest.raises(PipelineError, match="wait for each other: a -> b -> a"):
        Pipeline("p", components=[a, b])


def test_resolvers_and_importers_have_typed_outputs():
    blessed = Resolver(LatestBlessedModel())
    assert {key: channel.type.TYPE_NAME for key, channel in blessed.outputs.items()} == {
        "model": "Model",
        "model_blessing": "ModelBlessing",
    }
    latest = Resolver(LatestArtifacts(count=2), model=Model)
    assert list(latest.outputs) == ["model"]
    assert Importer("x", Model).outputs["result"].type is Model
    with pytest.raises(WiringError, match="needs types"):
        Resolver(LatestArtifacts())
    with pytest.raises(WiringError, match="takes an artifact class"):
        Importer("x", int)


def test_nodes_that_are_wired_or_named_after_the_pipeline_was_made():
    first, second = Gen(path="a").with_id("first"), Gen(path="b").with_id("second")
    pipeline = Pipeline("p", components=[first, second])
    first.add_upstream_node(second)
    assert [node.id for node in compile_pipeline(pipeline).nodes] == ["second", "first"]
    first.add_upstream_node(Gen(path="c"))
    with pytest.raises(PipelineError, match="Gen, which is not in components"):
        compile_pipeline(pipeline)
    second.with_id("first")
    with pytest.raises(PipelineError, match="Two nodes are named 'first'"):
        compile_pipeline(pipeline)


def test_settings_of_a_pipeline_are_of_their_type():
    for settings in ({"metadata": 5}, {"enable_cache": "no"}):
        with pytest.raises(PipelineError, match="Received"):
            Pipeline("p", **settings)
    for name in (5, None, "a\n"):
        with pytest.raises(PipelineError, match="A pipeline's name has"):
            Pipeline(name)
    made = Pipeline("p", Path("root"), metadata=Path("m.db"))
    assert (made.root, made.metadata) == ("root", "m.db")
    with pytest.raises(WiringError, match="takes a list of nodes"):
        Gen(path="a").add_upstream_nodes(Gen(path="b"))
    with pytest.raises(WiringError, match="at least one"):
        Train(examples=[], module_file="m.py")
