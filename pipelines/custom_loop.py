"""The state of a space shuttle's radiator, trained by a loop of one's own with a GradientTape.

    penstock run pipelines/custom_loop.py
    penstock run pipelines/custom_loop.py --param distribution=mirrored

Paths are relative to the project's root. The user code is `modules/custom_loop.py`.
"""

from penstock import LocalDagRunner, Pipeline, RuntimeParameter
from penstock.components import (
    BaselineComparison,
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
from penstock.io import Output
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/custom_loop.py"

epochs = RuntimeParameter("epochs", int, 6, "epochs of the Trainer at most")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

example_gen = CsvExampleGen(
    input_base="data/shuttle",
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
trainer = Trainer(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    schema=schema_gen.outputs["schema"],
    statistics=statistics_gen.outputs["statistics"],
    module_file=MODULE,
    train_args=TrainArgs(splits=["train"]),
    eval_args=EvalArgs(splits=["eval"]),
    custom_config={"epochs": epochs},
    distribution=distribution,
).with_resources(accelerator=accelerator)
evaluator = Evaluator(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    schema=schema_gen.outputs["schema"],
    example_splits=["test"],
    eval_config=EvalConfig(
        model_specs=[
            {
                "signature_name": "serving_default",
                "prediction_key": "probabilities",
                "label_key": "state_xf",
                "preprocessing_function_names": ["transform_features"],
            }
        ],
        slicing_specs=[{}, {"feature_keys": ["state"]}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {"class_name": "SparseCategoricalCrossentropy"},
                    {
                        "class_name": "SparseCategoricalAccuracy",
                        "per_slice_thresholds": [
                            {
                                "slicing_specs": [{}],
                                "threshold": {"value_threshold": {"lower_bound": {"value": 0.99}}},
                            }
                        ],
                    },
                    {"class_name": "MultiClassConfusionMatrixPlot"},
                ]
            }
        ],
    ),
)
# The baseline is the same model, trained by Keras's own `fit`: equal within noise.
comparison = BaselineComparison(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    module_file=MODULE,
    label_key="state",
    prediction_key="probabilities",
    metrics=["accuracy", "balanced_accuracy", "log_loss"],
    margin=-0.003,
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination="serving_model/custom_loop",
)

pipeline = Pipeline(
    "custom_loop",
    components=[
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        trainer,
        evaluator,
        comparison,
        pusher,
    ],
)

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
