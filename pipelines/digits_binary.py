"""One digit against the rest: a binary classifier whose threshold is chosen on the precision-recall curve.

    penstock run pipelines/digits_binary.py
    penstock run pipelines/digits_binary.py --param epochs=4

Paths are relative to the project's root. The user code is `modules/digits_binary.py`.
"""

from penstock import LatestBlessedModel, LocalDagRunner, Pipeline, Resolver, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    Evaluator,
    ExampleValidator,
    NumpyExampleGen,
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

MODULE = "modules/digits_binary.py"

epochs = RuntimeParameter("epochs", int, 8, "passes over the training data at most")
precision = RuntimeParameter("precision", str, "float32", "float32 or mixed_bfloat16")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

# The threshold is chosen on eval, so it is judged on test.
example_gen = NumpyExampleGen(
    input_base="data/digits",
    features={"image": "*-images-*", "label": "*-labels-*"},
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
    module_file=MODULE,
    train_args=TrainArgs(splits=["train"]),
    eval_args=EvalArgs(splits=["eval"]),
    custom_config={"epochs": epochs},
    distribution=distribution,
    precision=precision,
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
                "prediction_key": "probability",
                "label_key": "label_xf",
                "preprocessing_function_names": ["transform_features"],
            }
        ],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    # Nine of ten rows are negative: the accuracy of a model that says so always is 0.9.
                    {
                        "class_name": "AUCPrecisionRecall",
                        "threshold": {
                            "value_threshold": {"lower_bound": {"value": 0.9}},
                            "change_threshold": {
                                "direction": "HIGHER_IS_BETTER",
                                "absolute": {"value": -0.02},
                            },
                        },
                    },
                    {"class_name": "AUC"},
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
    label_key="label",
    metrics=["average_precision", "auc"],
    margin=0.05,
    prediction_key="probability",
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination=PushDestination(filesystem=Filesystem("serving_model/digits_binary")),
)

pipeline = Pipeline(
    "digits_binary",
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
        pusher,
    ],
)

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
