"""Which of the schemas that a Trainer was given describes its examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.training.transform_facts import raw_schema, read_schema, transformed_schema

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.training.fn_args import FnArgs


def schema_of_examples(fn_args: FnArgs) -> schema_pb2.Schema:
    """Return the schema of the examples; see `FnArgs.schema`.

    A Trainer with a transform graph usually has transformed examples, but it may have raw ones and
    transform them itself. A look at the first rows tells which.
    """
    graph, path = fn_args.transform_graph_path, fn_args.schema_path
    if graph is None:
        if path is None:
            raise ValueError(
                "The features of the examples are described by a schema or a transform graph. Give one: "
                "Trainer(schema=...) or Trainer(transform_graph=...)."
            )
        return read_schema(path)
    transformed = transformed_schema(graph)
    found = _names_in(fn_args)
    if found is None or found & {feature.name for feature in transformed.feature}:
        return transformed
    raw = raw_schema(graph) if path is None else read_schema(path)
    return raw if found & {feature.name for feature in raw.feature} else transformed


def _names_in(fn_args: FnArgs) -> set[str] | None:
    """Return the features of the first rows; None if there are no rows."""
    from penstock.io import read_record_batches
    from penstock.training.data_accessor import matching_files

    for pattern in [*fn_args.train_files, *fn_args.eval_files]:
        for file in matching_files(pattern):
            for batch in read_record_batches(
                [file],
                file_format=fn_args.file_format,
                payload_format=fn_args.payload_format,
                batch_size=16,
            ):
                return set(batch.schema.names)
    return None
