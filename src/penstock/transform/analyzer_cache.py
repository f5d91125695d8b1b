"""The accumulators of analyzers over a data set, kept so that the next run need not read it again.

A cache is a folder with a folder for each data set, named by the content of its files:

    <data set>/MANIFEST.json      the file of each accumulator by its key
    <data set>/accumulator-0.gz   TFRecords in the coding of the analyzer's own `cache_coder`

The key of an accumulator covers the analyzer, its parameters, the graph before it and TensorFlow
Transform's version. Only analyzers of the first phase are kept: later ones depend on results.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import analyzers, graph_tools, tf_utils

from penstock.artifacts.fingerprint import fingerprint
from penstock.io import ExamplesSplit, TFRecordWriter, read_tfrecords
from penstock.io.files.filesystem import join, open_binary, open_for_writing
from penstock.transform.phases import Phase, Source
from penstock.transform.tracing import Trace

_LOG = logging.getLogger(__name__)

_MANIFEST = "MANIFEST.json"
_RECORDS_AT_ONCE = 100_000
_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


class AnalyzerCache:
    """Reads accumulators of earlier runs and writes those of this one.

    Args:
        read_from: folders that earlier runs wrote; anything else in them is ignored.
        write_to: folder to write, or None.
    """

    def __init__(self, read_from: Sequence[str], write_to: str | None) -> None:
        self._read_from = list(read_from)
        self._write_to = write_to
        self._manifests: dict[str, dict[str, Any]] = {}

    @property
    def in_use(self) -> bool:
        """Whether there is anything to read from or to write to."""
        return bool(self._read_from) or self._write_to is not None

    def key(self, split: ExamplesSplit, schema: schema_pb2.Schema) -> str:
        """Name a data set by the content of its files and how the schema reads them.

        Args:
            split: the data set.
            schema: schema of the examples.
        """
        if not self.in_use:
            return split.name
        digest = hashlib.sha256(schema.SerializeToString(deterministic=True))
        digest.update(f"{split.file_format}\0{split.payload_format}\0".encode())
        for file in split.files:
            digest.update(fingerprint(file)[0].encode())
        return f"Split-{split.name}-{digest.hexdigest()}"

    def load(self, data_set: str, key: str) -> Iterator[bytes] | None:
        """Return the records of an accumulator, or None if no earlier run has it.

        Args:
            data_set: from `key`.
            key: from `accumulator_keys`.
        """
        file = self.find(data_set, key)
        return None if file is None else read_tfrecords(file)

    def find(self, data_set: str, key: str) -> str | None:
        """Return the file of an accumulator, or None if no earlier run has it; see `load`."""
        for root in self._read_from:
            entry = self._manifest(root, data_set).get(key)
            if entry is not None:
                return join(root, data_set, entry["file"])
        return None

    def _manifest(self, root: str, data_set: str) -> dict[str, Any]:
        path = join(root, data_set, _MANIFEST)
        if path not in self._manifests:
            try:
                with open_binary(path) as file:
                    self._manifests[path] = json.load(file)
            except FileNotFoundError:
                self._manifests[path] = {}
        return self._manifests[path]

    def write(self, data_set: str, records: Mapping[str, tuple[str, Iterable[bytes]]]) -> None:
        """Write the accumulators of a data set.

        Args:
            data_set: from `key`.
            records: by key, the analyzer's label and the records of its accumulator.
        """
        for key, file in self.files(data_set, records).items():
            with TFRecordWriter(file) as writer:
                left = iter(records[key][1])
                while some := list(itertools.islice(left, _RECORDS_AT_ONCE)):
                    writer.write_all(some)
        self.write_manifest(data_set, {key: label for key, (label, _) in records.items()})

    def files(self, data_set: str, keys: Iterable[str]) -> dict[str, str]:
        """Where the accumulators of a data set are to be written, by key; none without a folder.

        Args:
            data_set: from `key`.
            keys: all keys that are to be kept.
        """
        if self._write_to is None:
            return {}
        return {key: join(self._write_to, data_set, name) for key, name in _names(keys).items()}

    def write_manifest(self, data_set: str, labels: Mapping[str, str]) -> None:
        """Write the names of a data set's accumulators, after these are written to their `files`.

        Args:
            data_set: from `key`.
            labels: by key, the analyzer's label.
        """
        if self._write_to is None:
            return
        accumulators = {
            key: {"file": name, "analyzer": labels[key]} for key, name in _names(labels).items()
        }
        with open_for_writing(join(self._write_to, data_set, _MANIFEST)) as file:
            file.write(json.dumps(accumulators, indent=1).encode())


def _names(keys: Iterable[str]) -> dict[str, str]:
    return {key: f"accumulator-{number}.gz" for number, key in enumerate(sorted(keys))}


def accumulator_keys(trace: Trace, phase: Phase) -> dict[str, str]:
    """Keys of the accumulators of a phase that can be kept, by the label of their operation.

    Accumulators are left out if they depend on something that the graph does not show (a captured
    table or variable, Python code), or if TensorFlow Transform cannot serialize them, such as the
    moments behind `tft.scale_to_gaussian`.
    """
    graph_def = trace.graph.as_graph_def()
    used = {node.op for node in graph_def.node}
    used.update(node.op for function in graph_def.library.function for node in function.node_def)
    if used & _PYTHON_OPS:
        _LOG.info("preprocessing_fn runs Python code in its graph: analyzers are not cached.")
        return {}
    ready = [(sink.tensor, False) for sink in trace.sinks]
    analyzer = graph_tools.InitializableGraphAnalyzer(
        trace.graph, trace.inputs, ready, graph_tools.describe_path_as_analyzer_cache_hash
    )
    features = {
        tf_utils.hashable_tensor_or_op(component)
        for tensor in trace.inputs.values()
        for component in tf.nest.flatten(tensor, expand_composites=True)
    }
    keys = {}
    for source in phase.sources:
        tensors = [trace.graph.get_tensor_by_name(name) for name in source.tensor_names]
        origins = graph_tools.retrieve_sources([tensor.op for tensor in tensors])
        if any(tf_utils.hashable_tensor_or_op(origin) not in features for origin in origins):
            continue
        paths = [analyzer.get_unique_path(tensor) for tensor in tensors]
        key = _key(source, paths) if None not in paths else None
        if key is not None:
            keys[source.operation.label] = key
    return keys


def _key(source: Source, paths: Sequence[bytes]) -> str | None:
    operation = source.operation
    combiner = getattr(operation, "combiner", None)
    coder = operation.cache_coder if combiner is None else combiner.accumulator_coder
    if coder is None:
        return None
    try:
        described = {
            field: _describe(getattr(operation, field))
            for field in operation._fields
            if field != "label"
        }
    except _UnknownCodeError:
        return None
    digest = hashlib.sha256(f"{tft.__version__} {tf.__version__}\0".encode())
    digest.update(f"{type(operation).__name__} {json.dumps(described, sort_keys=True)}\0".encode())
    for path in paths:
        digest.update(path)
    return digest.hexdigest()


class _UnknownCodeError(Exception):
    """An analyzer's parameter whose behaviour its name does not tell, such as a lambda."""


