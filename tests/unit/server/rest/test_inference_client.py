"""A client of the open inference protocol that others wrote asks a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.processes]

CLIENT = """
import sys
import numpy as np
import tritonclient.http as http

client = http.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("m")
assert not client.is_model_ready("n")
assert client.get_server_metadata()["name"] == "penstock"
described = client.get_model_metadata("m")
assert described["inputs"] == [{"name": "examples", "datatype": "BYTES", "shape": [-1]}], described
arrays = {
    "a": np.array([[1, 2], [3, 4]], np.float32),
    "s": np.array([b"p", b"q"], object),
    "i": np.array([5, 6], np.int32),
    "b": np.array([True, False]),
}
kinds = {"a": "FP32", "s": "BYTES", "i": "INT32", "b": "BOOL"}
for binary in (True, False):
    inputs = []
    for name, array in arrays.items():
        tensor = http.InferInput(name, list(array.shape), kinds[name])
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in ("sum", "s_bytes", "b")]
    answer = client.infer(
        "m", inputs, outputs=wanted, request_id="7", parameters={"signature_name": "mixed"}
    )
    assert answer.get_response()["id"] == "7"
    assert answer.as_numpy("sum").tolist() == [3, 7]
    assert [bytes(each, "ascii") if isinstance(each, str) else each
            for each in answer.as_numpy("s_bytes").tolist()] == [b"p", b"q"]
    assert answer.as_numpy("b").tolist() == [True, False]
try:
    client.infer("n", inputs)
except http.InferenceServerException as error:
    assert "There is no model 'n'" in str(error)
else:
    raise AssertionError("a model that does not exist answered")
print("right")
"""


def test_the_client_of_triton_and_kserve(server, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "tritonclient[http]>=2.50,<3"]
    subprocess.run(install, check=True)
    script = Path(tmp_path, "client.py")
    script.write_text(CLIENT)
    address = server.address.removeprefix("http://")
    asked = subprocess.run([python, str(script), address], capture_output=True, text=True)
    assert asked.stdout == "right\n", asked.stderr
