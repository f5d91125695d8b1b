"""Carbon dioxide in the air: from a weekly series with gaps to a pushed model that tells 13 weeks.

    penstock run pipelines/forecast.py
    penstock run pipelines/forecast.py --param network=lstm
    penstock run pipelines/forecast.py --param backend=jax

Paths are relative to the project's root. The user code is `modules/forecast.py`.
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
    Windows,
)
from penstock.evaluation import EvalConfig
from penstock.io import Output
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/forecast.py"

network = RuntimeParameter("network", str, "cnn", "dense, cnn or lstm")
loss = RuntimeParameter("loss", str, "mae", "mae, mse, huber or another loss of Keras for numbers")
epochs = RuntimeParameter("epochs", int, 60, "epochs of the Trainer at most")
backend = RuntimeParameter("backend", str, "tensorflow", "tensorflow, jax or torch")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

# Rows of a series belong together: one split. Windows divides them by time.
example_gen = CsvExampleGen(
    input_base="data/co2",
    output_config=Output.hashed(all=1),
)
windows = Windows(
    examples=example_gen.outputs["examples"],
    time_key="date",
    features=["co2"],
    input_width=104,
    horizon=13,
    step="7D",
    # The instrument stood still for some weeks. Up to a month the last value stands in for them, in
    # what the model sees; what it is to tell is always measured.
    carry_forward=4,
    splits={"train": 0.7, "eval": 0.15, "test": 0.15},
)
statistics_gen = StatisticsGen(examples=windows.outputs["windows"])
schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
example_validator = ExampleValidator(
    statistics=statistics_gen.outputs["statistics"],
    schema=schema_gen.outputs["schema"],
)
trainer = Trainer(
    examples=windows.outputs["windows"],
    schema=schema_gen.outputs["schema"],
    statistics=statistics_gen.outputs["statistics"],
    module_file=MODULE,
    train_args=TrainArgs(splits=["train"]),
    eval_args=EvalArgs(splits=["eval"]),
    custom_config={"network": network, "loss": loss, "epochs": epochs},
    backend=backend,
    distribution=distribution,
).with_resources(accelerator=accelerator)
evaluator = Evaluator(
    examples=windows.outputs["windows"],
    model=trainer.outputs["model"],
    schema=schema_gen.outputs["schema"],
    example_splits=["test"],
    eval_config=EvalConfig(
        model_specs=[
            {
                "signature_name": "serving_default",
                "prediction_key": "forecast",
                "label_key": "co2_target",
            }
        ],
        slicing_specs=[{}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {"class_name": "MeanSquaredError"},
                    {
                        "class_name": "MeanAbsoluteError",
                        # ppm
                        "threshold": {"value_threshold": {"upper_bound": {"value": 0.6}}},
                    },
                ]
            }
        ],
    ),
)
# What anybody would say without a model, and, since carbon dioxide rises, what they would say next.
comparisons = [
    BaselineComparison(
        examples=windows.outputs["windows"],
        model=trainer.outputs["model"],
        module_file=MODULE,
        baseline_fn=baseline,
        label_key="co2_target",
        metrics=["mae", "rmse"],
        margin=margin,
    ).with_id(f"BaselineComparison_{baseline}")
    for baseline, margin in (
        ("persistence", 1.0),
        ("seasonal_naive", 1.0),
        ("seasonal_with_drift", 0.1),
    )
]
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"] for comparison in comparisons],
    push_destination="serving_model/forecast",
)

pipeline = Pipeline(
    "forecast",
    components=[
        example_gen,
        windows,
        statistics_gen,
        schema_gen,
        example_validator,
        trainer,
        evaluator,
        *comparisons,
        pusher,
    ],
)

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
