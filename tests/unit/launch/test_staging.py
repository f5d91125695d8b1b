from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest

from penstock.artifacts import Examples, Model, location
from penstock.dsl import Component, ExecutionContext, Input, Output, Pipeline, Rejected, output
from penstock.graph import compile_pipeline
from penstock.launch.attempt import Attempt, AttemptResult, RunSettings
from penstock.launch.execution import execute

ROOT = "memory://bucket/root"
seen: dict[str, str] = {}


class Train(Component):
    """Opens files, as most libraries do."""

    examples: Input[Examples]
    rejects: bool = False
    model: Output[Model] = output()

    def run(self, context: ExecutionContext) -> None:
        seen.update(examples=self.examples.uri, model=self.model.uri)
        text = Path(self.examples.split_uri("train"), "rows").read_text()
        folder = Path(self.model.uri, "Format-Serving")
        folder.mkdir()
        (folder / "weights").write_text(text.upper())
        self.model.custom_properties["from"] = self.examples.uri
        self.model.custom_properties["steps"] = 7
        if self.rejects:
            raise Rejected("too loud")


class Streams(Train):
    """Opens URLs itself."""

    READS_URLS: ClassVar[bool] = True

    def run(self, context: ExecutionContext) -> None:
        seen.update(examples=self.examples.uri, model=self.model.uri)
        rows = location.read_bytes(f"{self.examples.split_uri('train')}/rows")
        location.write_bytes(f"{self.model.uri}/weights", rows)


class Fails(Train):
    def run(self, context: ExecutionContext) -> None:
        super().run(context)
        raise RuntimeError("no")


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("sys").modules[__name__])
    location.write_bytes(f"{ROOT}/gen/examples/1/Split-train/rows", b"a b")
    seen.clear()
    yield
    fsspec.filesystem("memory").store.clear()


def examples() -> Examples:
    found = Examples(f"{ROOT}/gen/examples/1")
    found.splits = ["train"]
    return found


def run(kind: type[Train], folder: Path, **parameters: object) -> tuple[Attempt, AttemptResult]:
    from penstock.dsl import Importer

    source = Importer(f"{ROOT}/gen/examples/1", Examples)
    node = kind(examples=source.outputs["result"], **parameters)  # type: ignore[arg-type]
    beam = parameters.pop("beam", ())
    graph = compile_pipeline(Pipeline("p", ROOT, [source, node], beam_pipeline_args=list(beam)))  # type: ignore[call-overload]
    attempt = Attempt.laid_out(
        graph[kind.__name__],
        RunSettings("run-1", "p", ROOT, str(folder)),
        5,
        inputs={"examples": [examples()]},
        system_root=str(folder),
    )
    return attempt, execute(attempt)


def test_a_component_works_on_files_of_this_machine(tmp_path: Path) -> None:
    attempt, result = run(Train, tmp_path)
    assert result.error is None
    assert seen["examples"].startswith(str(tmp_path))
    assert seen["examples"].endswith("/bucket/root/gen/examples/1")
    model = result.outputs["model"]
    assert model.uri == attempt.outputs["model"].uri == f"{ROOT}/Train/model/5"
    assert location.read_bytes(f"{model.uri}/Format-Serving/weights") == b"A B"
    assert model.fingerprint
    # A place of this machine means nothing elsewhere.
    assert model.custom_properties["from"] == f"{ROOT}/gen/examples/1"
    assert model.custom_properties["steps"] == 7
    assert not list(tmp_path.rglob("*.staged"))


def test_its_fingerprint_is_that_of_a_local_one(tmp_path: Path) -> None:
    _, result = run(Train, tmp_path)
    from penstock.artifacts.fingerprint import fingerprint

    model = result.outputs["model"]
    assert model.fingerprint == fingerprint(model.uri)[0]


def test_a_component_that_opens_urls_gets_them(tmp_path: Path) -> None:
    _, result = run(Streams, tmp_path)
    assert result.error is None
    assert seen == {"examples": f"{ROOT}/gen/examples/1", "model": f"{ROOT}/Streams/model/5"}


@pytest.mark.parametrize(
    ("arguments", "local"),
    [
        ((), True),
        (("--runner=DirectRunner",), True),
        (("--runner", "DirectRunner", "--direct_num_workers=2"), True),
        (("--runner=apache_beam.runners.dataflow.DataflowRunner",), False),
        (("--runner", "FlinkRunner"), False),
    ],
)
def test_what_beam_s_workers_read_is_not_copied_to_this_machine(
    tmp_path: Path, arguments: tuple[str, ...], local: bool
) -> None:
    from penstock.launch.staging import Staging

    attempt, _ = run(Train, tmp_path)
    node = dataclasses.replace(attempt.node, beam_pipeline_args=arguments)
    staging = Staging(dataclasses.replace(attempt, node=node))
    assert (staging.fetch().outputs["model"].uri == attempt.outputs["model"].uri) is not local
    staging.remove()


def test_nothing_is_copied_of_an_attempt_that_failed(tmp_path: Path) -> None:
    _, result = run(Fails, tmp_path)
    assert result.error == "RuntimeError: no"
    assert not location.exists(f"{ROOT}/Fails")
    assert not list(tmp_path.rglob("*.staged"))


def test_what_a_gate_wrote_is_kept(tmp_path: Path) -> None:
    _, result = run(Train, tmp_path, rejects=True)
    assert result.rejected
    assert location.read_bytes(f"{result.outputs['model'].uri}/Format-Serving/weights") == b"A B"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    fsspec.filesystem("memory").store.clear()
    _, result = run(Train, tmp_path)
    assert result.error == f"FileNotFoundError: There is nothing at {ROOT}/gen/examples/1."
