"""What a transform graph's folder says, read without TensorFlow: schemas and vocabularies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from penstock.io.files.filesystem import join, list_directory, open_binary
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_ASSETS = "transform_fn/assets"
_RECORDS = ".tfrecord.gz"
_LINE_END = b"\n"


def read_schema(path: str) -> schema_pb2.Schema:
    """Return the schema in a file `schema.pbtxt`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a schema.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    with open_binary(path) as file:
        text = file.read().decode()
    try:
        schema: schema_pb2.Schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ValueError(f"{path}: not a schema ({error})") from error
    return schema


def transformed_schema(transform_graph: str) -> schema_pb2.Schema:
    """Return the schema of the transformed features."""
    return read_schema(join(transform_graph, "transformed_metadata/schema.pbtxt"))


def raw_schema(transform_graph: str) -> schema_pb2.Schema:
    """Return the schema of the features before the transformation."""
    return read_schema(join(transform_graph, "metadata/schema.pbtxt"))


def vocabulary(transform_graph: str, name: str) -> list[str]:
    """Return the words of a vocabulary, in the order of their indices.

    Args:
        transform_graph: The folder of the transform graph.
        name: The `vocab_filename` of `tft.vocabulary` or `tft.compute_and_apply_vocabulary`, or the
            key of `tft.annotate_asset`.

    Raises:
        ValueError: If there is no such vocabulary; the message names the nearest one.

    Example:
        >>> vocabulary(fn_args.transform_graph_path, "species")
        ['Adelie', 'Gentoo', 'Chinstrap']
    """
    return [word.decode(errors="surrogateescape") for word in _words(transform_graph, name)]


def vocabulary_size(transform_graph: str, name: str) -> int:
    """Return the number of words of a vocabulary; see `vocabulary`."""
    return len(_words(transform_graph, name))


def _words(transform_graph: str, name: str) -> list[bytes]:
    path = join(transform_graph, _ASSETS, _asset(transform_graph, name))
    if path.endswith(_RECORDS):
        from penstock.io.tfrecord.records import read_tfrecords

        return list(read_tfrecords(path, compression="GZIP"))
    with open_binary(path) as file:
        return [line.rstrip(_LINE_END) for line in file]


def _asset(transform_graph: str, name: str) -> str:
    """Return the name of a vocabulary's file, which TensorFlow Transform finds by the same rules."""
    files = list_directory(join(transform_graph, _ASSETS))
    known = {each.removesuffix(_RECORDS): each for each in files}
    mapping = _asset_map(transform_graph)
    if mapping.get(name) in files:
        return mapping[name]
    sanitized = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "_", name).strip())
    if sanitized in known:
        return known[sanitized]
    raise ValueError(
        f"The transform graph at {transform_graph} has no vocabulary {name!r}."
        f"{did_you_mean(name, {*known, *mapping})}"
    )


def _asset_map(transform_graph: str) -> dict[str, str]:
    try:
        with open_binary(join(transform_graph, "transformed_metadata/asset_map")) as file:
            found: dict[str, str] = json.load(file)
    except FileNotFoundError:
        return {}
    return found
