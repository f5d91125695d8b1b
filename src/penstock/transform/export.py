"""Writing a transform graph: the SavedModel with its assets, and the schemas before and after.

The folder is what `tft.TFTransformOutput` reads: `transform_fn/` (the SavedModel), `metadata/` (the raw
schema) and `transformed_metadata/` (the schema of the outputs, and `asset_map`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import TFTransformOutput, graph_context, schema_inference

from penstock.artifacts import location
from penstock.transform.analysis import Analysis
from penstock.transform.stable_saved_model import stabilize
from penstock.transform.tracing import TracedFn

_ANNOTATIONS = ("tft_schema_override", "annotated_")


def infer_schema(
    analysis: Analysis, preprocessing_fn: TracedFn, temp_dir: str
) -> schema_pb2.Schema:
    """Infer the schema of the transformed features from their tensors and annotations.

    Args:
        analysis: the function with its analyzers' results.
        preprocessing_fn: the function itself; it is traced once more when it has annotations, such
            as the range of a vocabulary's indices.
        temp_dir: where vocabularies were written.
    """
    trace = analysis.trace
    if any(
        str(name).startswith(_ANNOTATIONS) and trace.graph.get_collection(name)
        for name in trace.graph.collections
    ):
        context = graph_context.TFGraphContext(
            module_to_export=tf.Module(),
            temp_dir=temp_dir,
            evaluated_replacements=analysis.results,
        )
        metadata_fn = schema_inference.get_traced_metadata_fn(
            preprocessing_fn, trace.inputs, context, evaluate_schema_overrides=True
        )
    else:
        metadata_fn = dict
    schema: schema_pb2.Schema = schema_inference.infer_feature_schema_v2(
        trace.concrete.structured_outputs, metadata_fn, evaluate_schema_overrides=True
    )
    return schema


def write_transform_fn(analysis: Analysis, directory: str, temp_dir: str) -> None:
    """Write the SavedModel so that equal analyses give equal bytes.

    Args:
        analysis: the function with its analyzers settled.
        directory: the folder of the transform graph.
        temp_dir: where vocabularies were written; its name does not stay in the SavedModel.
    """
    saved_model = os.path.join(directory, TFTransformOutput.TRANSFORM_FN_DIR)
    tf.saved_model.save(analysis.trace.module, saved_model)
    stabilize(saved_model, temp_dir)


def write_transformed_metadata(
    schema: schema_pb2.Schema, asset_names: Mapping[str, str], directory: str
) -> None:
    """Write the schema of the outputs, and which file each vocabulary is in.

    Args:
        schema: schema of what the function returns.
        asset_names: file name of each vocabulary, by the name that the user gave it.
        directory: the folder of the transform graph.
    """
    metadata = os.path.join(directory, TFTransformOutput.TRANSFORMED_METADATA_DIR)
    write_schema(schema, metadata)
    if asset_names:
        path = os.path.join(metadata, TFTransformOutput.ASSET_MAP)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(dict(asset_names), file)


def write_schema(schema: schema_pb2.Schema, directory: str) -> None:
    """Write `schema.pbtxt` into a folder, which is created."""
    text = text_format.MessageToString(schema)
    location.write_bytes(f"{directory}/schema.pbtxt", text.encode())
