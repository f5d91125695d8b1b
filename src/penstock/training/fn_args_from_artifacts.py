"""The `FnArgs` of a Trainer or Tuner, from its artifacts."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Examples, ExampleStatistics, Model, Schema, TransformGraph
from penstock.io.files.plain_path import plain_path
from penstock.training.args import EvalArgs, TrainArgs
from penstock.training.fn_args import FnArgs


def fn_args_from_artifacts(
    *,
    working_dir: str,
    seed: int | None,
    deterministic: bool,
    examples: Examples,
    transform_graph: TransformGraph | None,
    schema: Schema | None,
    base_model: Model | None,
    train_args: TrainArgs,
    eval_args: EvalArgs,
    custom_config: Mapping[str, Any] | None,
    statistics: ExampleStatistics | None = None,
) -> FnArgs:
    """Return the `FnArgs` that Trainer and Tuner have in common.

    Raises:
        ValueError: If a split is named that the examples do not have.
    """
    from penstock.training.data_accessor import create_data_accessor

    schema_file = f"{schema.uri}/schema.pbtxt" if schema is not None else None
    graph = plain_path(transform_graph.uri) if transform_graph is not None else None
    return FnArgs(
        working_dir=working_dir,
        train_files=_patterns(examples, train_args.splits or ("train",), "train_args"),
        eval_files=_patterns(examples, eval_args.splits or ("eval",), "eval_args"),
        train_steps=train_args.num_steps or None,
        eval_steps=eval_args.num_steps or None,
        global_batch_size=train_args.batch_size or None,
        eval_batch_size=eval_args.batch_size or None,
        schema_path=schema_file,
        schema_file=schema_file,
        transform_graph_path=graph,
        transform_output=graph,
        data_accessor=create_data_accessor(examples.file_format, examples.payload_format),
        file_format=examples.file_format,
        payload_format=examples.payload_format,
        base_model=plain_path(base_model.serving_uri) if base_model is not None else None,
        custom_config=dict(custom_config or {}),
        num_examples=_num_examples(statistics) if statistics is not None else {},
        seed=seed,
        deterministic=deterministic,
    )


def _patterns(examples: Examples, splits: Sequence[str], argument: str) -> list[str]:
    for split in splits:
        if split not in examples.splits:
            raise ValueError(
                f"{argument} names the split {split!r}, which the examples at {examples.uri} do not "
                f"have. Splits: {', '.join(examples.splits)}"
            )
    return [f"{glob.escape(examples.split_uri(split))}/*" for split in splits]


def _num_examples(statistics: ExampleStatistics) -> dict[str, int]:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    counts = {}
    for split in statistics.splits:
        with open(f"{statistics.split_uri(split)}/FeatureStats.pb", "rb") as file:
            found = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read())
        counts[split] = int(found.datasets[0].num_examples)
    return counts
