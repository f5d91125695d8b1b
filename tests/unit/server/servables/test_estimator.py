"""Pushed scikit-learn estimators are served; other forms are refused in words."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from penstock.pushing import push_model
from penstock.server import ModelSource, Servables
from penstock.server.errors import InvalidArgumentError
from penstock.server.rest.predict import predict


@pytest.fixture
def folder(tmp_path) -> str:
    pytest.importorskip("sklearn")
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from penstock.training import export_estimator

    table = pd.DataFrame({"kind": ["a", "b", "a", "b"] * 5, "size": [1.0, 2.0, 1.5, 2.5] * 5})
    encoder = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    estimator = make_pipeline(encoder, LogisticRegression())
    estimator.fit(table, ["no", "yes"] * 10)
    export_estimator(
        estimator, str(tmp_path / "model"), feature_keys=["kind", "size"], label_key="y"
    )
    push_model(tmp_path / "model", tmp_path / "pushed", versioning="next")
    return str(tmp_path / "pushed")


def test_an_estimator_is_asked_by_the_names_of_its_features(folder):
    async def run():
        async with Servables([ModelSource("m", folder)], watch_seconds=3600) as servables:
            with servables.get("m") as servable:
                body = b'{"instances": [{"kind": "a", "size": 1}, {"kind": "b", "size": 2}]}'
                answer = await predict(servable, body)
                with pytest.raises(InvalidArgumentError, match="keys must be equal to: kind,size"):
                    await predict(servable, b'{"instances": [{"kind": "a"}]}')
                return answer

    first, second = asyncio.run(run())["predictions"]
    assert first["logistic"] < 0.5 < second["logistic"]
    assert first["all_classes"] == ["no", "yes"]
    assert np.isclose(sum(first["probabilities"]), 1)


def test_other_forms_are_refused_in_words(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.keras").write_bytes(b"")

    async def run():
        async with Servables([ModelSource("m", str(tmp_path))], watch_seconds=3600) as servables:
            return servables.statuses("m")[0].error_message

    assert "is a Keras file, which the server does not serve. Push a SavedModel" in asyncio.run(
        run()
    )
