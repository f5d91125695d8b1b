from __future__ import annotations

from penstock.dsl import Pipeline, RuntimeParameter
from penstock.graph import compile_pipeline
from penstock.launch.profile import WorkerProfile, profile_of, warm_imports


def compiled(node, **values):
    graph = compile_pipeline(Pipeline("p", components=[node]))
    return graph.bind(values).nodes[0]


def test_plain_components_share_a_process(nodes) -> None:
    assert profile_of(compiled(nodes.number(value=1))) == WorkerProfile()


def test_what_a_component_settles_is_part_of_its_profile(nodes) -> None:
    one, two = nodes.HeavyDevices(devices=1), nodes.HeavyDevices(devices=2)
    assert profile_of(compiled(one)) == WorkerProfile(tensorflow=True)
    assert profile_of(compiled(two)) == WorkerProfile(
        tensorflow=True, settings='{"logical_devices": 2}'
    )
    assert profile_of(compiled(one)).base == profile_of(compiled(two)).base


def test_the_environment_is_settled_before_the_imports(nodes) -> None:
    profile = profile_of(compiled(nodes.Devices(devices=2)))
    assert profile.environment == (("SAMPLE_DEVICES", "2"),)
    assert profile.settings == '{"logical_devices": 2}'
    assert profile.base != profile_of(compiled(nodes.Devices(devices=3))).base


def test_runtime_parameters_decide_too(nodes) -> None:
    node = nodes.HeavyDevices(devices=RuntimeParameter("devices", int, default=1))
    assert profile_of(compiled(node, devices=4)).settings == '{"logical_devices": 4}'


def test_values_of_artifacts_decide_too(nodes, tmp_path) -> None:
    number = nodes.number(value=1)
    node = nodes.HeavyDevices(devices=number)
    graph = compile_pipeline(Pipeline("p", components=[number, node]))
    artifact = nodes.Integer(str(tmp_path))
    artifact.value = 3
    profile = profile_of(graph["HeavyDevices"], {"devices": [artifact]})
    assert profile.settings == '{"logical_devices": 3}'


def test_what_is_imported_early(nodes) -> None:
    assert warm_imports(compiled(nodes.number(value=1))) == ("sample_nodes",)
    assert warm_imports(compiled(nodes.HeavyDevices(devices=1))) == (
        "tensorflow",
        "keras",
        "sample_warm:touch",
        "sample_nodes",
    )
