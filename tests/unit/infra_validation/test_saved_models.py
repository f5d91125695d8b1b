"""SavedModels: requests, warm-up, other servers, and crashes in TensorFlow itself."""

import os
import re
import stat
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model
from penstock.components import InfraValidator, Pusher
from penstock.infra_validation import (
    LocalBinary,
    LocalDockerConfig,
    RequestSpec,
    ServingSpec,
    TensorFlowServing,
    TensorFlowServingRequestSpec,
    ValidationSpec,
    make_requests,
    write_warm_model,
)
from penstock.io import ExamplesSplit, ExamplesWriter
from penstock.testing import run_component

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Model:
    import tensorflow as tf

    text = tf.TensorSpec([None], tf.string, name="examples")

    def x_of(examples):
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]

    @tf.function(input_signature=[text])
    def serve(examples):
        return {"twice": 2 * x_of(examples), "name": tf.as_string(x_of(examples))}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="x"),
            tf.TensorSpec([None, 2], tf.int64, name="pair"),
            tf.TensorSpec([None], tf.string, name="word"),
        ]
    )
    def tensors(x, pair, word):
        return {"sum": x + tf.cast(tf.reduce_sum(pair, axis=1), tf.float32), "word": word}

    @tf.function(input_signature=[text])
    def abort(examples):
        x = x_of(examples)

        def crash():
            with tf.control_dependencies([tf.raw_ops.Abort(error_msg="no more")]):
                return tf.identity(x)

        return {"x": tf.cond(tf.reduce_max(x) >= 3, crash, lambda: x)}

    @tf.function(input_signature=[text])
    def hang(examples):
        x = x_of(examples)
        return {"x": tf.while_loop(lambda x: tf.reduce_max(x) >= 3, lambda x: (x + 1,), [x])[0]}

    root = tmp_path_factory.mktemp("model")
    signatures = {"serving_default": serve, "tensors": tensors, "abort": abort, "hang": hang}
    tf.saved_model.save(tf.Module(), str(root / "Format-Serving"), signatures)
    return Model(str(root))


@pytest.fixture(scope="session")
def rich_examples(tmp_path_factory) -> Examples:
    root = tmp_path_factory.mktemp("rich")
    found = Examples(str(root))
    found.splits = ["all"]
    with ExamplesWriter(str(root), found.splits) as writer:
        columns = {
            "x": pa.array([1.0, 2.0, 3.0], pa.float32()),
            "pair": pa.array([[1, 2], [3, 4], [5, 6]]),
            "word": pa.array([b"a", b"\xff", b"c"]),
        }
        writer.write("all", pa.record_batch(columns))
    return found


def asked(*signatures, **more) -> RequestSpec:
    return RequestSpec(TensorFlowServingRequestSpec(signature_names=signatures), **more)


def test_a_warm_model_is_pushed(model, rich_examples, tmp_path):
    from penstock.server.servables.warm_up import read_warm_up_requests

    component = InfraValidator(
        model=model,
        examples=rich_examples,
        request_spec=asked("serving_default", "tensors", num_examples=2, make_warmup=True),
    )
    blessing = run_component(component, tmp_path)["blessing"]
    assert blessing.custom_properties["reasons"] == []
    assert blessing.custom_properties["has_model"] == 1
    # Two examples to each of two signatures, and both at once.
    assert blessing.custom_properties["requests"] == 6
    pusher = Pusher(
        model=model,
        infra_blessing=blessing,
        push_destination=str(tmp_path / "served"),
        answers_within_seconds=None,
    )
    pushed = run_component(pusher, tmp_path)["pushed_model"]
    file = (
        f"{pushed.custom_properties['pushed_destination']}/assets.extra/tf_serving_warmup_requests"
    )
    known = {name: _Inputs({"examples": None}) for name in ("serving_default", "tensors")}
    found = list(read_warm_up_requests(file, known))
    assert [name for name, _ in found] == ["serving_default"] * 2 + ["tensors"] * 2
    assert found[2][1]["x"].tolist() == [1.0]
    assert found[2][1]["pair"].tolist() == [[1, 2]]
    assert found[3][1]["word"].tolist() == [b"\xff"]
    assert found[3][1]["pair"].dtype == np.int64


class _Inputs:
    def __init__(self, inputs):
        self.inputs = inputs


