"""Requests that are divided between versions, shadowed, logged and counted: over HTTP, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading

import httpx
import numpy as np
import pytest

from penstock.io.examples.messages import example_class
from penstock.io.tfrecord.records import read_tfrecords
from penstock.server.config import ModelSource, ServerConfig, VersionPolicy
from penstock.server.divided import DividedServables
from penstock.server.request_log.config import RequestLogConfig
from penstock.server.rest.app import build_app
from penstock.server.safety.limits import Limits
from penstock.server.servables.saved_model import SavedModel
from penstock.server.shadows import agreement
from penstock.server.traffic import Traffic

pytestmark = pytest.mark.tensorflow

LABELS = {"champion": 1, "canary": 2}
SPLIT = {"split": {"champion": 0.6, "canary": 0.4}}
KEYS = [f"user-{i}" for i in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model in three versions: the first answers 2 x, the second 3 x, the third something else."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("divided") / "m"
    spec = {
        "x": tf.io.FixedLenFeature([], tf.float32),
        "user": tf.io.FixedLenFeature([], tf.string, default_value=""),
        "email": tf.io.FixedLenFeature([], tf.string, default_value=""),
    }
    for version, output in ((1, "y"), (2, "y"), (3, "z")):
        module = tf.Module()

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="x"),
                tf.TensorSpec([None], tf.string, name="user"),
            ]
        )
        def columns(x, user, version=version, output=output):
            return {output: x * (version + 1), "who": user}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def rows(examples, version=version, output=output):
            return {output: tf.io.parse_example(examples, spec)["x"] * (version + 1)}

        signatures = {"serving_default": columns, "rows": rows}
        tf.saved_model.save(module, str(folder / str(version)), signatures)
    return folder


class Asker:
    """Asks an application in this process."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def predict(self, rows, headers=None, path="m", signature="serving_default"):
        body = {"instances": rows, "signature_name": signature}
        headers = {"host": "localhost"} | (headers or {})
        path = f"/v1/models/{path}:predict"
        return await self._client.post(path, content=json.dumps(body), headers=headers)

    async def post(self, path, body):
        return await self._client.post(path, content=body)

    async def metrics(self) -> dict[str, float]:
        response = await self._client.get("/metrics")
        assert response.status_code == 200
        lines = [line for line in response.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _ask(folder, asking, traffic=None, log=None, **limits):
    """Run `asking(asker)` on a server of the versions 1 and 2; the models are unloaded afterwards."""

    async def run():
        source = ModelSource(
            "m", str(folder), VersionPolicy(specific=(1, 2)), LABELS, "champion",
            traffic=Traffic.from_config("m", traffic or {}), request_log=log,
        )  # fmt: skip
        config = ServerConfig((source,), limits=Limits(**limits))
        async with contextlib.AsyncExitStack() as stack:
            servables = await stack.enter_async_context(DividedServables.of(config))
            transport = httpx.ASGITransport(build_app(servables, config)[0])
            client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
            return await asking(Asker(await stack.enter_async_context(client)))

    return asyncio.run(run())


def _row(x, user="u"):
    return {"x": x, "user": user}


def test_a_key_in_a_header_always_gets_the_same_version(folder):
    traffic = SPLIT | {"key": "header:X-User"}

    async def asking(asker):
        found = {}
        for key in KEYS * 2:
            response = await asker.predict([_row(1.0)], {"X-User": key})
            (prediction,) = response.json()["predictions"]
            found.setdefault(key, set()).add(
                (
                    prediction["y"],
                    response.headers["x-penstock-label"],
                    response.headers["x-penstock-version"],
                )
            )
        return found, await asker.metrics()

    found, metrics = _ask(folder, asking, traffic)

    expected = Traffic.from_config("m", traffic)
    for key, answers in found.items():
        label = str(expected.target(key.encode()))
        assert answers == {(LABELS[label] + 1.0, label, str(LABELS[label]))}
    by_canary = metrics['penstock_answered_rows_total{label="canary",model="m",version="2"}']
    assert by_canary == 2 * sum(str(expected.target(key.encode())) == "canary" for key in KEYS)
    assert metrics['penstock_requests_total{code="200",door="rest",model="m"}'] == 80


def test_rows_are_divided_by_a_feature_and_come_back_in_order(folder, tmp_path):
    traffic = SPLIT | {"key": "feature:user"}

    async def asking(asker):
        response = await asker.predict([_row(float(i), key) for i, key in enumerate(KEYS)])
        one = await asker.predict([_row(1.0, KEYS[0])])
        return response, one

    response, one = _ask(folder, asking, traffic, RequestLogConfig(str(tmp_path)))

    expected = Traffic.from_config("m", traffic)
    versions = [LABELS[str(expected.target(key.encode()))] for key in KEYS]
    predictions = response.json()["predictions"]
    assert [each["y"] for each in predictions] == [i * (v + 1.0) for i, v in enumerate(versions)]
    assert [each["who"] for each in predictions] == KEYS
    assert sorted(response.headers["x-penstock-version"]) == [",", "1", "2"]
    assert one.headers["x-penstock-version"] == str(versions[0])
    logged = [
        each
        for each in _logged(tmp_path)
        if each["served.request_id"] == [response.headers["x-request-id"].encode()]
    ]
    places = {each["served.row"][0]: each["served.version"][0] for each in logged}
    assert places == dict(enumerate(versions))


def test_a_feature_within_serialized_examples_divides_too(folder):
    import tensorflow as tf

    traffic = SPLIT | {"key": "feature:user"}
    examples = []
    for key in [*KEYS, None]:
        example = tf.train.Example()
        example.features.feature["x"].float_list.value.append(1.0)
        if key:
            example.features.feature["user"].bytes_list.value.append(key.encode())
        examples.append(example.SerializeToString())

    async def asking(asker):
        import base64

        rows = [{"b64": base64.b64encode(each).decode()} for each in examples]
        return await asker.predict(rows, signature="rows")

    values = _ask(folder, asking, traffic).json()["predictions"]

    expected = Traffic.from_config("m", traffic)
    assert values[:-1] == [LABELS[str(expected.target(key.encode()))] + 1.0 for key in KEYS]
    assert values[-1] in (2.0, 3.0)


def test_who_names_a_version_or_a_label_gets_it(folder):
    async def asking(asker):
        return [
            await asker.predict([_row(1.0)], path=path)
            for path in ("m/versions/1", "m/labels/canary")
            for _ in range(5)
        ]

    answers = _ask(folder, asking, {"split": {"canary": 0.5, "champion": 0.5}})
    assert [each.json()["predictions"][0]["y"] for each in answers] == [2.0] * 5 + [3.0] * 5
    assert answers[-1].headers["x-penstock-label"] == "canary"
    assert "x-penstock-label" not in answers[0].headers


def test_the_default_version_answers_for_one_that_is_not_served(folder):
    async def asking(asker):
        response = await asker.predict([_row(1.0)])
        return response, await asker.metrics()

    response, metrics = _ask(folder, asking, {"split": {"next": 1.0}})
    assert response.json()["predictions"][0]["y"] == 2.0
    assert metrics['penstock_traffic_fallbacks_total{model="m",target="next"}'] == 1


def test_a_slow_shadow_takes_no_thread_from_requests(folder, monkeypatch):
    threads: dict[str, set[str]] = {"1": set(), "2": set()}
    run = SavedModel.run

    def noted(self, signature, inputs):
        name = threading.current_thread().name.rpartition("_")[0]
        if name.startswith("penstock-"):  # not those that warm it
            threads[os.path.basename(self.path)].add(name)
        return run(self, signature, inputs)

    monkeypatch.setattr(SavedModel, "run", noted)
    shadowed = 'penstock_shadow_seconds_count{model="m",shadow="canary"}'

    async def asking(asker):
        for _ in range(3):
            assert (await asker.predict([_row(1.0)])).status_code == 200
        while (await asker.metrics()).get(shadowed, 0) < 3:
            await asyncio.sleep(0.01)

    _ask(folder, asking, {"shadow": {"canary": 1.0}})
    assert threads == {"1": {"penstock-compute"}, "2": {"penstock-shadow"}}


def test_a_shadow_sees_a_copy_and_its_answer_is_measured_only(folder, tmp_path):
    async def asking(asker):
        for i in range(3):
            response = await asker.predict([_row(0.0), _row(1.0 + i)])
            assert response.json()["predictions"][1]["y"] == 2.0 * (1 + i)
            assert response.headers["x-penstock-version"] == "1"
        for _ in range(1000):
            metrics = await asker.metrics()
            if metrics.get('penstock_shadow_seconds_count{model="m",shadow="canary"}') == 3:
                return metrics
            await asyncio.sleep(0.01)
        raise AssertionError(metrics)

    shadow = {"shadow": {"canary": 1.0, "99": 1.0}}
    metrics = _ask(folder, asking, shadow, RequestLogConfig(str(tmp_path)))
    assert metrics['penstock_shadow_rows_total{agrees="true",model="m",shadow="canary"}'] == 3
    assert metrics['penstock_shadow_rows_total{agrees="false",model="m",shadow="canary"}'] == 3
    failed = 'penstock_shadow_failures_total{model="m",reason="NOT_FOUND",shadow="99"}'
    assert metrics[failed] == 3
    assert {each["served.version"][0] for each in _logged(tmp_path)} == {1}
    shadows = _logged(tmp_path, "shadow")
    assert [each["served.output.y"] for each in shadows] == [
        [0.0],
        [3.0],
        [0.0],
        [6.0],
        [0.0],
        [9.0],
    ]


def _logged(folder, kind="served"):
    records = [
        example_class().FromString(record)
        for path in sorted((folder / "m" / kind).glob("requests-*"))
        for record in read_tfrecords(path)
    ]
    return [
        {
            name: list(getattr(feature, feature.WhichOneof("kind")).value)
            for name, feature in record.features.feature.items()
        }
        for record in records
    ]


def test_requests_are_logged_under_the_id_that_the_answer_has(folder, tmp_path):
    async def asking(asker):
        one = await asker.predict([_row(1.0)])
        two = await asker.predict([_row(2.0)], {"X-Request-Id": "order-17"})
        odd = await asker.predict([_row(3.0)], {"X-Request-Id": "no id at all!"})
        failed = await asker.predict([_row("three")])
        return [each.headers["x-request-id"] for each in (one, two, odd, failed)], failed

    log = RequestLogConfig(str(tmp_path), mask=("user", "who"))
    ids, failed = _ask(folder, asking, log=log)

    assert failed.status_code == 400
    assert ids[1] == "order-17"
    assert len(set(ids)) == 4
    logged = _logged(tmp_path)
    assert [each["served.request_id"] for each in logged] == [[each.encode()] for each in ids[:3]]
    assert [each["served.output.y"] for each in logged] == [[2.0], [4.0], [6.0]]
    assert [each["served.label"] for each in logged] == [[b"champion"]] * 3
    assert not any("user" in each or "served.output.who" in each for each in logged)


def test_a_sample_is_logged(folder, tmp_path):
    async def asking(asker):
        for i in range(100):
            await asker.predict([_row(1.0)], {"X-Request-Id": f"r{i}"})

    _ask(folder, asking, log=RequestLogConfig(str(tmp_path), sample=0.2))
    assert 8 <= len(_logged(tmp_path)) <= 32


def test_names_that_no_version_has_are_told_when_it_is_loaded(folder, tmp_path, caplog):
    async def asking(asker):
        await asker.predict([_row(1.0)])

    traffic = SPLIT | {"key": "feature:usr"}
    _ask(folder, asking, traffic, RequestLogConfig(str(tmp_path), mask=("usr",)))
    assert "m: request log: mask: 'usr' (did you mean 'user'?)" in caplog.text
    assert "version 1 has no feature 'usr', by which the traffic is divided" in caplog.text


@pytest.mark.parametrize("signature", ["serving_default", "rows"])
@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"x": [1.0]},
        {"x": [1.0], "user": ["a", "b"]},
        {"examples": 3},
        {"examples": [[], []]},
        {"examples": [["a"]]},
    ],
)
def test_inputs_that_do_not_fit_are_the_clients_mistake_with_a_key_too(folder, signature, inputs):
    async def asking(asker):
        body = json.dumps({"inputs": inputs, "signature_name": signature})
        return await asker.post("/v1/models/m:predict", body)

    assert _ask(folder, asking, SPLIT | {"key": "feature:user"}).status_code == 400


