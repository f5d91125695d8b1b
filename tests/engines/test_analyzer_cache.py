"""The analyzer cache: what one driver has accumulated, the other need not read again."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.beam import AnalyzeOnBeam, analyze
from penstock.io import ExamplesSplit, ExamplesWriter, read_record_batches, split_files
from penstock.transform import AnalysisElsewhere, TransformFolders, transform

pytestmark = pytest.mark.tensorflow

SPANS = ("one", "two")
SCHEMA = text_format.Parse(
    "".join(
        f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1 }} '
        "shape { dim { size: 1 } } }"
        for name, kind in (("x", "FLOAT"), ("w", "BYTES"), ("y", "INT"))
    ),
    schema_pb2.Schema(),
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> str:
    uri = str(tmp_path_factory.mktemp("examples"))
    random = np.random.default_rng(3)
    with ExamplesWriter(uri, SPANS, num_shards=2) as writer:
        for span in SPANS:
            word = random.integers(0, 9, 300)
            columns = {
                "x": random.normal(5, 2, 300).astype(np.float32),
                "w": [f"w{each}" for each in word],
                "y": (word + random.integers(0, 3, 300) > 5).astype(np.int64),
            }
            writer.write(span, pa.record_batch(columns))
    return uri


class Runs:
    """Transforms under names, here or on Beam, each with the cache of others."""

    def __init__(self, examples: str, root: Path, fallback: AnalyzeOnBeam) -> None:
        self._examples = examples
        self._root = root
        self._fallback = fallback

    def __call__(self, name, spans, caches=(), *, on_beam, function="one_phase", keep=True):
        def shards(names):
            return [ExamplesSplit(span, split_files(self._examples, span)) for span in names]

        result = transform(
            preprocessing_fn=getattr(import_module("forest.cached_features"), function),
            schema=SCHEMA,
            analyze=shards(spans),
            transform=shards(SPANS),
            folders=TransformFolders(
                str(self._root / name / "graph"),
                str(self._root / name / "examples"),
                earlier_caches=[str(self._root / cache / "cache") for cache in caches],
                updated_cache=str(self._root / name / "cache") if keep else None,
            ),
            elsewhere=AnalysisElsewhere(self._fallback, on_beam),
        )
        return result, self.content(name)

    def content(self, name):
        columns = {}
        for span in SPANS:
            for batch in read_record_batches(
                split_files(str(self._root / name / "examples"), span)
            ):
                for feature, column in zip(batch.schema.names, batch.columns, strict=True):
                    columns.setdefault(feature, []).extend(column.flatten().to_pylist())
        return columns

    def manifests(self, name):
        return {
            path.parent.name: json.loads(path.read_text())
            for path in (self._root / name / "cache").glob("*/MANIFEST.json")
        }


@pytest.fixture
def runs(examples, project, tmp_path, engine, monkeypatch) -> Runs:
    monkeypatch.syspath_prepend(str(project))
    return Runs(examples, tmp_path, AnalyzeOnBeam(engine, str(project)))


@pytest.fixture
def read_on_beam(monkeypatch) -> list[str]:
    """The files that Beam's analysis reads, of each pipeline."""
    read: list[str] = []
    batches = analyze._batches

    def spied(pipeline, name, shards, reader):
        read.extend(Path(file).parent.name for one in shards for file in one.files)
        return batches(pipeline, name, shards, reader)

    monkeypatch.setattr(analyze, "_batches", spied)
    return read


def assert_same(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-5), name


def test_beam_reads_what_the_local_driver_wrote_and_back(runs, read_on_beam):
    _, expected = runs("fresh", SPANS, on_beam=False)
    runs("first", ["one"], on_beam=False)
    _, found = runs("second", SPANS, ["first"], on_beam=True)
    assert set(read_on_beam) == {"Split-two"}
    assert_same(found, expected)
    assert runs.manifests("second") == runs.manifests("fresh")
    third, found = runs("third", SPANS, ["second"], on_beam=False)
    assert third.rows_analyzed == {}
    assert_same(found, expected)


def test_a_span_that_is_known_is_not_read(runs, read_on_beam):
    _, expected = runs("fresh", SPANS, on_beam=True)
    assert set(read_on_beam) == {"Split-one", "Split-two"}
    read_on_beam.clear()
    _, found = runs("again", SPANS, ["fresh"], on_beam=True)
    assert read_on_beam == []
    assert_same(found, expected)
    assert runs.manifests("again") == runs.manifests("fresh")


def test_later_phases_read_the_data(runs, read_on_beam):
    _, expected = runs("fresh", SPANS, on_beam=False, function="several_phases")
    runs("first", SPANS, on_beam=True, function="several_phases")
    read_on_beam.clear()
    _, found = runs("second", SPANS, ["first"], on_beam=True, function="several_phases")
    assert set(read_on_beam) == {"Split-one", "Split-two"}
    assert_same(found, expected)
    assert runs.manifests("second") == runs.manifests("first") != {}


def test_several_phases_without_a_cache(runs):
    _, expected = runs("fresh", SPANS, on_beam=False, function="several_phases")
    _, found = runs("beam", SPANS, on_beam=True, function="several_phases", keep=False)
    assert_same(found, expected)


def test_files_do_not_depend_on_the_workers(runs, examples, tmp_path):
    runs("first", ["one"], on_beam=True)
    runs("again", ["one"], on_beam=True)
    (folder,) = (tmp_path / "first" / "cache").iterdir()
    for file in folder.iterdir():
        other = tmp_path / "again" / "cache" / folder.name / file.name
        assert other.read_bytes() == file.read_bytes(), file.name
