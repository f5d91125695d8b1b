"""The gRPC interface, asked by the stubs of tensorflow-serving-api in another process than the server."""

from __future__ import annotations

import shutil
import ssl
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from ..conftest import running
from ..safety.test_access import make_certificate

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(server.grpc_address) as opened:
        yield opened


@pytest.fixture(scope="module")
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def _predict(signature="halve", model="m", **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def _example(**features):
    example = tf.train.Example()
    for name, value in features.items():
        if isinstance(value, bytes):
            example.features.feature[name].bytes_list.value.append(value)
        else:
            example.features.feature[name].float_list.value.append(value)
    return example


def _refused(call, request, **settings):
    with pytest.raises(grpc.RpcError) as refused:
        call(request, timeout=30, **settings)
    return refused.value.code(), refused.value.details()


def test_predict_answers_tensors_and_says_who_answered(prediction):
    response, call = prediction.Predict.with_call(
        _predict(x=[1.0, 3.0]), timeout=30, metadata=(("x-request-id", "order-17"),)
    )
    assert list(response.outputs["half"].float_val) == [0.5, 1.5]
    assert tf.make_ndarray(response.outputs["half"]).dtype == np.float32
    assert response.model_spec.name == "m"
    assert response.model_spec.version.value == 3
    assert response.model_spec.signature_name == "halve"
    trailing = dict(call.trailing_metadata())
    assert trailing["x-request-id"] == "order-17"
    assert trailing["x-penstock-version"] == "3"


def test_every_kind_of_input_and_a_filter_of_outputs(prediction):
    request = _predict(
        "mixed", a=[[1.0, 2.0]], s=["wörd"], i=np.array([4], np.int32), b=np.array([True])
    )
    response = prediction.Predict(request, timeout=30)
    assert {name: tf.make_ndarray(each).tolist() for name, each in response.outputs.items()} == {
        "sum": [3.0], "s_bytes": ["wörd".encode()], "i": [4], "b": [True],
    }  # fmt: skip
    request.output_filter.extend(["i", "b"])
    assert sorted(prediction.Predict(request, timeout=30).outputs) == ["b", "i"]


def test_serialized_examples_and_the_default_signature(prediction):
    examples = [_example(x=1.5, kind=b"b").SerializeToString(), _example(x=2.0).SerializeToString()]
    response = prediction.Predict(_predict("", examples=examples), timeout=30)
    assert list(response.outputs["double"].float_val) == [3.0, 4.0]
    assert list(response.outputs["index"].int64_val) == [2, -1]
    assert response.model_spec.signature_name == "serving_default"


def test_a_version_can_be_named_and_a_large_batch_comes_back_whole(prediction):
    request = _predict(x=np.arange(100_000, dtype=np.float32))
    request.model_spec.version.value = 3
    (half,) = prediction.Predict(request, timeout=60).outputs.values()
    assert tf.make_ndarray(half).sum() == pytest.approx(np.arange(100_000).sum() / 2)


def test_errors_have_their_status_and_name_what_is_wrong(prediction):
    call = prediction.Predict
    not_found = grpc.StatusCode.NOT_FOUND
    assert _refused(call, predict_pb2.PredictRequest())[0] == INVALID
    code, details = _refused(call, _predict(model="other"))
    assert (code, "There is no model 'other'" in details) == (not_found, True)
    request = _predict(x=[1.0])
    request.model_spec.version.value = 9
    assert _refused(call, request) == (not_found, "Version 9 of 'm' is not served. Versions: 3")
    request.model_spec.version_label = "champion"
    assert _refused(call, request)[0] == not_found
    assert "no signature 'halv'. Did you mean 'halve'?" in _refused(call, _predict("halv"))[1]
    assert "needs the input 'x'" in _refused(call, _predict())[1]
    assert "Received: int32" in _refused(call, _predict(x=[1]))[1]
    request = _predict(x=[1.0])
    request.output_filter.append("third")
    assert _refused(call, request) == (
        INVALID,
        "output tensor alias not found in signature: third Outputs expected to be in the set {half}.",
    )
    request = _predict(x=[1.0])
    request.inputs["x"].tensor_shape.dim[0].size = 1 << 40
    code, details = _refused(call, request)
    assert (code, "at most 67,108,864 are served" in details) == (INVALID, True)
    request = _predict("", examples=[b"\xff\xff"])
    assert _refused(call, request)[0] == INVALID


def test_what_is_no_message_is_refused(server, channel):
    raw = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    code, details = _refused(raw, b"\xff\xff\xff")
    assert (code, "no tensorflow.serving.PredictRequest" in details) == (INVALID, True)
    unknown = channel.unary_unary("/tensorflow.serving.PredictionService/Predicted")
    assert _refused(unknown, b"")[0] == grpc.StatusCode.UNIMPLEMENTED
    code, _ = _refused(raw, b"\0" * (65 << 20))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.process.poll() is None


def test_classify_and_regress(prediction):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "classes"
    request.input.example_list.examples.extend([_example(x=0.25), _example(x=1.0)])
    response = prediction.Classify(request, timeout=30)
    found = [
        [(each.label, each.score) for each in row.classes]
        for row in response.result.classifications
    ]
    assert found == [[("low", 0.75), ("high", 0.25)], [("low", 0.0), ("high", 1.0)]]
    assert response.model_spec.version.value == 3

    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "value"
    # The features of the context are in each example, unless it has its own.
    request.input.example_list_with_context.context.CopyFrom(_example(x=2.0))
    request.input.example_list_with_context.examples.extend([_example(), _example(x=0.5)])
    response = prediction.Regress(request, timeout=30)
    assert [each.value for each in response.result.regressions] == [6.0, 1.5]


def test_a_signature_that_does_not_classify_is_named(prediction):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "value"
    request.input.example_list.examples.append(_example(x=0.25))
    code, details = _refused(prediction.Classify, request)
    assert code == INVALID
    assert "'value' of 'm' has \"outputs\", and the method 'tensorflow/serving/predict'" in details
    request.model_spec.signature_name = "classes"
    del request.input.example_list.examples[:]
    assert _refused(prediction.Classify, request) == (INVALID, "Input is empty.")
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "halve"
    request.input.example_list.examples.append(_example(x=0.25))
    assert "regression signature output" in _refused(prediction.Regress, request)[1]


def _task(request, signature, method):
    task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
    task.model_spec.name, task.model_spec.signature_name = "m", signature


def test_multi_inference_asks_several_signatures(prediction):
    request = inference_pb2.MultiInferenceRequest()
    _task(request, "classes", "classify")
    _task(request, "value", "regress")
    request.input.example_list.examples.append(_example(x=0.5))
    first, second = prediction.MultiInference(request, timeout=30).results
    assert [each.score for each in first.classification_result.classifications[0].classes] == [
        0.5,
        0.5,
    ]
    assert second.regression_result.regressions[0].value == 1.5
    assert second.model_spec.signature_name == "value"

    _task(request, "value", "regress")
    assert (
        "Duplicate evaluation of signature: value"
        in _refused(prediction.MultiInference, request)[1]
    )
    request.tasks[2].model_spec.name = "other"
    assert "same model name" in _refused(prediction.MultiInference, request)[1]
    request = inference_pb2.MultiInferenceRequest()
    assert "at least one task" in _refused(prediction.MultiInference, request)[1]
    _task(request, "value", "predict")
    assert "Unsupported signature method_name" in _refused(prediction.MultiInference, request)[1]


def test_metadata_is_that_of_the_saved_model(prediction, saved_model):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "m"
    response = prediction.GetModelMetadata(request, timeout=30)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 3
    halve = signatures.signature_def["halve"]
    assert halve.inputs["x"].dtype == tf.float32.as_datatype_enum
    assert [dim.size for dim in halve.inputs["x"].tensor_shape.dim] == [-1]
    request.metadata_field.append("other")
    assert (
        _refused(prediction.GetModelMetadata, request)[1] == "Metadata field other is not supported"
    )
    del request.metadata_field[:]
    assert "at least one metadata_field" in _refused(prediction.GetModelMetadata, request)[1]


def test_status_of_versions(models):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "m"
    (status,) = models.GetModelStatus(request, timeout=30).model_version_status
    assert (status.version, status.state) == (3, 30)
    request.model_spec.version.value = 8
    assert _refused(models.GetModelStatus, request)[0] == grpc.StatusCode.NOT_FOUND
    assert (
        _refused(models.GetModelStatus, get_model_status_pb2.GetModelStatusRequest())[0] == INVALID
    )


def test_health_for_probes(channel):
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=30) == b"\x08\x01"


