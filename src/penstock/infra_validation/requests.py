"""Requests to a model, made of examples."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.infra_validation.specs import RequestSpec
from penstock.io.examples.formats import file_format_named
from penstock.serving.estimator import described_features, is_estimator
from penstock.serving.saved_model import inspect_saved_model
from penstock.serving.signature import DEFAULT_SIGNATURE, FeatureInput, Signature

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io import ExamplesSplit


@dataclass(frozen=True)
class Request:
    """A request of TensorFlow Serving's predict API, by columns.

    Args:
        signature: The signature.
        inputs: A JSON value for each of its tensors, with an entry for each row.
        rows: The number of rows.
        name: What it is called in messages.
    """

    signature: str
    inputs: dict[str, Any]
    rows: int
    name: str

    @property
    def body(self) -> dict[str, Any]:
        """The JSON that is sent."""
        return {"signature_name": self.signature, "inputs": self.inputs}


@dataclass(frozen=True)
class ModelRequests:
    """The requests to a model.

    Args:
        records: The examples, serialized.
        signatures: The signatures that are asked.
        requests: One for each example and signature, and one of all examples for each signature.
    """

    records: Sequence[bytes]
    signatures: Sequence[Signature]
    requests: Sequence[Request]


def make_requests(split: ExamplesSplit, model: str, spec: RequestSpec) -> ModelRequests:
    """Make the requests that a model must answer.

    Args:
        split: The examples.
        model: The model's folder.
        spec: Which and how many.

    Raises:
        penstock.serving.ModelError: If there is no complete model.
        ValueError: If a signature does not exist, or no request can be made of the examples.
    """
    records = list(itertools.islice(_records(split), spec.count))
    if not records:
        raise ValueError(f"Split {split.name!r} has no rows, so no requests can be made of it.")
    known = _signatures(model, records)
    signatures: list[Signature] = []
    requests: list[Request] = []
    for name in spec.signatures:
        if name not in known:
            raise ValueError(
                f"The model at {model} has no signature {name!r}, which RequestSpec names. "
                f"Signatures: {', '.join(known) or 'none'}"
            )
        signature = known[name]
        signatures.append(signature)
        rows = list(_inputs(signature, records))
        size = signature.batch_size or 1
        for i in range(0, len(rows), size):
            part = rows[i : i + size]
            part += part[-1:] * (size - len(part))
            requests.append(_request(signature, part, f"request {len(requests) + 1} to {name!r}"))
        if signature.batch_size is None and len(rows) > 1:
            requests.append(
                _request(signature, rows, f"the request of {len(rows)} rows to {name!r}")
            )
    return ModelRequests(records, signatures, requests)


def _signatures(model: str, records: Sequence[bytes]) -> Mapping[str, Signature]:
    """Return the signatures; of an estimator without unpickling it, which may crash."""
    if not is_estimator(model):
        return inspect_saved_model(model).inputs
    features = described_features(model)
    if features is None:
        features = _decoded(records).schema.names  # the server takes what it needs
    inputs = {name: FeatureInput("", None, required=False) for name in features}
    signature = Signature(DEFAULT_SIGNATURE, inputs, (), takes_examples=False, features=inputs)
    return {DEFAULT_SIGNATURE: signature}


def _decoded(records: Sequence[bytes]) -> pa.RecordBatch:
    from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
    from penstock.io.examples.reader import RecordDecoder

    return RecordDecoder(DEFAULT_PAYLOAD_FORMAT)(list(records), "the examples", 0)


def _request(signature: Signature, rows: Sequence[dict[str, Any]], name: str) -> Request:
    columns = {key: [row[key] for row in rows] for key in signature.inputs}
    return Request(signature.name, columns, len(rows), name)


def _records(split: ExamplesSplit) -> Iterator[bytes]:
    from penstock.io import read_record_batches, read_tfrecords, serialize_examples

    compression = file_format_named(split.file_format).compression
    if compression is not None:
        for file in split.files:
            yield from read_tfrecords(file, compression=compression)
        return
    for batch in read_record_batches(split.files, file_format=split.file_format):
        yield from serialize_examples(batch, missing="absent").to_pylist()


def takes_serialized(signature: Signature) -> bool:
    """Return whether a signature takes one text a row: a serialized tf.Example."""
    if len(signature.inputs) != 1:
        return False
    (described,) = signature.inputs.values()
    one_each = described.shape is None or described.shape == ()
    return signature.takes_examples or (described.dtype == "string" and one_each)


def _inputs(signature: Signature, records: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the JSON values of each row by input."""
    if takes_serialized(signature):
        (key,) = signature.inputs
        for record in records:
            yield {key: _json(record)}
        return
    batch = _decoded(records)
    columns = {
        key: _column(signature, key, described, batch)
        for key, described in signature.inputs.items()
    }
    for row in range(len(records)):
        yield {key: values[row] for key, values in columns.items()}


def _column(
    signature: Signature, key: str, described: FeatureInput, batch: pa.RecordBatch
) -> list[Any]:
    index = batch.schema.get_field_index(key)
    if index < 0:
        raise ValueError(
            f"The signature {signature.name!r} takes {key!r}, which the examples do not have. "
            f"Features: {', '.join(sorted(batch.schema.names))}"
        )
    rows: list[Any] = []
    sizes = described.shape
    for row, values in enumerate(batch.column(index).to_pylist()):
        found = [_json(value) for value in values or []]
        if not found and not described.required:
            rows.append(None)
            continue
        if sizes == () or (sizes is None and len(found) == 1):
            fits, value = len(found) == 1, found[0] if found else None
        else:
            fits, value = _shaped(found, list(sizes or (-1,)))
        if not fits:
            raise ValueError(
                f"The signature {signature.name!r} takes {key!r} in the shape {list(sizes or ())}. Row "
                f"{row} of the examples has {len(found)} values."
            )
        rows.append(value)
    return rows


def _shaped(values: list[Any], sizes: list[int]) -> tuple[bool, Any]:
    """Return whether values fit a shape with at most one free size, and them in it."""
    known = 1
    for size in sizes:
        known *= 1 if size < 0 else size
    if sizes.count(-1) > 1 or not known or len(values) % known:
        return False, None
    sizes = [len(values) // known if size < 0 else size for size in sizes]
    total = 1
    for size in sizes:
        total *= size
    if total != len(values):
        return False, None
    for size in reversed(sizes[1:]):
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return True, values


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return value