def test_too_many_rows_are_refused(folder):
    async def asking(asker):
        return await asker.predict([_row(1.0)] * 3)

    response = _ask(folder, asking, rows=2)
    assert response.status_code == 400
    assert response.json()["error"] == "The request has 3 rows; at most 2 are served at once."


def test_versions_that_answer_differently_are_not_joined(folder):
    async def run():
        source = ModelSource(
            "m", str(folder), VersionPolicy(specific=(1, 3)),
            traffic=Traffic.from_config("m", {"split": {"1": 0.5, "3": 0.5}, "key": "feature:user"}),
        )  # fmt: skip
        config = ServerConfig((source,))
        async with DividedServables.of(config) as servables:
            transport = httpx.ASGITransport(build_app(servables, config)[0])
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await Asker(client).predict([_row(1.0, key) for key in KEYS])

    response = asyncio.run(run())
    assert response.status_code == 500
    assert "traffic is divided between differ in the output" in response.json()["error"]


def test_metrics_say_what_is_served(folder):
    async def asking(asker):
        await asker.predict([_row(1.0)] * 3)
        await asker.predict([], path="unknown")
        return await asker.metrics()

    metrics = _ask(folder, asking)
    assert metrics['penstock_version_state{model="m",state="AVAILABLE",version="1"}'] == 1
    assert metrics['penstock_requests_total{code="404",door="rest",model=""}'] == 1
    assert metrics["penstock_ready"] == 1
    assert metrics['penstock_queued_rows{model="m",version="2"}'] == 0
    assert metrics['penstock_batch_rows_sum{model="m",version="1"}'] == 3