def _reload(*models, **versions):
    request = model_management_pb2.ReloadConfigRequest()
    for name, folder in models:
        config = request.config.model_config_list.config.add(
            name=name, base_path=str(folder), model_platform="tensorflow"
        )
        for version in versions.get(name, ()):
            config.model_version_policy.specific.versions.append(version)
    return request


@pytest.fixture(scope="module")
def secured(saved_model, tmp_path_factory):
    """A server with a token and TLS, of the model `m` in the versions 1 and 2."""
    folder = tmp_path_factory.mktemp("secured")
    for version in ("1", "2"):
        shutil.copytree(saved_model, folder / "m" / version)
    certificate, key = make_certificate(folder)
    (folder / "tokens").write_text("# ours\n0123456789abcdef\nanother-token-of-ours\n")
    (folder / "serve.toml").write_text(
        f'token_file = "tokens"\ntls_cert = "{certificate}"\ntls_key = "{key}"\n'
        'limits = {body_seconds = 1}\n[models.m]\nfolder = "m"\n'
    )
    verify = ssl.create_default_context(cafile=certificate)
    with running(folder, "--config", "serve.toml") as started:
        ready = "/v2/health/ready"
        started.wait_until(lambda: started.get(ready, verify=verify).status_code == 200)
        yield started, folder, verify


