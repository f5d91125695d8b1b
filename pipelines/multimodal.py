"""Glyphs of fonts, as a picture and a table of measures: which character is it, and how bold is the font?

    penstock run pipelines/multimodal.py
    penstock run pipelines/multimodal.py --param form=subclassed --param epochs=4

Paths are relative to the project's root. The user code is `modules/multimodal.py`.
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

MODULE = "modules/multimodal.py"

epochs = RuntimeParameter("epochs", int, 14, "epochs of the Trainer at most")
form = RuntimeParameter("form", str, "functional", "functional or subclassed")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

# All glyphs of a font family are in one split: the model is judged on fonts that it has never seen.
example_gen = ParquetExampleGen(
    input_base="data/glyphs",
    output_config=Output.hashed(train=6, eval=2, test=2, partition_feature_name="family"),
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
    # Pixels are read ten times as fast from Parquet.
    output_file_format="parquet",
)
trainer = Trainer(
    examples=transform.outputs["transformed_examples"],
    transform_graph=transform.outputs["transform_graph"],
    schema=schema_gen.outputs["schema"],
    module_file=MODULE,
    custom_config={"epochs": epochs, "form": form},
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
                # By output: what the model says, and what is right.
                "prediction_keys": {"symbol": "probabilities", "boldness": "weight"},
                "label_keys": {"symbol": "symbol", "boldness": "weight"},
                "preprocessing_function_names": ["transform_features"],
            }
        ],
        slicing_specs=[{}],
        metrics_specs=[
            {
                "output_names": ["symbol"],
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {"class_name": "SparseCategoricalCrossentropy"},
                    {
                        "class_name": "SparseCategoricalAccuracy",
                        "threshold": {"value_threshold": {"lower_bound": {"value": 0.85}}},
                    },
                    {"class_name": "MultiClassConfusionMatrixPlot"},
                ],
            },
            {
                "output_names": ["boldness"],
                "metrics": [
                    {
                        "class_name": "MeanAbsoluteError",
                        "threshold": {"value_threshold": {"upper_bound": {"value": 100.0}}},
                    },
                    {"class_name": "MeanSquaredError"},
                ],
            },
        ],
    ),
)
# Both inputs together have to be better than either alone, in both answers.
comparisons = [
    BaselineComparison(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        module_file=MODULE,
        baseline_fn=baseline,
        label_key="character",
        margin=margin,
        lower_is_better=["weight_mae"],
    ).with_id(name)
    for name, baseline, margin in (
        ("AgainstImageAlone", "image_alone", {"character_accuracy": 0.05, "weight_mae": 0.0}),
        ("AgainstMeasuresAlone", "measures_alone", {"character_accuracy": 0.5, "weight_mae": 50.0}),
    )
]
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"] for comparison in comparisons],
    push_destination="serving_model/multimodal",
)

pipeline = Pipeline(
    "multimodal",
    components=[
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        trainer,
        evaluator,
        *comparisons,
        pusher,
    ],
)

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
