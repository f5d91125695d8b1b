"""Each runner of the registry keeps what it declares."""

from __future__ import annotations

import pytest

from penstock.dsl import DefinitionError
from penstock.runners.protocol import CompilingRunner, Runner
from penstock.runners.registry import known_runners, runner_class, runner_names


@pytest.mark.parametrize("name", sorted(known_runners()))
def test_a_runner_has_the_methods_for_what_it_declares(name: str) -> None:
    runner_type = runner_class(name)
    runner = runner_type.from_options({})
    abilities = runner_type.ABILITIES
    assert name == runner_type.NAME
    assert isinstance(runner, Runner)
    assert isinstance(runner, CompilingRunner) == abilities.compiles
    assert hasattr(runner, "resume") == abilities.resumes
    assert abilities.executes or abilities.compiles


def test_runners_are_found_by_what_they_can_do() -> None:
    assert runner_names("executes") == ["local"]
    assert runner_names("compiles") == ["kubeflow"]
    assert runner_names("compiles", "resumes") == []


def test_an_unknown_runner_is_answered_with_the_nearest() -> None:
    with pytest.raises(DefinitionError, match=r"no runner 'kubeflw'\. Did you mean 'kubeflow'\?"):
        runner_class("kubeflw")


def test_an_entry_point_that_is_no_runner_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "penstock.runners.registry._OWN", {"airflow": "penstock.dsl.resources:Resources"}
    )
    with pytest.raises(DefinitionError, match="which is not a runner: it has no ABILITIES"):
        runner_class("airflow")
