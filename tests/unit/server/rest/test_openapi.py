"""The OpenAPI document, and the page to try the models."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def test_the_document_has_the_features_of_each_model(server):
    content = server.get("/openapi.json").json()
    assert content["openapi"] == "3.1.0"
    assert content["components"]["schemas"]["m.Row"] == {
        "type": "object",
        "properties": {
            "kind": {"type": ["string", "null"]},
            "n": {"type": ["integer", "null"]},
            "x": {"type": "number"},
        },
        "required": ["x"],
    }
    rows = content["paths"]["/v1/models/m:rows"]["post"]
    assert (rows["x-penstock-versions"], rows["x-penstock-default"]) == ([3], 3)
    for path, verbs in content["paths"].items():
        for verb in verbs:
            answer = getattr(server, verb)(path)
            assert answer.status_code in (200, 400), path


def test_the_page_needs_nothing_from_elsewhere(server):
    answer = server.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "openapi.json" in answer.text
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", answer.text)
    assert "@import" not in answer.text


def test_a_page_of_another_site_is_refused(server):
    answer = server.get("/openapi.json", headers={"Origin": "https://example.com"})
    assert answer.status_code == 403
