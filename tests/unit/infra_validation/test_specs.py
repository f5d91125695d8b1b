import pytest

from penstock.infra_validation import (
    KubernetesConfig,
    LocalBinary,
    LocalDockerConfig,
    RequestSpec,
    ServingSpec,
    TensorFlowServing,
    TensorFlowServingRequestSpec,
    ValidationSpec,
)
from penstock.infra_validation.asking import WrongAnswer, check_answer

SERVING = TensorFlowServing(tags=["2.19.1"])


def test_images():
    given = TensorFlowServing("gcr.io/p/serving", tags=["1", "2"], digests=["sha256:0a"])
    assert given.images == (
        "gcr.io/p/serving:1",
        "gcr.io/p/serving:2",
        "gcr.io/p/serving@sha256:0a",
    )
    assert SERVING.images == ("tensorflow/serving:2.19.1",)


def test_defaults():
    assert ValidationSpec().loading_seconds == 300
    assert RequestSpec().signatures == ("serving_default",)
    assert RequestSpec().count == 100


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ServingSpec(tensorflow_serving=SERVING),
            "tensorflow_serving and local_docker go together",
        ),
        (lambda: ServingSpec(local_docker=LocalDockerConfig()), "go together"),
        (
            lambda: ServingSpec(SERVING, LocalDockerConfig(), local_binary=LocalBinary("x")),
            "takes local_docker or local_binary. Received: both",
        ),
        (lambda: ServingSpec(model_name="a/b"), "A model's name has letters, digits"),
        (KubernetesConfig, "Penstock starts no pods for an InfraValidator"),
        (TensorFlowServing, "needs tags or digests"),
        (lambda: LocalBinary(""), "needs the path of a program"),
        (lambda: ValidationSpec(num_tries=-1), "num_tries must be 0 or more. Received: -1"),
        (
            lambda: ValidationSpec(max_request_seconds=0),
            "max_request_seconds must be above 0. Received: 0",
        ),
        (lambda: ValidationSpec(max_latency=1), "takes no argument 'max_latency'. Did you mean"),
        (
            lambda: TensorFlowServingRequestSpec(tag_set=["gpu"]),
            "Servers load the graph with the tag 'serve'",
        ),
        (lambda: RequestSpec(num_examples=-1), "RequestSpec.num_examples must be 0 or more"),
    ],
)
def test_what_is_wrong_is_named(make, message):
    with pytest.raises((TypeError, ValueError)) as raised:
        make()
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"": [1.0]}, "was answered with 1 row in the output 'y', not 2 rows"),
        ({"y": [1.0, 2.0], "z": 3}, "was answered with one value in the output 'z', not 2 rows"),
        ({"y": [[[1.0]], [[float("nan")]]]}, "was answered with NaN in row 1 of the output 'y'"),
        ({"y": [[1.0], [float("inf")]], "z": [["a"], ["b"]]}, None),
    ],
)
def test_answers(outputs, message):
    if message is None:
        check_answer(outputs, ["y", "z"], 2)
        return
    with pytest.raises(WrongAnswer) as raised:
        check_answer(outputs, ["y"], 2)
    assert str(raised.value) == message
