"""A program with nothing but the package `tensorflow-serving-api` asks a server by gRPC."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from ..conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.processes]

CLIENT = """
import sys
import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2, get_model_metadata_pb2, get_model_status_pb2, inference_pb2,
    model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc, regression_pb2,
)

assert not [name for name in sys.modules if name.partition(".")[0] == "penstock"]
channel = grpc.insecure_channel(sys.argv[1])
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

request = predict_pb2.PredictRequest()
request.model_spec.name = "m"
request.model_spec.signature_name = "halve"
request.inputs["x"].CopyFrom(tf.make_tensor_proto([3.0, 5.0]))
answer = stub.Predict(request, timeout=60)
assert tf.make_ndarray(answer.outputs["half"]).tolist() == [1.5, 2.5]
assert answer.model_spec.version.value == 3

request.model_spec.version.value = 9
try:
    stub.Predict(request, timeout=60)
except grpc.RpcError as error:
    assert error.code() is grpc.StatusCode.NOT_FOUND, error
else:
    raise AssertionError("a version that does not exist answered")

example = tf.train.Example()
example.features.feature["x"].float_list.value.append(0.25)
request = classification_pb2.ClassificationRequest()
request.model_spec.name = "m"
request.model_spec.signature_name = "classes"
request.input.example_list.examples.append(example)
(found,) = stub.Classify(request, timeout=60).result.classifications
assert [(each.label, each.score) for each in found.classes] == [("low", 0.75), ("high", 0.25)]

request = regression_pb2.RegressionRequest()
request.model_spec.name = "m"
request.model_spec.signature_name = "value"
request.input.example_list.examples.append(example)
assert [each.value for each in stub.Regress(request, timeout=60).result.regressions] == [0.75]

request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
request.model_spec.name = "m"
signatures = get_model_metadata_pb2.SignatureDefMap()
assert stub.GetModelMetadata(request, timeout=60).metadata["signature_def"].Unpack(signatures)
assert "halve" in signatures.signature_def

request = get_model_status_pb2.GetModelStatusRequest()
request.model_spec.name = "m"
models = model_service_pb2_grpc.ModelServiceStub(channel)
(status,) = models.GetModelStatus(request, timeout=60).model_version_status
assert (status.version, status.state) == (3, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
print("right")
"""


def test_the_client_of_tensorflow_serving_in_an_environment_of_its_own(saved_model, tmp_path):
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "tensorflow-serving-api>=2.19,<2.22"]
    subprocess.run(install, check=True)
    (tmp_path / "client.py").write_text(CLIENT)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shutil.copytree(saved_model, tmp_path / "m" / "3")
    with running(tmp_path, "m=m") as server:
        server.wait_until(lambda: server.get("/v2/health/ready").status_code == 200)
        asked = subprocess.run(
            [python, str(tmp_path / "client.py"), server.grpc_address],
            capture_output=True,
            text=True,
            env=environment,
        )
    shutil.rmtree(venv)  # some 2 GB
    assert asked.stdout == "right\n", asked.stderr
