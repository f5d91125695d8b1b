from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.dsl import (
    ConfigMapFiles,
    EmptyFolder,
    EphemeralVolume,
    NodeAffinity,
    NodeRule,
    ParameterError,
    Pipeline,
    PodSettings,
    RuntimeParameter,
    SecretFiles,
    SecretKey,
    Toleration,
    VolumeClaim,
    component,
)
from penstock.graph import Graph, compile_pipeline


@component
def work() -> int:
    return 1


FULL = PodSettings(
    image="taxi:1",
    environment={"A": "a", "TOKEN": SecretKey("hub", "token")},
    mounts={"/data": VolumeClaim("data"), "/app": ConfigMapFiles("app"), "/x": EmptyFolder("1Gi")},
    tolerations=[Toleration("gpu")],
    affinity=[NodeAffinity(NodeRule("zone", values=["a"]), weight=1)],
    labels={"team": "ml"},
)


def test_settings_go_through_the_graph_as_plain_values() -> None:
    node = work().with_pod(FULL).with_pod(priority_class="high")
    graph = compile_pipeline(Pipeline("p", None, [node]))
    again = Graph.from_json(json.loads(json.dumps(graph.to_json())))
    assert again == graph
    assert again.nodes[0].bound_pod == node.pod
    assert again.nodes[0].bound_pod.priority_class == "high"


def test_a_node_without_settings_has_none_in_the_graph() -> None:
    assert "pod" not in compile_pipeline(Pipeline("p", None, [work()])).to_json()["nodes"][0]


def test_an_image_by_runtime_parameter() -> None:
    node = work().with_pod(image=RuntimeParameter("image", str, default="a:1"))
    graph = compile_pipeline(Pipeline("p", None, [node]))
    assert graph.bind({"image": "b:2"}).nodes[0].bound_pod.image == "b:2"
    with pytest.raises(ParameterError, match="PodSettings.image is the name of an image"):
        graph.bind({"image": "b 2"})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: work().with_pod(node_selectors={}), "no setting 'node_selectors'. Did you mean 'node_s"),
        (lambda: PodSettings(image="a b"), "PodSettings.image is the name of an image"),
        (lambda: PodSettings(image=RuntimeParameter("n", int)), "a runtime parameter of type str"),
        (lambda: PodSettings(labels={"a": "b c"}), r"labels\['a'\] is a label's value"),
        (lambda: PodSettings(labels={"a/b/c!": "b"}), "labels takes keys such as"),
        (lambda: PodSettings(node_selector=["gpu"]), r"node_selector is a dict. Received: \['gpu'\]"),
        (lambda: PodSettings(environment={"A-B": "x"}), "names of environment variables"),
        (lambda: PodSettings(environment={"A": 3}), "is a text, SecretKey"),
        (lambda: PodSettings(mounts={"data": EmptyFolder()}), "absolute folders of the container"),
        (lambda: PodSettings(mounts={"/data": "claim"}), "is VolumeClaim"),
        (lambda: PodSettings(mounts={"/dev/shm/": EmptyFolder()}, shared_memory="1Gi"), "leave it out of"),
        (lambda: PodSettings(shared_memory="4 GB"), "is a size such as '512Mi'"),
        (lambda: PodSettings(tolerations=Toleration("gpu")), "tolerations is a list of Toleration"),
        (lambda: PodSettings(image_pull_policy="always"), "is one of Always, IfNotPresent, Never"),
        (lambda: PodSettings(service_account="My_Account"), "is a name in Kubernetes"),
        (lambda: PodSettings(run_as_user=True), "is a whole number of 0 or more. Received: True"),
        (lambda: Toleration(value="x"), "needs the taint's key"),
        (lambda: Toleration("a", effect="Never"), "is one of NoSchedule"),
        (lambda: Toleration("a", seconds=3), "goes with effect='NoExecute'"),
        (lambda: NodeRule("zone"), "takes a list of texts. Received: ()"),
        (lambda: NodeRule("zone", values="a"), "takes a list of texts. Received: 'a'"),
        (lambda: NodeRule("cores", "Gt", ["many"]), "takes one whole number, as text"),
        (lambda: NodeRule("ssd", "Exists", ["x"]), "takes no values"),
        (lambda: NodeRule("ssd", "Has"), "NodeRule.operator is one of In"),
        (lambda: NodeAffinity([]), "is a list of NodeRule"),
        (lambda: NodeAffinity([NodeRule("ssd", "Exists")], weight=0), "from 1 to 100"),
        (lambda: SecretKey("hub", "a/b"), "SecretKey.key is the name of one entry"),
        (lambda: SecretFiles("Hub"), "SecretFiles.secret is a name in Kubernetes"),
        (lambda: VolumeClaim("data", sub_path="/x"), "without a slash before it"),
        (lambda: EphemeralVolume("big"), "EphemeralVolume.size is a size"),
        (lambda: EphemeralVolume("1Gi", access_mode="rw"), "access_mode is one of ReadWriteOnce"),
    ],
)  # fmt: skip
def test_what_kubernetes_would_refuse_is_refused_where_it_is_written(make: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        make()


def test_settings_over_others() -> None:
    base = PodSettings(
        image="all:1",
        environment={"A": "0", "B": "0"},
        tolerations=[Toleration("x")],
        affinity=[NodeAffinity(NodeRule("zone", values=["b"]))],
    )
    over = FULL.over(base)
    assert over.image == "taxi:1"
    assert over.environment == {"A": "a", "B": "0", "TOKEN": SecretKey("hub", "token")}
    assert over.tolerations == (Toleration("x"), Toleration("gpu"))
    assert over.affinity == FULL.affinity  # else zone a or zone b would do
    assert PodSettings().over(base) == base
