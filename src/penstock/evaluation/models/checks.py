"""What is known of models and rows before the first batch: outputs, shapes, features."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.evaluation.inputs import prediction_name
from penstock.evaluation.plan import PlannedMetric
from penstock.spelling import nearest

if TYPE_CHECKING:
    from penstock.evaluation.blocks import Block
    from penstock.evaluation.models.evaluated_model import EvaluatedModel
    from penstock.evaluation.worst_rows import WorstRowsRequest


def check_outputs(models: Sequence[EvaluatedModel], metrics: Iterable[PlannedMetric]) -> None:
    """Check that each model returns what is evaluated, and a baseline as much as the model.

    Args:
        models: The models.
        metrics: What is computed of them.

    Raises:
        ValueError: If a model lacks an output, or two have outputs of different sizes.
    """
    by_name = {model.spec.name: model for model in models}
    sizes: dict[str, tuple[int, EvaluatedModel, str]] = {}
    for model_name, output in sorted(set(_predicted(metrics))):
        model = by_name[model_name]
        key = model.prediction_key(output)
        try:
            found = prediction_name(model.model.output_names(model.signature), key)
        except ValueError as error:
            raise ValueError(f"{_who(model)}: {error}") from None
        size = model.model.output_size(model.signature, found)
        if size is None:
            continue
        other_size, other, other_found = sizes.setdefault(output, (size, model, found))
        if size != other_size:
            raise ValueError(
                f"{_who(model)} returns {size} values an example in {found!r}, and {_who(other).lower()} "
                f"{other_size} in {other_found!r}. Models are compared only if they predict the same."
            )


def _predicted(metrics: Iterable[PlannedMetric]) -> Iterator[tuple[str, str]]:
    for metric in metrics:
        for _, part in metric.parts or ((1.0, metric),):
            kernel, _ = part.computation.kernel
            if getattr(kernel, "NEEDS_NUMBERS", True):
                yield part.view.model_name, part.view.output_name


def _who(model: EvaluatedModel) -> str:
    kind = "The baseline" if model.spec.is_baseline else "The model"
    name = f" {model.spec.name!r}" if model.spec.name not in ("", "candidate", "baseline") else ""
    return f"{kind}{name} at {model.model.path}"


def check_first_rows(
    blocks: Iterable[Block], models: Sequence[EvaluatedModel], named: Iterable[tuple[str, str]]
) -> None:
    """Check that features which a config names are in the examples, before any model is asked.

    Only where the first block lacks one are further blocks looked at: a feature may be rare.

    Args:
        blocks: Blocks of rows, from the first.
        models: The models; what their transform signatures return counts as features too.
        named: Features, with what each is for, such as "label".

    Raises:
        ValueError: If no row has such a feature.
    """
    available = {name for model in models for name in model.transformed_features}
    missing = {name: what for name, what in named if name not in available}
    is_empty = True
    for block in blocks:
        if not missing:
            return
        is_empty = False
        available |= features_of(block)
        missing = {name: what for name, what in missing.items() if name not in available}
    if missing and not is_empty:
        name, what = next(iter(missing.items()))
        raise ValueError(missing_feature(what, name, available))


def named_features(
    sliced_by: Iterable[str],
    models: Iterable[EvaluatedModel],
    worst_rows: WorstRowsRequest | None,
) -> Iterator[tuple[str, str]]:
    """Yield the features that an evaluation needs, with what each is for."""
    if worst_rows is not None:
        yield worst_rows.id_key, "id_key"
    for name in sliced_by:
        yield name, "slicing feature"
    for model in models:
        spec = model.spec
        for name in (spec.example_weight_key, *spec.example_weight_keys.values()):
            if name:
                yield name, "example weight"
        for name in (spec.label_key, *spec.label_keys.values()):
            if name:
                yield name, "label"


def missing_feature(what: str, name: str, available: Collection[str]) -> str:
    """Return that a feature does not exist, with the nearest name."""
    return (
        f"The {what} {name!r} is not a feature of the examples.{nearest(name, available)} "
        f"Features: {', '.join(sorted(available))}"
    )


def features_of(block: Block) -> set[str]:
    """Return the features of a block's rows."""
    from penstock.io.tfrecord.blocks import RecordBlock, records_of

    content: Any = block.content
    if isinstance(content, RecordBlock):
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        content = ExamplesToRecordBatchDecoder().DecodeBatch(records_of(content))
    return set(content.schema.names)