def _describe(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _describe(value.tolist())
    if isinstance(value, tf.DType):
        return value.name
    name = getattr(value, "__qualname__", None)
    if name is not None and "<" not in name:
        return f"{value.__module__}.{name}"
    if type(value).__module__.startswith("tensorflow_transform."):
        fields = {name: _describe(item) for name, item in vars(value).items()}
        return [type(value).__qualname__, fields]
    raise _UnknownCodeError(repr(value))


def encode(operation: Any, state: Any) -> Iterator[bytes]:
    """Return the records of a state, as an accumulator's `state` property gives it."""
    code: Callable[[Any], bytes] = operation.cache_coder.encode_cache
    if not isinstance(state, dict):
        return map(code, state)
    if getattr(operation, "input_dtype", None) == tf.string.name:
        return (_encode_token(token, value, code) for token, value in state.items())
    return map(code, state.items())


def _encode_token(token: bytes, value: Any, code: Callable[[Any], bytes]) -> bytes:
    """Return what the coder of vocabularies makes of a token, in a fifth of the time for counts."""
    if type(value) is not int:
        return code((token, value))
    count = b"%d" % value
    return struct.pack("qq", len(token), len(count)) + token + count


def decode(operation: Any, records: Iterable[bytes]) -> Any:
    """Return the state that `encode` made records of."""
    code: Callable[[bytes], Any] = operation.cache_coder.decode_cache
    if "PerKey" in type(operation).__name__:
        return dict(code(record) for record in records)
    if hasattr(operation, "combiner"):
        return [code(record) for record in records]
    return {token: _label_means(value) for token, value in map(code, records)}


def _label_means(value: Any) -> Any:
    """Return a token's weight as it is, and its means of labels, which come back as a tuple, whole."""
    if not isinstance(value, tuple):
        return value
    return analyzers.WeightedMeanAndVarCombiner.accumulator_class(*value)
