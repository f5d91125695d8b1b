"""Handwritten digits by a vision transformer, with pictures of where it looks.

    penstock run pipelines/vit.py
    penstock run pipelines/vit.py --param epochs=20 --param distribution=mirrored

Paths are relative to the project's root. The user code is `modules/vit.py`.
"""

from penstock import LocalDagRunner, Pipeline, RuntimeParameter
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

MODULE = "modules/vit.py"

epochs = RuntimeParameter("epochs", int, 60, "epochs of the Trainer")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

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
    output_file_format="parquet",
)
trainer = Trainer(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    schema=schema_gen.outputs["schema"],
    module_file=MODULE,
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
                "label_key": "label_xf",
                "preprocessing_function_names": ["transform_features"],
            }
        ],
        slicing_specs=[{}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {"class_name": "SparseCategoricalCrossentropy"},
                    {
                        "class_name": "SparseCategoricalAccuracy",
                        "threshold": {"value_threshold": {"lower_bound": {"value": 0.94}}},
                    },
                    {"class_name": "MultiClassConfusionMatrixPlot"},
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
    metrics=["accuracy", "log_loss"],
    margin=0.03,
    prediction_key="probabilities",
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination="serving_model/vit",
)

pipeline = Pipeline(
    "vit",
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
