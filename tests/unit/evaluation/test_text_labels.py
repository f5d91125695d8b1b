import json
import shutil

import pyarrow as pa
import pytest

from penstock.evaluation import evaluate
from penstock.io import ExamplesWriter, read_record_batches, split_files
from penstock.serving.labels import LABELS_FILE

pytestmark = pytest.mark.tensorflow

NAMES = ("low", "middle", "high")


@pytest.fixture(scope="module")
def named(files, columns, tmp_path_factory) -> list[str]:
    """The examples with their classes' names in `class`."""
    root = str(tmp_path_factory.mktemp("named"))
    labels = iter(columns["label"])
    with ExamplesWriter(root, ["eval"]) as writer:
        for batch in read_record_batches(files):
            names = [[NAMES[next(labels)[0]].encode()] for _ in range(batch.num_rows)]
            column = pa.array(names, pa.large_list(pa.binary()))
            writer.write("eval", batch.append_column("class", column))
    return split_files(root, "eval")


@pytest.mark.parametrize(
    "content",
    [
        {"class_names": NAMES},
        {"vocabularies": {"class": {"values": NAMES}}},
    ],
    ids=["class names", "the label's vocabulary"],
)
def test_labels_as_text_are_classes_by_what_the_model_carries(
    content, named, files, model, by_class, tmp_path
):
    metric = {"class_name": "SparseCategoricalAccuracy"}
    expected = evaluate(files, model=model, eval_config=by_class(metric)).metrics()
    carrying = str(shutil.copytree(model, tmp_path / "model"))
    file = tmp_path / "model" / LABELS_FILE
    file.parent.mkdir()
    file.write_text(json.dumps(content))
    config = by_class(metric)
    config["model_specs"][0]["label_key"] = "class"
    assert evaluate(named, model=carrying, eval_config=config).metrics() == expected
    with pytest.raises(
        ValueError, match="The labels are strings.* export the model with class_names"
    ):
        evaluate(named, model=model, eval_config=config)
