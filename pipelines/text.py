"""Texts in 16 languages: a recurrent network, from lines of text to a served model that takes a string.

    penstock run pipelines/text.py
    penstock run pipelines/text.py --param rnn=lstm
    penstock run pipelines/text.py --param embeddings=vectors.txt

Paths are relative to the project's root. The user code is `modules/text.py`.
"""

from collections.abc import Mapping
from typing import Any

from penstock import LatestBlessedModel, LocalDagRunner, Pipeline, Resolver, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    Evaluator,
    ExampleValidator,
    Pusher,
    SchemaGen,
    StatisticsGen,
    TextExampleGen,
    Trainer,
    Transform,
)
from penstock.evaluation import EvalConfig
from penstock.io import Input, Output, Split
from penstock.serving import Filesystem, PushDestination
from penstock.training import EvalArgs, TrainArgs

rnn = RuntimeParameter(
    "rnn", str, "bidirectional_gru", "simple, gru or lstm, each also as bidirectional_gru"
)
embeddings = RuntimeParameter("embeddings", str, "", "a file of vectors to begin with")
epochs = RuntimeParameter("epochs", int, 6, "passes over the training data at most")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")


def languages(name: str, module: str, custom_config: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline with the network of a module; `pipelines/text_transformer.py` has another one."""
    # A file for each language, cs.txt to sv.txt. A line is the same message in all of them. By its number
    # all translations of a message land in one split: the test asks about messages that nobody has seen.
    example_gen = TextExampleGen(
        input_base="data/languages",
        input_config=Input([Split("all", "*.txt")]),
        lines=True,
        label_from="file",
        output_config=Output.hashed(train=6, eval=2, test=2, partition_feature_name="line"),
    )
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema_gen.outputs["schema"],
    )
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        module_file=module,
    )
    trainer = Trainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        module_file=module,
        train_args=TrainArgs(splits=["train"]),
        eval_args=EvalArgs(splits=["eval"]),
        custom_config={"epochs": epochs, **custom_config},
        distribution=distribution,
    ).with_resources(accelerator=accelerator)
    blessed = Resolver(LatestBlessedModel(), other_than=trainer.outputs["model"]).with_id(
        "LatestBlessedModel"
    )
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=blessed.outputs["model"],
        schema=schema_gen.outputs["schema"],
        example_splits=["test"],
        eval_config=EvalConfig(
            model_specs=[
                {
                    "signature_name": "serving_default",
                    "prediction_key": "probabilities",
                    "label_key": "label_xf",
                    "preprocessing_function_names": ["transform_features"],
                }
            ],
            slicing_specs=[{}, {"feature_keys": ["label"]}],
            metrics_specs=[
                {
                    "metrics": [
                        {"class_name": "ExampleCount"},
                        {"class_name": "SparseCategoricalCrossentropy"},
                        {
                            "class_name": "SparseCategoricalAccuracy",
                            # All languages together; the slices show which of them are hard.
                            "per_slice_thresholds": [
                                {
                                    "slicing_specs": [{}],
                                    "threshold": {
                                        "value_threshold": {"lower_bound": {"value": 0.85}}
                                    },
                                }
                            ],
                        },
                        {"class_name": "MultiClassConfusionMatrixPlot"},
                    ]
                }
            ],
        ),
    )
    # Logistic regression on words is what must be beaten.
    comparison = BaselineComparison(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        module_file=module,
        label_key="label",
        metrics=["accuracy", "log_loss"],
        margin=0.02,
        prediction_key="probabilities",
    )
    # On pieces of words it is better than the network as long as there are only some thousand texts, so
    # the network may be worse by that much.
    against_pieces = BaselineComparison(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        module_file=module,
        label_key="label",
        metrics=["accuracy", "log_loss"],
        margin=-0.06,
        prediction_key="probabilities",
        baseline_fn="pieces_baseline_fn",
    ).with_id("AgainstPieces")
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        blessings=[comparison.outputs["blessing"], against_pieces.outputs["blessing"]],
        push_destination=PushDestination(filesystem=Filesystem(f"serving_model/{name}")),
    )

    return Pipeline(
        name,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            transform,
            trainer,
            blessed,
            evaluator,
            comparison,
            against_pieces,
            pusher,
        ],
    )


pipeline = languages("text", "modules/text.py", {"rnn": rnn, "embeddings": embeddings})

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