def _open(secured):
    server, folder, _ = secured
    credentials = grpc.ssl_channel_credentials((folder / "server.crt").read_bytes())
    return grpc.secure_channel(server.grpc_address, credentials)


AUTHORIZED = (("authorization", "Bearer 0123456789abcdef"),)


def test_a_token_is_asked_for(secured):
    server, _, verify = secured
    with _open(secured) as channel:
        call = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        assert _refused(call, _predict(x=[1.0]))[0] == grpc.StatusCode.UNAUTHENTICATED
        wrong = (("authorization", "Bearer 0123456789abcdeF"),)
        assert (
            _refused(call, _predict(x=[1.0]), metadata=wrong)[0] == grpc.StatusCode.UNAUTHENTICATED
        )
        for token in ("0123456789abcdef", "another-token-of-ours"):
            call(_predict(x=[1.0]), timeout=30, metadata=(("authorization", f"Bearer {token}"),))
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=30) == b"\x08\x01"
    path = "/v1/models/m:predict"
    body = '{"signature_name": "halve", "instances": [1.0]}'
    assert server.post(path, content=body, verify=verify).status_code == 401
    assert server.get("/metrics", verify=verify).status_code == 401
    headers = {"Authorization": "Bearer another-token-of-ours"}
    answer = server.post(path, content=body, headers=headers, verify=verify)
    assert answer.json() == {"predictions": [0.5]}


def test_a_message_that_does_not_come_is_given_up(secured):
    forever = threading.Event()

    def nothing():
        forever.wait(30)
        yield from ()

    with _open(secured) as channel:
        call = channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
        code, details = _refused(call, nothing(), metadata=AUTHORIZED)
        # Who has no token is not even waited for.
        assert _refused(call, nothing())[0] == grpc.StatusCode.UNAUTHENTICATED
        forever.set()
    assert (code, "did not arrive within 1 s" in details) == (INVALID, True)


def test_reload_serves_what_the_config_lists(secured):
    _, folder, _ = secured
    with _open(secured) as channel:
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask(version=None, name="m", **settings):
            request = _predict(model=name, x=[1.0])
            if version:
                request.model_spec.version.value = version
            response = prediction.Predict(request, timeout=30, metadata=AUTHORIZED)
            return response.model_spec.version.value

        def reload(request):
            return models.HandleReloadConfigRequest(request, timeout=60, metadata=AUTHORIZED)

        assert ask() == 2
        response = reload(_reload(("m", folder / "m"), ("n", folder / "m"), m=[1, 2]))
        assert response.status.error_code == 0
        assert (ask(1), ask(2), ask(name="n")) == (1, 2, 2)
        reload(_reload(("n", folder / "m")))
        with pytest.raises(grpc.RpcError, match="There is no model 'm'"):
            ask()
        response = reload(_reload(("m", folder / "m"), ("gone", folder / "m"), gone=[7]))
        assert ask() == 2
        for request, message in (
            (_reload(("m", "")), "base_path"),
            (_reload(("m", folder), ("m", folder)), "lists a model twice"),
            (model_management_pb2.ReloadConfigRequest(), "Only model_config_list"),
        ):
            with pytest.raises(grpc.RpcError, match=message):
                reload(request)


def test_requests_in_progress_are_answered_when_the_server_stops(secured):
    server, _, _ = secured
    answered, failed = [], []
    stop = threading.Event()

    def ask():
        with _open(secured) as channel:
            call = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
            request = _predict(model="m", x=np.ones(2_000, np.float32))
            while not stop.is_set():
                try:
                    answered.append(call(request, timeout=30, metadata=AUTHORIZED))
                except grpc.RpcError as error:
                    failed.append(error)
                    return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    server.wait_until(lambda: len(answered) > 20)
    assert server.stop() == 0
    stop.set()
    for thread in threads:
        thread.join()
    # No answer was cut off: the next request finds nobody, or a server that is stopping.
    assert {error.code() for error in failed} <= {grpc.StatusCode.UNAVAILABLE}
    assert not [error for error in failed if "reset" in error.details().lower()]
