"""The component, with Penstock's server in a process of its own."""

import pytest

from penstock.artifacts import Model
from penstock.components import InfraValidator
from penstock.infra_validation import RequestSpec, TensorFlowServingRequestSpec, ValidationSpec
from penstock.testing import ComponentFailed, run_component

pytestmark = pytest.mark.processes


def tried(model, examples, folder, **bounds):
    spec = ValidationSpec(**bounds)
    component = InfraValidator(model=model, examples=examples, validation_spec=spec)
    return run_component(component, folder)["blessing"]


def test_a_model_that_answers(make_model, examples, tmp_path):
    found = tried(make_model("well"), examples, tmp_path)
    assert found.blessed
    properties = found.custom_properties
    assert properties["blessed"] == 1
    assert properties["reasons"] == []
    # One of each row, and one of all.
    assert properties["requests"] == 6
    assert 0 < properties["latency_p50_ms"] <= properties["latency_p99_ms"]
    assert properties["memory_mb"] > 10
    assert properties["loading_seconds"] > 0


@pytest.mark.parametrize(
    ("behaviour", "bounds", "reason"),
    [
        pytest.param(
            "crash while loading",
            {},
            r"The server was killed by SIGABRT while it loaded the model",
            marks=pytest.mark.slow,
        ),
        (
            "segfault",
            {},
            r"The server was killed by SIGSEGV \(a native library crashed\) while it answered request 4 to "
            "'serving_default'",
        ),
        (
            "hang",
            {"max_request_seconds": 3},
            r"Request 4 to 'serving_default' got no answer within 3 s \(max_request_seconds\): the model hangs",
        ),
        (
            "eat memory",
            {"max_memory_mb": 3000},
            r"The server needed more than 2.9 GiB of memory while it answered request 4 to 'serving_default' "
            r"\(max_memory_mb\)",
        ),
        (
            "nan",
            {},
            "Request 4 to 'serving_default' was answered with NaN in row 0 of its output",
        ),
        (
            "other rows",
            {},
            "The request of 5 rows to 'serving_default' was answered with 1 row in its output, "
            "not 5 rows",
        ),
        pytest.param(
            "fail",
            {},
            "Request 4 to 'serving_default' failed with the status 500: .*ZeroDivisionError: no x",
            marks=pytest.mark.slow,
        ),
        (
            "well",
            {"max_latency_p50_ms": 1e-6},
            r"latency_p50_ms .* ms is above 1e-06 ms \(max_latency_p50_ms\)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_a_model_that_misbehaves(make_model, examples, tmp_path, behaviour, bounds, reason):
    found = tried(make_model(behaviour), examples, tmp_path, **bounds)
    assert not found.blessed
    assert found.custom_properties["blessed"] == 0
    (given,) = found.custom_properties["reasons"]
    import re

    assert re.fullmatch(reason, given), given


def test_without_examples_the_model_is_loaded(make_model, tmp_path):
    component = InfraValidator(model=make_model("well"))
    found = run_component(component, tmp_path)["blessing"]
    assert found.blessed
    assert found.custom_properties["requests"] == 0
    assert "latency_p50_ms" not in found.custom_properties


def test_no_model(examples, tmp_path):
    found = tried(Model(str(tmp_path / "nothing")), examples, tmp_path / "out")
    assert not found.blessed
    (reason,) = found.custom_properties["reasons"]
    assert "saved_model.pb is missing" in reason


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            RequestSpec(split_name="evl"),
            "have no split 'evl', which RequestSpec names. Did you mean 'eval'?",
        ),
        (
            RequestSpec(TensorFlowServingRequestSpec(signature_names=["serve"])),
            "has no signature 'serve', which RequestSpec names. Signatures: serving_default",
        ),
    ],
)
def test_a_wrong_request_spec_fails_the_node(make_model, examples, tmp_path, spec, message):
    component = InfraValidator(model=make_model("well"), examples=examples, request_spec=spec)
    with pytest.raises(ComponentFailed) as raised:
        run_component(component, tmp_path)
    assert message in str(raised.value)


def test_requests_need_examples(make_model):
    with pytest.raises(ValueError, match="makes requests of examples. Received: no examples"):
        InfraValidator(model=make_model("well"), request_spec=RequestSpec())
