"""The local driver's analyzer cache, read and written by TensorFlow Transform's analysis on Beam.

Both keep an accumulator as the records of the analyzer's own `cache_coder`, under keys of their own: ours
covers the graph before the analyzer, TensorFlow Transform's also the labels of its nodes. The label of the
accumulating node, which both have, tells which is which.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import apache_beam as beam

from penstock.artifacts import location
from penstock.io.examples.shard_files import written_whole

if TYPE_CHECKING:
    from penstock.transform.analyzer_cache import AnalyzerCache

_DIGEST_BYTES = 20  # "<version><label>-<SHA-1>"


@dataclasses.dataclass(frozen=True)
class BeamAnalyzerCache:
    """The cached accumulators of some data sets, and where to keep new ones.

    Args:
        cache: The local driver's cache.
        data_sets: Names of the data sets in that cache.
        keys: The keys in that cache of the accumulators that can be kept, by label.
        beam_keys: TensorFlow Transform's keys of the same accumulators, by label.

    Example:
        kept = BeamAnalyzerCache.of(cache, names, preprocessing_fn, type_specs, "/tmp")
        known = kept.read(pipeline)
    """

    cache: AnalyzerCache
    data_sets: Sequence[str]
    keys: Mapping[str, str]
    beam_keys: Mapping[str, bytes]

    @classmethod
    def of(
        cls,
        cache: AnalyzerCache,
        data_sets: Sequence[str],
        preprocessing_fn: Callable[[Mapping[str, Any]], dict[str, Any]],
        type_specs: Mapping[str, Any],
        temp_dir: str,
    ) -> BeamAnalyzerCache:
        """Find out by tracing the function which accumulators can be kept.

        Args:
            cache: The local driver's cache.
            data_sets: Names of the data sets in that cache.
            preprocessing_fn: From raw to transformed features.
            type_specs: `tf.TypeSpec` of the raw features, by name.
            temp_dir: Scratch space.
        """
        from tensorflow_transform.beam import analysis_graph_builder
        from tensorflow_transform.beam.analyzer_cache import DatasetKey, make_cache_entry_key

        from penstock.transform.analyzer_cache import accumulator_keys
        from penstock.transform.phases import plan_phases
        from penstock.transform.tracing import trace

        traced = trace(preprocessing_fn, type_specs, temp_dir)
        phases = plan_phases(traced)
        keys = accumulator_keys(traced, phases[0]) if phases else {}
        prefix = len(make_cache_entry_key(b""))
        found = analysis_graph_builder.get_analysis_cache_entry_keys(
            preprocessing_fn, type_specs, [DatasetKey("any")], False
        )
        by_label = {key[prefix : -_DIGEST_BYTES - 1].decode(): key for key in found}
        shared = keys.keys() & by_label.keys()
        return cls(
            cache,
            data_sets,
            {label: keys[label] for label in shared},
            {label: by_label[label] for label in shared},
        )

    @property
    def dataset_keys(self) -> list[Any]:
        """TensorFlow Transform's names of the data sets, in their order."""
        from tensorflow_transform.beam.analyzer_cache import DatasetKey

        return [DatasetKey(f"data-{number:05d}") for number in range(len(self.data_sets))]

    def read(self, pipeline: Any) -> dict[Any, Any]:
        """Return the accumulators of earlier runs in TensorFlow Transform's form."""
        from tensorflow_transform.beam.analyzer_cache import DatasetCache

        known = {}
        for key, data_set in zip(self.dataset_keys, self.data_sets, strict=True):
            files = {label: self.cache.find(data_set, self.keys[label]) for label in self.keys}
            known[key] = DatasetCache(
                {
                    self.beam_keys[label]: (
                        pipeline
                        | f"Known[{key.key}][{label}]" >> beam.Create([file])
                        | f"Load[{key.key}][{label}]" >> beam.FlatMap(_load)
                    )
                    for label, file in sorted(files.items())
                    if file is not None
                },
                None,
            )
        return known

    def write(self, found: Mapping[Any, Any]) -> None:
        """Write accumulators on the workers; `complete` is to follow when they are written.

        Args:
            found: What TensorFlow Transform has accumulated anew.
        """
        for key, data_set in zip(self.dataset_keys, self.data_sets, strict=True):
            new = found.get(key)
            if new is None:
                continue
            for label, file in self._files(data_set).items():
                records = new.get(self.beam_keys[label])
                if records is not None:
                    _ = (
                        records
                        | f"Gather[{key.key}][{label}]" >> beam.combiners.ToList()
                        | f"Store[{key.key}][{label}]"
                        >> beam.Map(functools.partial(_store, file=file))
                    )

    def complete(self) -> None:
        """Add the accumulators of earlier runs, and the manifests."""
        for data_set in self.data_sets:
            files = self._files(data_set)
            for label, file in files.items():
                known = self.cache.find(data_set, self.keys[label])
                if known is not None and not location.exists(file):
                    location.write_bytes(file, location.read_bytes(known))
            self.cache.write_manifest(data_set, {self.keys[label]: label for label in files})

    def _files(self, data_set: str) -> dict[str, str]:
        """Where accumulators are to be written, by label."""
        files = self.cache.files(data_set, self.keys.values())
        return {label: files[key] for label, key in sorted(self.keys.items()) if key in files}


def _load(path: str) -> list[bytes]:
    from penstock.io import read_tfrecords

    return list(read_tfrecords(path))


def _store(records: Sequence[bytes], file: str) -> None:
    """Write records in an order that does not depend on who accumulated them."""
    from penstock.io import TFRecordWriter

    with written_whole(file) as path, TFRecordWriter(path, "GZIP") as writer:
        writer.write_all(sorted(records))
