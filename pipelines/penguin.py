"""The penguins: from a CSV with strings and missing values to a pushed, served model.

    penstock run pipelines/penguin.py
    penstock run pipelines/penguin.py --param train_steps=400 --param distribution=mirrored
    python pipelines/penguin.py

Paths are relative to the project's root. The user code is `modules/penguin.py`.
"""

from penstock import LatestBlessedModel, LocalDagRunner, Pipeline, Resolver, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    CsvExampleGen,
    Evaluator,
    ExampleValidator,
    InfraValidator,
    ModelCard,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
    Tuner,
)
from penstock.evaluation import EvalConfig
from penstock.infra_validation import RequestSpec
from penstock.io import Output
from penstock.serving import Filesystem, PushDestination
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/penguin.py"

train_steps = RuntimeParameter("train_steps", int, 200, "steps of the Trainer at most")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

# Three splits: the Tuner and early stopping see train and eval, the Evaluator judges on test.
example_gen = CsvExampleGen(
    input_base="data/penguins",
    output_config=Output.hashed(train=6, eval=2, test=2),
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
    module_file=MODULE,
)
tuner = Tuner(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    schema=schema_gen.outputs["schema"],
    module_file=MODULE,
    train_args=TrainArgs(splits=["train"], num_steps=100),
    eval_args=EvalArgs(splits=["eval"]),
)
trainer = Trainer(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    schema=schema_gen.outputs["schema"],
    statistics=statistics_gen.outputs["statistics"],
    hyperparameters=tuner.outputs["best_hyperparameters"],
    module_file=MODULE,
    train_args=TrainArgs(splits=["train"], num_steps=train_steps),
    eval_args=EvalArgs(splits=["eval"]),
    distribution=distribution,
).with_resources(accelerator=accelerator)
baseline = Resolver(LatestBlessedModel(), other_than=trainer.outputs["model"]).with_id(
    "LatestBlessedModel"
)
evaluator = Evaluator(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    baseline_model=baseline.outputs["model"],
    schema=schema_gen.outputs["schema"],
    example_splits=["test"],
    eval_config=EvalConfig(
        model_specs=[
            {
                "signature_name": "serving_default",
                "prediction_key": "probabilities",
                "label_key": "species_xf",
                "preprocessing_function_names": ["transform_features"],
            }
        ],
        slicing_specs=[{}, {"feature_keys": ["island"]}, {"feature_keys": ["sex"]}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {"class_name": "SparseCategoricalCrossentropy"},
                    {
                        "class_name": "SparseCategoricalAccuracy",
                        "threshold": {
                            "value_threshold": {"lower_bound": {"value": 0.95}},
                            # Not worse than the last blessed model by more than two points.
                            "change_threshold": {
                                "direction": "HIGHER_IS_BETTER",
                                "absolute": {"value": -0.02},
                            },
                        },
                    },
                    {"class_name": "MultiClassConfusionMatrixPlot"},
                ]
            },
            {
                "metrics": [
                    {"class_name": "AUC"},
                    {"class_name": "Precision"},
                    {"class_name": "Recall"},
                    {"class_name": "ConfusionMatrixPlot"},
                    {"class_name": "CalibrationPlot"},
                ],
                "binarize": {"class_ids": {"values": [0, 1, 2]}},
            },
        ],
    ),
)
# On 68 penguins one mistake is 1.5 points: the network may make two more than a logistic regression.
comparison = BaselineComparison(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    module_file=MODULE,
    label_key="species",
    metrics=["accuracy", "log_loss"],
    margin=-0.03,
    prediction_key="probabilities",
)
# Beside the Evaluator: a server of its own loads the model, and answers requests made of the penguins.
infra_validator = InfraValidator(
    model=trainer.outputs["model"],
    examples=example_gen.outputs["examples"],
    request_spec=RequestSpec(split_name="test", num_examples=20),
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    infra_blessing=infra_validator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    # It has just answered.
    answers_within_seconds=None,
    push_destination=PushDestination(filesystem=Filesystem("serving_model/penguin")),
)
model_card = ModelCard(
    model=trainer.outputs["model"],
    evaluation=evaluator.outputs["evaluation"],
    blessing=evaluator.outputs["blessing"],
    schema=schema_gen.outputs["schema"],
    statistics=statistics_gen.outputs["statistics"],
    hyperparameters=tuner.outputs["best_hyperparameters"],
    model_run=trainer.outputs["model_run"],
    pushed_model=pusher.outputs["pushed_model"],
    title="Palmer penguins",
    description="Which species is it? A small network on bill, flippers, body mass, sex and island.",
    # In the order of the vocabulary: the most frequent one first.
    class_names=["Adelie", "Gentoo", "Chinstrap"],
)

pipeline = Pipeline(
    "penguin",
    components=[
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        tuner,
        trainer,
        baseline,
        evaluator,
        comparison,
        infra_validator,
        pusher,
        model_card,
    ],
)

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
