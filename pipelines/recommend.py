"""What else does this package need? Dependencies of Debian's packages, recommended by two towers.

    penstock run pipelines/recommend.py
    penstock run pipelines/recommend.py --param negatives=in_batch

Paths are relative to the project's root. The user code is `modules/recommend.py`.
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

MODULE = "modules/recommend.py"

negatives = RuntimeParameter(
    "negatives", str, "all", "what the loss compares with: all or in_batch"
)
epochs = RuntimeParameter("epochs", int, 20, "epochs of the Trainer at most")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

# The rows of a package stay together: a package that is asked about was never seen.
example_gen = ParquetExampleGen(
    input_base="data/packages",
    output_config=Output.hashed(train=6, eval=2, test=2, partition_feature_name="package"),
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
    module_file=MODULE,
    custom_config={"negatives": negatives, "epochs": epochs},
    train_args=TrainArgs(splits=["train"]),
    eval_args=EvalArgs(splits=["eval"]),
    distribution=distribution,
).with_resources(accelerator=accelerator)
evaluator = Evaluator(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    schema=schema_gen.outputs["schema"],
    example_splits=["test"],
    eval_config=EvalConfig(
        # Clients get names. The Evaluator wants the scores of all items.
        model_specs=[
            {
                "signature_name": "evaluation",
                "label_key": "target_xf",
                "preprocessing_function_names": ["transform_features"],
            }
        ],
        slicing_specs=[{}, {"feature_keys": ["section"]}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {
                        "class_name": "SparseTopKCategoricalAccuracy",
                        "config": '"k": 10, "name": "recall_at_10"',
                        "per_slice_thresholds": [
                            {
                                "slicing_specs": [{}],
                                "threshold": {"value_threshold": {"lower_bound": {"value": 0.6}}},
                            }
                        ],
                    },
                    {
                        "class_name": "SparseTopKCategoricalAccuracy",
                        "config": '"k": 1, "name": "recall_at_1"',
                    },
                ]
            }
        ],
    ),
)
comparison = BaselineComparison(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    module_file=MODULE,
    label_key="target",
    metrics=["recall_at_10", "ndcg_at_10", "recall_at_1"],
    prediction_key="packages",
    margin={"recall_at_10": 0.2, "ndcg_at_10": 0.15},
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination=PushDestination(filesystem=Filesystem("serving_model/recommend")),
)

pipeline = Pipeline(
    "recommend",
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
