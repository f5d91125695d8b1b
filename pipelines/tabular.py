"""Flights out of New York: will this one be late? From raw columns with gaps to a wide and deep model.

    penstock run pipelines/tabular.py
    penstock run pipelines/tabular.py --param loss=focal
    penstock run pipelines/tabular.py --param backend=jax

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
    Tuner,
)
from penstock.evaluation import EvalConfig
from penstock.io import Output
from penstock.serving import Filesystem, PushDestination
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/tabular.py"

loss = RuntimeParameter("loss", str, "cross_entropy", "cross_entropy or focal")
epochs = RuntimeParameter("epochs", int, 12, "epochs of the Trainer at most")
trial_epochs = RuntimeParameter("trial_epochs", int, 3, "epochs of the Tuner's longest trials")
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
tuner = Tuner(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    module_file=MODULE,
    custom_config={"loss": loss, "epochs": trial_epochs},
    train_args=TrainArgs(splits=["train"]),
    eval_args=EvalArgs(splits=["eval"]),
    backend=backend,
    # A trial is so short that compiling it by XLA takes longer than training.
    jit_compile=False,
)
trainer = Trainer(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    hyperparameters=tuner.outputs["best_hyperparameters"],
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
        model_specs=[{"label_key": "late", "prediction_key": "late_probability"}],
        slicing_specs=[{}, {"feature_keys": ["origin"]}, {"feature_keys": ["carrier"]}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {
                        "class_name": "AUC",
                        "per_slice_thresholds": [
                            {
                                "slicing_specs": [{}],
                                "threshold": {"value_threshold": {"lower_bound": {"value": 0.65}}},
                            }
                        ],
                    },
                    {"class_name": "AUCPrecisionRecall"},
                    {"class_name": "BinaryCrossEntropy"},
                    {"class_name": "ConfusionMatrixPlot"},
                    {"class_name": "CalibrationPlot"},
                ]
            }
        ],
    ),
)
comparison = BaselineComparison(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    module_file=MODULE,
    label_key="late",
    metrics=["auc", "average_precision", "log_loss"],
    # Within two points of the area under the curve.
    margin=-0.02,
    prediction_key="late_probability",
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination=PushDestination(filesystem=Filesystem("serving_model/tabular")),
)

pipeline = Pipeline(
    "tabular",
    components=[
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        tuner,
        trainer,
        evaluator,
        comparison,
        pusher,
    ],
)

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
