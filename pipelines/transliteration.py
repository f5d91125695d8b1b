"""Words into words: a transformer's encoder and decoder write Ukrainian in Latin letters.

    penstock run pipelines/transliteration.py
    penstock run pipelines/transliteration.py --param pairs=reversal.csv
    penstock run pipelines/transliteration.py --param beams=1

Paths are relative to the project's root. The user code is `modules/transliteration.py`.
"""

from penstock import LatestBlessedModel, LocalDagRunner, Pipeline, Resolver, RuntimeParameter
from penstock.components import (
    BaselineComparison,
    CsvExampleGen,
    Evaluator,
    ExampleValidator,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
)
from penstock.evaluation import EvalConfig
from penstock.io import Input, Output, Split
from penstock.serving import Filesystem, PushDestination
from penstock.training import EvalArgs, TrainArgs

MODULE = "modules/transliteration.py"

pairs = RuntimeParameter(
    "pairs", str, "transliteration.csv", "transliteration.csv, or reversal.csv: the words backwards"
)
epochs = RuntimeParameter("epochs", int, 25, "passes over the training data")
beams = RuntimeParameter("beams", int, 4, "beginnings that the search keeps; 1 is greedy")
distribution = RuntimeParameter("distribution", str, "none", "none or mirrored")
accelerator = RuntimeParameter("accelerator", str, "", "GPU or TPU of the Trainer, as nvidia-l4")

example_gen = CsvExampleGen(
    input_base="data/word_pairs",
    input_config=Input([Split("all", pairs)]),
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
    custom_config={"epochs": epochs, "beams": beams},
    distribution=distribution,
    # The decoder's first input is the sign for the start, in all rows.
    doctor_ignore=["constant-feature"],
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
                "prediction_key": "target",
                "label_key": "target",
            }
        ],
        slicing_specs=[{}],
        metrics_specs=[
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {
                        # The share of words that are right to the last letter.
                        "class_name": "ExactMatch",
                        "threshold": {"value_threshold": {"lower_bound": {"value": 0.8}}},
                    },
                ]
            }
        ],
    ),
)
# An LSTM into an LSTM: what passes from one to the other is a single state, however long the word is.
comparison = BaselineComparison(
    examples=example_gen.outputs["examples"],
    model=trainer.outputs["model"],
    module_file=MODULE,
    label_key="target",
    margin={"words_right": 0.05},
    prediction_key="target",
)
pusher = Pusher(
    model=trainer.outputs["model"],
    model_blessing=evaluator.outputs["blessing"],
    blessings=[comparison.outputs["blessing"]],
    push_destination=PushDestination(filesystem=Filesystem("serving_model/transliteration")),
)

pipeline = Pipeline(
    "transliteration",
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