def test_agreement_is_by_row():
    floats = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]], np.float32)
    other = floats + np.array([[0.0, 0.0005], [0.0, 0.0], [0.1, 0.0]], np.float32)
    assert agreement({"y": floats}, {"y": other}) == (2, 3)
    text = np.array([b"a", b"b", b"c"], object)
    assert agreement({"t": text}, {"t": np.array([b"a", b"x", b"c"], object)}) == (2, 3)
    assert agreement({"y": floats}, {"z": floats}) == (0, 3)
    assert agreement({"y": floats[:0]}, {"y": floats[:0]}) == (0, 0)
    assert agreement({"t": text[:0]}, {"t": text[:0]}) == (0, 0)
    assert agreement({"y": floats}, {"y": floats[:2]}) == (0, 3)


def test_a_header_that_divides_the_traffic_is_logged_as_a_part_of_the_users(folder, tmp_path):
    async def asking(asker):
        for user in ("ann", "bob", "ann"):
            await asker.predict([_row(1.0)], {"x-user": user})

    config = {"split": {"1": 0.5, "2": 0.5}, "key": "header:x-user"}
    _ask(folder, asking, traffic=config, log=RequestLogConfig(str(tmp_path)))
    traffic = Traffic.from_config("m", config)
    ann, bob, again = (each["served.bucket"] for each in _logged(tmp_path))
    assert ann == again == [traffic.bucket(b"ann")]
    assert bob != ann
    assert 0 <= ann[0] < 4096
