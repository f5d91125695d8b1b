"""Photographs from a few labels: a network that was trained on others gets a new head, and is fine-tuned.

    penstock run pipelines/photos.py
    penstock run pipelines/photos.py --param weights=imagenet       # downloads Keras's weights
    penstock run pipelines/photos.py --param weights=models/mine.weights.h5

Paths are relative to the project's root. The user code is `modules/photos.py`.
"""

from penstock import LocalDagRunner, Pipeline, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    Evaluator,
    ExampleValidator,
    ImageExampleGen,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from penstock.evaluation import EvalConfig
from penstock.io import Input, Split

MODULE = "modules/photos.py"

base_epochs = RuntimeParameter("base_epochs", int, 25, "epochs of the base")
epochs = RuntimeParameter("epochs", int, 40, "epochs of the head, and then of all layers, at most")
weights = RuntimeParameter(
    "weights", str, "", "a model's file or folder, or imagenet; else the base"
)
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainers, as nvidia-l4")

# The base: 13 photographs, 48 patches of each.
base_example_gen = ImageExampleGen(
    input_base="data/photos",
    input_config=Input([Split("train", "base/train/*/*"), Split("eval", "base/eval/*/*")]),
).with_id("BaseExampleGen")
base_statistics_gen = StatisticsGen(examples=base_example_gen.outputs["examples"]).with_id(
    "BaseStatisticsGen"
)
base_schema_gen = SchemaGen(statistics=base_statistics_gen.outputs["statistics"]).with_id(
    "BaseSchemaGen"
)
base_transform = Transform(
    examples=base_example_gen.outputs["examples"],
    schema=base_schema_gen.outputs["schema"],
    module_file=MODULE,
    output_file_format="parquet",
).with_id("BaseTransform")
base_trainer = (
    Trainer(
        examples=base_transform.outputs["transformed_examples"],
        transform_graph=base_transform.outputs["transform_graph"],
        schema=base_schema_gen.outputs["schema"],
        run_fn="modules.photos.train_base",
        custom_config={"epochs": base_epochs},
        distribution=distribution,
    )
    .with_id("BaseTrainer")
    .with_resources(accelerator=accelerator)
)
base_pusher = Pusher(
    model=base_trainer.outputs["model"], push_destination="serving_model/photos_base"
).with_id("BasePusher")

# Six others, three patches of each to learn from. No patch overlaps with another.
example_gen = ImageExampleGen(
    input_base="data/photos",
    input_config=Input([Split(name, f"few/{name}/*/*") for name in ("train", "eval", "test")]),
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
    base_model=base_trainer.outputs["model"],
    module_file=MODULE,
    custom_config={"epochs": epochs, "weights": weights},
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
                "label_key": "photograph",
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
                        "threshold": {"value_threshold": {"lower_bound": {"value": 0.4}}},
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
    margin=0.1,
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination="serving_model/photos",
)

pipeline = Pipeline(
    "photos",
    components=[
        base_example_gen,
        base_statistics_gen,
        base_schema_gen,
        base_transform,
        base_trainer,
        base_pusher,
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
