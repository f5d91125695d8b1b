import inspect
import pickle
from dataclasses import replace

import pytest

from penstock.dsl import Importer, Pipeline, Policy
from penstock.spelling import closest, did_you_mean
from penstock.training import TrainArgs


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("exampels", ["examples", "schema"], "examples"),
        ("auc", ["AUC", "Accuracy"], "AUC"),
        ("root", ["pipeline_root", "components"], "pipeline_root"),
        ("name", ["pipeline_name", "artifact_name"], None),
        ("x", ["examples"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_name(name, known, found):
    assert closest(name, known) == found


def test_without_a_near_name_all_are_named():
    assert did_you_mean("z", ["b", "a"]) == " Expected one of: 'a', 'b'."
    assert did_you_mean("z", ["a"]) == " Expected: 'a'."
    assert did_you_mean("z", []) == " There are none."
    assert did_you_mean("z", map(str, range(33))).endswith(" and 3 more.")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainArgs(steps=3), "TrainArgs takes no argument 'steps'. Did you mean 'num_steps'?"),
        (lambda: Pipeline("p", component=[]), "Pipeline takes no argument 'component'. Did you mean 'components'?"),
        (lambda: Importer(source="d"), "Importer takes no argument 'source'. Did you mean 'source_uri'?"),
        (lambda: Policy(retry=1), "Policy takes no argument 'retry'. Did you mean 'retries'?"),
    ],
)  # fmt: skip
def test_an_unknown_keyword_is_answered_with_the_nearest(make, message):
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == message


def test_a_class_stays_what_it_was():
    args = TrainArgs(["train"], num_steps=3)
    assert replace(args, num_steps=4) == TrainArgs(splits=["train"], num_steps=4)
    assert pickle.loads(pickle.dumps(args)) == args
    assert list(inspect.signature(TrainArgs).parameters) == ["splits", "num_steps", "batch_size"]
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Pipeline()