def test_warm_up_requests_of_classifiers(rich_examples, tmp_path):
    """As TFX writes them."""
    from tensorflow_serving.apis import prediction_log_pb2

    from penstock.bulk_inference.prediction_logs import request_logs
    from penstock.io import read_tfrecords

    records = [
        each for f in ExamplesSplit.of(rich_examples, "all").files for each in read_tfrecords(f)
    ]
    for method in ("classify", "regress"):
        logs = request_logs(records, "head", method, {}).to_pylist()
        log = prediction_log_pb2.PredictionLog.FromString(logs[2])
        request = getattr(log, f"{method}_log").request
        assert request.model_spec.signature_name == "head"
        assert request.input.example_list.examples[0].features.feature["x"].float_list.value[:] == [
            3.0
        ]


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("pair", "takes 'pair' in the shape [2]. Row 0 of the examples has 1 values"),
        (None, "takes 'pair', which the examples do not have. Features: word, x"),
    ],
)
def test_examples_that_do_not_fit(model, tmp_path, feature, message):
    columns = {"x": [1.0], "word": [b"a"], **({feature: [1]} if feature else {})}
    with ExamplesWriter(str(tmp_path), ["all"]) as writer:
        writer.write("all", pa.record_batch(columns))
    found = Examples(str(tmp_path))
    with pytest.raises(ValueError, match=".") as raised:
        make_requests(ExamplesSplit.of(found, "all"), model.serving_uri, asked("tensors"))
    assert message in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("abort", "The server was killed by SIGABRT while it answered request 3 to 'abort'"),
        ("hang", "Request 3 to 'hang' got no answer within 20 s .*: the model hangs"),
    ],
)
def test_tensorflow_itself_crashes_or_hangs(model, rich_examples, tmp_path, signature, reason):
    component = InfraValidator(
        model=model,
        examples=rich_examples,
        request_spec=asked(signature),
        validation_spec=ValidationSpec(max_request_seconds=20),
    )
    blessing = run_component(component, tmp_path)["blessing"]
    assert not blessing.blessed
    (given,) = blessing.custom_properties["reasons"]
    assert re.fullmatch(reason, given), given


SERVER = textwrap.dedent(
    """\
    #!{python}
    import sys
    sys.path[:0] = {path!r}
    if {fails}:
        sys.exit("unknown flag")
    flags = dict(each.lstrip("-").split("=", 1) for each in sys.argv[1:] if "=" in each)
    folder = flags.get("model_base_path")
    port, name = flags.get("rest_api_port"), flags.get("model_name")
    if folder is None:  # docker run
        if "run" not in sys.argv:
            sys.exit(0)
        port = flags["publish"].split(":")[1]
        place, inner, mode = flags["volume"].split(":")
        name = inner.split("/")[2]
        assert sys.argv[-1] == "tensorflow/serving:2.19.1" and mode == "ro"
        import os, tempfile
        folder = tempfile.mkdtemp()
        os.symlink(place, folder + "/1")
    from penstock.server.config import ModelSource, ServerConfig
    from penstock.server.running import serve
    serve(ServerConfig((ModelSource(name, folder),), port=int(port)))
    """
)


def program(path, *, fails=False):
    """A program that takes TensorFlow Serving's flags, or Docker's, and serves with ours."""
    path.write_text(
        SERVER.format(python=sys.executable, path=[p for p in sys.path if p], fails=fails)
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_program_and_a_container(make_model, examples, tmp_path, monkeypatch):
    program(tmp_path / "docker")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for serving in (
        ServingSpec(local_binary=LocalBinary(program(tmp_path / "tensorflow_model_server"))),
        ServingSpec(
            tensorflow_serving=TensorFlowServing(tags=["2.19.1"]),
            local_docker=LocalDockerConfig(),
            model_name="trees",
        ),
    ):
        component = InfraValidator(
            model=make_model("well"), examples=examples, serving_spec=serving
        )
        blessing = run_component(component, tmp_path)["blessing"]
        assert blessing.custom_properties["reasons"] == []
        assert blessing.custom_properties["requests"] == 6


@pytest.mark.parametrize(
    ("binary", "reason"),
    [
        (
            "no_such_server",
            "The server cannot be started: No such file or directory: no_such_server",
        ),
        (
            "fails",
            "The server ended with exit status 1, after: unknown flag while it loaded the model",
        ),
    ],
)
def test_a_program_that_does_not_run(make_model, tmp_path, binary, reason):
    path = program(tmp_path / "server", fails=True) if binary == "fails" else binary
    component = InfraValidator(
        model=make_model("well"),
        serving_spec=ServingSpec(local_binary=LocalBinary(path)),
        validation_spec=ValidationSpec(num_tries=2),
    )
    blessing = run_component(component, tmp_path)["blessing"]
    assert blessing.custom_properties["reasons"] == [reason]


def test_a_warm_estimator_is_refused(make_model, examples, tmp_path):
    model = make_model("well").serving_uri
    requests = make_requests(ExamplesSplit.of(examples, "eval"), model, RequestSpec())
    with pytest.raises(ValueError, match="warm-up requests are for SavedModels"):
        write_warm_model(model, requests, str(tmp_path / "warm"))
