"""The eight components of TFX's penguin example."""

from penstock import LatestBlessedModel, Pipeline, Resolver
from penstock.components import (
    CsvExampleGen,
    Evaluator,
    ExampleValidator,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from penstock.evaluation import EvalConfig
from penstock.serving import Filesystem, PushDestination
from penstock.training import EvalArgs, TrainArgs

example_gen = CsvExampleGen(input_base="data")
statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"], infer_feature_shape=True)
example_validator = ExampleValidator(
    statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
)
transform = Transform(
    examples=example_gen.outputs["examples"],
    schema=schema_gen.outputs["schema"],
    module_file="modules/penguin.py",
)
trainer = Trainer(
    module_file="modules/penguin.py",
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    schema=schema_gen.outputs["schema"],
    train_args=TrainArgs(num_steps=100),
    eval_args=EvalArgs(num_steps=5),
)
baseline = Resolver(LatestBlessedModel()).with_id("latest_blessed_model_resolver")
evaluator = Evaluator(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    baseline_model=baseline.outputs["model"],
    eval_config=EvalConfig(
        model_specs=[
            {
                "signature_name": "serving_default",
                "label_key": "species_xf",
                "preprocessing_function_names": ["transform_features"],
            }
        ],
        slicing_specs=[{}],
        metrics_specs=[
            {
                "metrics": [
                    {
                        "class_name": "SparseCategoricalAccuracy",
                        "threshold": {
                            "value_threshold": {"lower_bound": {"value": 0.6}},
                            "change_threshold": {
                                "direction": "HIGHER_IS_BETTER",
                                "absolute": {"value": -1e-10},
                            },
                        },
                    }
                ]
            }
        ],
    ),
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    push_destination=PushDestination(filesystem=Filesystem(base_directory="serving_model/penguin")),
)
pipeline = Pipeline(
    "penguin",
    components=[
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        trainer,
        baseline,
        evaluator,
        pusher,
    ],
)
