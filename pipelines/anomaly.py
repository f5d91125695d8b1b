"""Anomalies of a space shuttle's radiator: an autoencoder that is pushed with its threshold inside.

    penstock run pipelines/anomaly.py
    penstock run pipelines/anomaly.py --param quantile=0.999

Paths are relative to the project's root. The user code is `modules/anomaly.py`.
"""

from penstock import LocalDagRunner, Pipeline, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    CsvExampleGen,
    Evaluator,
    ExampleValidator,
    FilterRows,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from penstock.evaluation import EvalConfig
from penstock.io import Output
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/anomaly.py"

epochs = RuntimeParameter("epochs", int, 10, "epochs of the Trainer at most")
quantile = RuntimeParameter("quantile", float, 0.99, "share of the normal rows below the threshold")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

example_gen = CsvExampleGen(
    input_base="data/shuttle",
    output_config=Output.hashed(train=6, eval=2, test=2),
)
# As everybody does who compares detectors on these data: "High" is frequent, and neither the normal
# state nor an anomaly.
without_high = FilterRows(
    examples=example_gen.outputs["examples"], keep="modules.shuttle.is_not_high"
)
statistics_gen = StatisticsGen(examples=without_high.outputs["filtered"])
schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
example_validator = ExampleValidator(
    statistics=statistics_gen.outputs["statistics"],
    schema=schema_gen.outputs["schema"],
)
transform = Transform(
    examples=without_high.outputs["filtered"],
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
    custom_config={"epochs": epochs, "quantile": quantile},
    distribution=distribution,
).with_resources(accelerator=accelerator)
evaluator = Evaluator(
    examples=without_high.outputs["filtered"],
    model=trainer.outputs["model"],
    schema=schema_gen.outputs["schema"],
    example_splits=["test"],
    eval_config=EvalConfig(
        model_specs=[
            {
                "signature_name": "serving_default",
                "prediction_key": "score",
                "label_key": "anomalous",
            }
        ],
        slicing_specs=[{}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {
                        "class_name": "AUC",
                        "threshold": {"value_threshold": {"lower_bound": {"value": 0.97}}},
                    },
                    {"class_name": "AUCPrecisionRecall"},
                    # At a score of 1/2, which is the threshold of the quantile.
                    {
                        "class_name": "Precision",
                        "threshold": {"value_threshold": {"lower_bound": {"value": 0.7}}},
                    },
                    {
                        "class_name": "Recall",
                        "threshold": {"value_threshold": {"lower_bound": {"value": 0.9}}},
                    },
                ]
            }
        ],
    ),
)
comparison = BaselineComparison(
    examples=without_high.outputs["filtered"],
    model=trainer.outputs["model"],
    module_file=MODULE,
    label_key="anomalous",
    prediction_key="score",
    metrics=["auc", "average_precision"],
    margin=-0.02,
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination="serving_model/anomaly",
)

pipeline = Pipeline(
    "anomaly",
    components=[
        example_gen,
        without_high,
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
