"""Versions that come, are labelled, break and go, with real models."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from penstock.pushing import is_held, push_model, remove_alias, set_alias
from penstock.server import ModelSource, Servables, VersionPolicy
from penstock.server.errors import NotFoundError, UnavailableError
from penstock.server.servables.served_model import ServedModelVersions

pytestmark = pytest.mark.tensorflow


def changed(path: str, version: str, folder: str) -> None:
    """Add a version as a folder without a manifest."""
    shutil.copytree(path, f"{folder}/.new")
    os.rename(f"{folder}/.new", f"{folder}/{version}")


def with_servables(source: ModelSource, steps):
    async def run():
        servables = Servables([source], watch_seconds=3600)
        await servables.update()
        try:
            return await steps(servables)
        finally:
            await servables.close()

    return asyncio.run(run())


async def half(servables, **chosen):
    with servables.get("m", **chosen) as servable:
        outputs = await servable.predict("halve", {"x": np.array([3.0], np.float32)})
        return servable.version, outputs["half"].tolist()


def states(servables) -> dict[int, str]:
    return {each.version: each.state.value for each in servables.statuses("m")}


@pytest.fixture
def folder(saved_model, tmp_path) -> str:
    changed(saved_model, "1", str(tmp_path))
    return str(tmp_path)


def test_a_new_version_replaces_the_old_and_requests_in_progress_keep_theirs(saved_model, folder):
    async def steps(servables):
        with servables.get("m") as old:
            changed(saved_model, "0002", folder)
            await servables.update()
            assert await half(servables) == (2, [1.5])
            assert states(servables) == {2: "AVAILABLE", 1: "UNLOADING"}
            with pytest.raises(NotFoundError, match=r"Version 1 of 'm' is not served. Versions: 2"):
                servables.get("m", 1)
            outputs = await old.predict("halve", {"x": np.array([5.0], np.float32)})
            assert outputs["half"].tolist() == [2.5]
        for _ in range(1000):
            if states(servables)[1] == "END":
                return
            await asyncio.sleep(0.01)
        raise AssertionError(states(servables))

    with_servables(ModelSource("m", folder), steps)


def test_a_broken_version_never_replaces_a_good_one(saved_model, folder, caplog):
    async def steps(servables):
        changed(saved_model, "2", folder)
        os.truncate(f"{folder}/2/saved_model.pb", 100)
        await servables.update()
        assert await half(servables) == (1, [1.5])
        (status,) = servables.statuses("m", 2)
        assert (status.state.value, status.error_code) == ("END", "INTERNAL")
        assert "saved_model.pb is damaged" in status.error_message
        assert "version 2 cannot be served, so version 1 stays" in caplog.text
        caplog.clear()
        await servables.update()
        assert "version 2" not in caplog.text  # said once, and not tried again as it is
        shutil.copyfile(f"{saved_model}/saved_model.pb", f"{folder}/2/saved_model.pb")
        await servables.update()
        assert await half(servables) == (2, [1.5])

    with caplog.at_level(logging.INFO, "penstock.server"):
        with_servables(ModelSource("m", folder), steps)


def test_only_a_broken_version_is_unavailable_and_says_why(folder):
    Path(folder, "1", "saved_model.pb").unlink()

    async def steps(servables):
        assert not servables.ready
        with pytest.raises(UnavailableError, match="Version 1: No SavedModel .* is missing"):
            servables.get("m")

    with_servables(ModelSource("m", folder), steps)


def test_policies(saved_model, folder):
    for version in ("2", "3"):
        changed(saved_model, version, folder)

    def served(**settings):
        async def steps(servables):
            return servables.model("m").available

        return with_servables(ModelSource("m", folder, **settings), steps)

    assert served(policy=VersionPolicy(latest=2)) == [2, 3]
    assert served(policy=VersionPolicy(specific=(1, 9))) == [1]
    assert served(labels={"canary": 1}) == [1, 3]
    for wrong in ({}, {"latest": 0}, {"latest": 1, "all": True}):
        with pytest.raises(ValueError, match="latest"):
            VersionPolicy(**wrong)


def test_aliases_that_are_set_beside_the_versions_are_labels(saved_model, tmp_path, caplog):
    folder = str(tmp_path / "pushed")
    for _ in range(2):
        push_model(saved_model, folder, versioning="next")
    set_alias(folder, "champion", 1)

    async def steps(servables):
        assert await half(servables) == (1, [1.5])
        assert await half(servables, version=2) == (2, [1.5])
        with pytest.raises(
            NotFoundError, match=r"no label 'canary' that is served. Labels: champion"
        ):
            servables.get("m", label="canary")
        set_alias(folder, "champion", 2)
        await servables.update()
        assert await half(servables, label="champion") == (2, [1.5])
        push_model(saved_model, folder, versioning="next")
        os.truncate(f"{folder}/3/variables/variables.index", 10)
        set_alias(folder, "champion", 3)
        await servables.update()
        assert await half(servables, label="champion") == (2, [1.5])
        assert "label champion stays at version 2: version 3 is not served" in caplog.text
        Path(folder, "penstock_aliases.json").write_text("{")
        await servables.update()
        assert await half(servables, label="champion") == (2, [1.5])
        assert "the labels stay as they are" in caplog.text
        Path(folder, "penstock_aliases.json").write_text(
            json.dumps({"format": 1, "aliases": {"champion": 2}})
        )
        remove_alias(folder, "champion")
        await servables.update()
        assert servables.model("m").labels == {}

    with_servables(ModelSource("m", folder, default_label="champion"), steps)


def test_a_server_is_ready_when_its_default_label_answers(tmp_path):
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
    set_alias(str(tmp_path), "champion", 1)
    seen = []

    def load(source, version, folder):
        seen.append((version, versions.ready))
        if versions.available:
            with pytest.raises(UnavailableError, match="Version 1 of 'm', its 'champion', is not"):
                versions.use()
        return SimpleNamespace(close=lambda: None)

    versions = ServedModelVersions(ModelSource("m", str(tmp_path), default_label="champion"), load)

    async def steps():
        await versions.update()
        seen.append((versions.available, versions.ready))
        await versions.close()

    asyncio.run(steps())
    assert seen == [(2, False), (1, False), ([1, 2], True)]


def test_checksums_are_verified_and_versions_in_use_are_held(saved_model, tmp_path, caplog):
    folder = str(tmp_path / "pushed")
    push_model(saved_model, folder, versioning="next")

    async def steps(servables):
        assert is_held(folder, 1)
        push_model(saved_model, folder, versioning="next")
        data = next(Path(folder, "2", "variables").glob("variables.data-*"))
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
        await servables.update()
        assert await half(servables) == (1, [1.5])
        assert (
            "has another content than its manifest says"
            in servables.statuses("m", 2)[0].error_message
        )

    with_servables(ModelSource("m", folder), steps)
    assert not is_held(folder, 1)
    assert "no manifest" not in caplog.text


def test_what_does_not_fit_into_memory_is_refused_in_words(folder):
    async def steps(servables):
        (status,) = servables.statuses("m", 1)
        assert status.error_code == "RESOURCE_EXHAUSTED"
        assert status.error_message == (
            "it needs about 8 MB, more than the 1 MB that max_memory allows"
        )

    with_servables(ModelSource("m", folder, max_memory=1 << 20), steps)


def test_folders_that_are_gone_at_once_leave_what_is_loaded(saved_model, folder):
    async def steps(servables):
        changed(saved_model, "2", folder)
        await servables.update()
        shutil.rmtree(f"{folder}/2")
        await servables.update()
        assert (await half(servables))[0] == 1
        shutil.rmtree(f"{folder}/1")
        await servables.update()
        assert (await half(servables))[0] == 1

    with_servables(ModelSource("m", folder), steps)


def warm_up_file(folder: str, values: list[float], signature: str = "halve") -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    Path(folder, "assets.extra").mkdir(exist_ok=True)
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(values, tf.float32))
    with tf.io.TFRecordWriter(f"{folder}/assets.extra/tf_serving_warmup_requests") as writer:
        writer.write(log.SerializeToString())


def test_warm_up_requests_are_computed_and_a_model_that_fails_on_them_is_broken(
    saved_model, folder, caplog
):
    warm_up_file(f"{folder}/1", [1.0, 2.0])

    async def steps(servables):
        assert "version 1 is loaded and warmed by 1 requests" in caplog.text
        changed(saved_model, "2", folder)
        warm_up_file(f"{folder}/2", [1.0], signature="hlave")
        await servables.update()
        (status,) = servables.statuses("m", 2)
        assert "request 0 of" in status.error_message
        assert "no signature 'hlave'" in status.error_message
        changed(saved_model, "3", folder)
        warm_up_file(f"{folder}/3", [[1.0]])
        await servables.update()
        assert "fails on its warm-up request 0" in servables.statuses("m", 3)[0].error_message
        assert await half(servables) == (1, [1.5])

    with caplog.at_level(logging.INFO, "penstock.server"):
        with_servables(ModelSource("m", folder), steps)


def test_without_a_file_each_signature_is_warmed(folder, caplog):
    async def steps(servables):
        assert "version 1 is loaded and warmed by 10 requests" in caplog.text
        assert f"m: {folder}/1 has no manifest" in caplog.text

    with caplog.at_level(logging.INFO, "penstock.server"):
        with_servables(ModelSource("m", folder), steps)


def test_examples_and_inputs_that_are_wrong(folder):
    from penstock.server.errors import InvalidArgumentError

    async def steps(servables):
        with servables.get("m") as servable:
            with pytest.raises(InvalidArgumentError, match="takes no tf.Examples. It takes: x"):
                await servable.examples([b""], "halve")
            with pytest.raises(InvalidArgumentError, match="needs the input 'x'"):
                await servable.predict("halve", {})
            with pytest.raises(InvalidArgumentError, match="has no input 'y'"):
                await servable.predict("halve", {"x": np.zeros(1, "f4"), "y": np.zeros(1)})
            wrong = {"a": np.zeros((1, 2), "f4"), "i": np.zeros(2, "i4")}
            wrong |= {"s": np.array([b""], object), "b": np.zeros(1, bool)}
            with pytest.raises(InvalidArgumentError, match="same number of rows"):
                await servable.predict("mixed", wrong)

    with_servables(ModelSource("m", folder), steps)


def test_a_name_must_fit_into_a_url():
    with pytest.raises(ValueError, match="Received: 'a/b'"):
        ModelSource("a/b", "x")
