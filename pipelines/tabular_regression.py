"""Flights out of New York: how many minutes will this one be in the air? Regression on the same columns.

    penstock run pipelines/tabular_regression.py
    penstock run pipelines/tabular_regression.py --param loss=poisson
    penstock run pipelines/tabular_regression.py --param backend=jax

Paths are relative to the project's root. The user code is `modules/tabular.py`.
"""

from penstock import LocalDagRunner, Pipeline, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    Evaluator,
    ExampleValidator,
    ParquetExampleGen,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from penstock.evaluation import EvalConfig
from penstock.io import Output
from penstock.serving import Filesystem, PushDestination
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/tabular.py"

loss = RuntimeParameter("loss", str, "huber", "huber or poisson")
epochs = RuntimeParameter("epochs", int, 12, "epochs of the Trainer at most")
backend = RuntimeParameter("backend", str, "tensorflow", "tensorflow, jax or torch")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

# The flights of a day share its storm, so whole days are held out.
example_gen = ParquetExampleGen(
    input_base="data/flights",
    output_config=Output.hashed(train=6, eval=2, test=2, partition_feature_name="date"),
)
statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
example_validator = ExampleValidator(
    statistics=statistics_gen.outputs["statistics"],
    schema=schema_gen.outputs["schema"],
)
# Parquet is read without TensorFlow, on every backend.
transform = Transform(
    examples=example_gen.outputs["examples"],
    schema=schema_gen.outputs["schema"],
    module_file=MODULE,
    output_file_format="parquet",
)
trainer = Trainer(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    module_file=MODULE,
    custom_config={"loss": loss, "epochs": epochs},
    train_args=TrainArgs(splits=["train"]),
    eval_args=EvalArgs(splits=["eval"]),
    backend=backend,
    distribution=distribution,
).with_resources(accelerator=accelerator)
evaluator = Evaluator(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    schema=schema_gen.outputs["schema"],
    example_splits=["test"],
    eval_config=EvalConfig(
        model_specs=[{"label_key": "air_time", "prediction_key": "minutes"}],
        slicing_specs=[{}, {"feature_keys": ["origin"]}, {"feature_keys": ["carrier"]}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {
                        "class_name": "MeanAbsoluteError",
                        "per_slice_thresholds": [
                            {
                                "slicing_specs": [{}],
                                "threshold": {"value_threshold": {"upper_bound": {"value": 9.0}}},
                            }
                        ],
                    },
                    {"class_name": "MeanSquaredError"},
                    {"class_name": "SquaredPearsonCorrelation"},
                    {"class_name": "MeanLabel"},
                    {"class_name": "MeanPrediction"},
                ]
            }
        ],
    ),
)
comparison = BaselineComparison(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    module_file=MODULE,
    label_key="air_time",
    metrics=["mae", "rmse", "poisson_deviance", "r2"],
    # Within two points of the variance that it explains, and a quarter of a minute.
    margin={"mae": -0.25, "r2": -0.02},
    baseline_fn="baseline_minutes",
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination=PushDestination(filesystem=Filesystem("serving_model/tabular_regression")),
)

pipeline = Pipeline(
    "tabular_regression",
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
