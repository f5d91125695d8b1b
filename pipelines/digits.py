"""Handwritten digits: a convolutional network, from MNIST's files to a pushed, served model.

    penstock run pipelines/digits.py
    penstock run pipelines/digits.py --param precision=mixed_bfloat16 --param schedule=plateau
    penstock run pipelines/digits.py --param regularization=none --param augment=false

Paths are relative to the project's root. The user code is `modules/digits.py`. `digits(example_gen)` is the
same pipeline on other data: folders of images, NumPy's files, a folder of TensorFlow Datasets.
"""

from penstock import LatestBlessedModel, LocalDagRunner, Pipeline, Resolver, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    Evaluator,
    ExampleValidator,
    Explainer,
    NumpyExampleGen,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from penstock.components.example_gen import ExampleGen
from penstock.evaluation import EvalConfig
from penstock.io import Output
from penstock.serving import Filesystem, PushDestination
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/digits.py"

epochs = RuntimeParameter("epochs", int, 12, "passes over the training data at most")
schedule = RuntimeParameter("schedule", str, "halve", "halve or plateau: what lowers the rate")
regularization = RuntimeParameter(
    "regularization", str, "all", "all, none, or some of dropout,l2,batch_norm"
)
augment = RuntimeParameter("augment", bool, True, "whether digits are moved and turned in training")
precision = RuntimeParameter("precision", str, "float32", "float32 or mixed_bfloat16")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

# Three splits: the learning rate and early stopping see train and eval, the Evaluator judges on test.
SPLITS = Output.hashed(train=6, eval=2, test=2)


def digits(example_gen: ExampleGen, name: str = "digits") -> Pipeline:
    """Return the pipeline on examples with an `image` and a `label` from 0 to 9."""
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
        custom_config={
            "epochs": epochs,
            "schedule": schedule,
            "regularization": regularization,
            "augment": augment,
        },
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
                    "prediction_key": "probabilities",
                    "label_key": "label_xf",
                    "preprocessing_function_names": ["transform_features"],
                }
            ],
            slicing_specs=[{}, {"feature_keys": ["label"]}],
            metrics_specs=[
                {
                    "metrics": [
                        {"class_name": "ExampleCount"},
                        {"class_name": "SparseCategoricalCrossentropy"},
                        {
                            "class_name": "SparseCategoricalAccuracy",
                            # All digits together; the slices show which of them are hard.
                            "per_slice_thresholds": [
                                {
                                    "slicing_specs": [{}],
                                    "threshold": {
                                        "value_threshold": {"lower_bound": {"value": 0.95}},
                                        # Not worse than the last blessed model by more than a point.
                                        "change_threshold": {
                                            "direction": "HIGHER_IS_BETTER",
                                            "absolute": {"value": -0.01},
                                        },
                                    },
                                }
                            ],
                        },
                        {"class_name": "MultiClassConfusionMatrixPlot"},
                    ]
                }
            ],
        ),
    )
    # Logistic regression on the pixels: what all the layers have to be worth.
    comparison = BaselineComparison(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        module_file=MODULE,
        label_key="label",
        metrics=["accuracy", "log_loss"],
        margin=0.03,
        prediction_key="probabilities",
    )
    # Where in an image the network looks: the last convolution, pixel by pixel, and back to the input.
    explainer = Explainer(
        model=trainer.outputs["model"],
        examples=example_gen.outputs["examples"],
        transformed_examples=transform.outputs["transformed_examples"],
        methods=["grad_cam", "saliency"],
        split="test",
        module_file=MODULE,
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        blessings=[comparison.outputs["blessing"]],
        push_destination=PushDestination(filesystem=Filesystem(f"serving_model/{name}")),
    )
    return Pipeline(
        name,
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
            explainer,
            pusher,
        ],
    )


pipeline = digits(
    NumpyExampleGen(
        input_base="data/digits",
        features={"image": "*-images-*", "label": "*-labels-*"},
        output_config=SPLITS,
    )
)

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
