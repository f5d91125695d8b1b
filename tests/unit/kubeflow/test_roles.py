"""Roles as they are printed; `tests/cluster/test_roles.py` tries them on an API server."""

from __future__ import annotations

import pytest
import yaml

from penstock.cli import main
from penstock.kubeflow.roles import roles_of_people


def test_a_role_and_its_binding_for_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["kubeflow", "role", "nodes", "--namespace", "team", "--service-account", "runs"]
    assert main(typed) == 0
    role, binding = yaml.safe_load_all(capsys.readouterr().out)
    assert (
        role["metadata"] == binding["metadata"] == {"name": "penstock-nodes", "namespace": "team"}
    )
    assert {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["get", "create", "delete"],
    } in role["rules"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "runs", "namespace": "team"}]
    assert binding["roleRef"]["name"] == "penstock-nodes"


def test_train_jobs_are_for_those_who_ask(capsys: pytest.CaptureFixture[str]) -> None:
    main(["kubeflow", "role", "nodes"])
    assert "trainjobs" not in capsys.readouterr().out
    main(["kubeflow", "role", "nodes", "--trainer"])
    assert "trainjobs" in capsys.readouterr().out


def test_people_have_rights_where_kubeflow_is_and_where_their_pods_are() -> None:
    assert len(roles_of_people("kubeflow", group="ml")) == 2
    places = [each["metadata"]["namespace"] for each in roles_of_people("team", user="ada")]
    assert places == ["kubeflow", "kubeflow", "team", "team"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["people"], "Name the people: --user NAME or --group NAME."),
        (["people", "--group", "a", "--trainer"], "--service-account and --trainer are for nodes."),
        (["nodes", "--user", "a"], "--user and --group are for people"),
    ],
)
def test_options_that_have_no_effect(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kubeflow", "role", *words]) == 2
    assert message in capsys.readouterr().err
