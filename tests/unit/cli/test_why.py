"""What `why` says of nodes that are no plain hit or miss."""

from __future__ import annotations

import json

import pytest

from penstock.cli import main

PIPELINE = '''
from penstock.artifacts import Integer, Model, String
from penstock.dsl import Component, Importer, Input, LatestArtifacts, Output, Pipeline, Resolver, output


class Flaky(Component):
    """Fails until the file `good` is there."""
    text: Input[String] | None = None
    done: Output[Integer] = output()

    def run(self, context):
        import os
        if os.path.exists(context.resolve_path("good")):
            self.done.value = 1
            return
        if os.path.exists(context.resolve_path("better")):
            open(context.resolve_path("good"), "w").close()
        raise OSError("not yet")


class After(Component):
    """Reads it."""
    done: Input[Integer]
    also: Output[Integer] = output()

    def run(self, context):
        self.also.value = 2


imported = Importer("data/value", String)
found = Resolver(LatestArtifacts(), done=Integer)
flaky = Flaky(text=imported).with_policy(retries=1, backoff_seconds=0.0)
after = After(done=flaky)
last = After(done=after).with_id("Last")
pipeline = Pipeline("flaky", components=[imported, found, flaky, after, last])
'''


@pytest.fixture
def flaky(project):
    (project / "pipelines/flaky.py").write_text(PIPELINE)
    (project / "data/value").write_text("hello")
    return project


def run(code: int) -> None:
    assert main(["run", "pipelines/flaky.py", "--in-process", "--progress", "none"]) == code


def why(capsys, node: str) -> dict:
    capsys.readouterr()
    assert main(["why", "latest", node, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_resolvers_are_never_cached(flaky, capsys):
    run(1)
    assert why(capsys, "Resolver")["headline"] == (
        "A resolver looks up its artifacts in every run; it is never cached."
    )


def test_importers_know_what_they_imported(flaky, capsys):
    run(1)
    assert "was not known to the store" in why(capsys, "Importer")["headline"]
    run(1)
    assert "was imported before" in why(capsys, "Importer")["headline"]


def test_nodes_that_did_not_run_say_for_whom_they_waited(flaky, capsys):
    run(1)
    after = why(capsys, "After")
    assert (after["state"], after["headline"]) == ("SKIPPED", "After did not run in this run.")
    assert after["reasons"] == ["Flaky failed: OSError: not yet"]
    assert why(capsys, "Last")["reasons"] == ["it waits for After, which also did not run"]


def test_a_retried_node_tells_of_its_attempts(flaky, capsys):
    (flaky / "better").touch()
    run(0)
    found = why(capsys, "Flaky")
    assert found["headline"] == "It ran because it never succeeded before."
    assert "attempt 1 failed: OSError: not yet" in found["reasons"]
    assert main(["show", "latest"]) == 0
    assert "attempt 2; " in capsys.readouterr().out


def test_an_imported_value_that_changed_is_an_input_that_changed(flaky, capsys):
    (flaky / "better").touch()
    run(0)
    (flaky / "data/value").write_text("other")
    run(0)
    assert why(capsys, "Flaky")["differences"][0]["sentence"] == (
        "input text changed: Importer imported different content"
    )


def test_a_node_whose_producer_is_left_out_reads_its_latest(flaky, capsys):
    (flaky / "better").touch()
    run(0)
    (flaky / "data/value").write_text("other")
    run(0)
    capsys.readouterr()
    assert main(["run", "pipelines/flaky.py", "--in-process", "--json", "--only", "After"]) == 0
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    assert nodes["After"]["state"] == "CACHED"
