"""From blocks of rows to what metrics see: decoded features and the models' predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from penstock.evaluation.blocks import Block
from penstock.evaluation.examples import ExampleBatch
from penstock.evaluation.models.evaluated_model import BatchInputs, EvaluatedModel
from penstock.evaluation.models.feature_decoder import FeatureDecoder, Learned
from penstock.evaluation.models.joint_prediction import JointPredictor
from penstock.io import serialize_examples
from penstock.io.tfrecord.blocks import RecordBlock, records_of
from penstock.serving.serialized_examples import SerializedExamples


class BatchPredictor:
    """Decodes blocks and asks the models; several threads may call it if the models allow it.

    Args:
        models: The models; what they need of a batch is read.
        slice_features: The features that slices are made of, raw or transformed by the first model.
        schema: A `schema_pb2.Schema` of the raw examples, or None.
        more: Further raw features to read.
        is_long: Whether so many blocks come that it is worth joining the models' graphs.
    """

    def __init__(
        self,
        models: Sequence[EvaluatedModel],
        slice_features: Iterable[str],
        schema: Any = None,
        *,
        more: Iterable[str] = (),
        is_long: bool = False,
    ) -> None:
        self._models = models
        models[0].needed.update(slice_features)
        wanted = set(more)
        for model in models:
            wanted |= model.needed - model.replaced_features
        transformed = (set(model.transformed_features) for model in models)
        self._elsewhere = set.intersection(*transformed)
        uses_tensorflow = any(model.uses_tensorflow for model in models)
        self.decode = FeatureDecoder(wanted, schema, uses_tensorflow=uses_tensorflow)
        self.uses_tensorflow = uses_tensorflow
        self._jointly = JointPredictor(models, self.decode) if is_long else None

    @property
    def in_threads(self) -> bool:
        """Whether several threads may call it at once, and gain by it."""
        return all(model.in_threads for model in self._models)

    def look_at(self, block: Block) -> Learned:
        """Learn from the first rows which features there are, with which types, and return it.

        A feature that they lack and that the models make is the models' from then on.
        """
        if isinstance(block.content, RecordBlock):
            there = self.decode.learn(SerializedExamples(records_of(block.content)))
            self.decode.forgo(self._elsewhere - there)
        return self.decode.learned

    def __call__(self, block: Block) -> BatchInputs:
        """Return what the metrics see of a block.

        Raises:
            ValueError: If a record is no tf.Example, or a model does not take the examples.
        """
        if isinstance(block.content, pa.RecordBatch):
            records = serialize_examples(block.content).to_pylist()
            return self._one_by_one(block, SerializedExamples(records), block.content)
        content = block.content
        if isinstance(content, RecordBlock):
            content = records_of(content)
        serialized = SerializedExamples(content)
        found = self._jointly(serialized) if self._jointly is not None else None
        if found is None:
            return self._one_by_one(block, serialized, self.decode(serialized, block.first_row))
        batch = _batch(block, serialized, found.columns)
        batch.transformed.update(found.transformed)
        return BatchInputs(self._models, batch, found.outputs)

    def _one_by_one(
        self, block: Block, serialized: SerializedExamples, columns: pa.RecordBatch
    ) -> BatchInputs:
        batch = _batch(block, serialized, columns)
        outputs = {model.spec.name: model.predict(batch) for model in self._models}
        for model in self._models:
            model.with_features(batch, model.needed)
        return BatchInputs(self._models, batch, outputs)


def _batch(block: Block, serialized: SerializedExamples, columns: pa.RecordBatch) -> ExampleBatch:
    return ExampleBatch(serialized, columns, block.first_row, block.shard, block.first_of_shard)
