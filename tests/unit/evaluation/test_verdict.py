import math
import subprocess
import sys

import pytest

from penstock.evaluation.config import SlicingSpec
from penstock.evaluation.keys import MetricKey
from penstock.evaluation.validation_messages import validation_message
from penstock.evaluation.verdict import (
    ThresholdCheck,
    Validation,
    allowed_changes,
    failures,
    sentence,
    summary,
)


def check(value, bounds, where="carrier=HA", count=1, passed=False, **more):
    return ThresholdCheck("auc", where, count, passed, value, bounds, **more)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (check(0.6134, {"lower": 0.7}), "auc 0.613 below 0.7 in carrier=HA (1 example)"),
        (check(0.6134, {"lower": 0.7}, "Overall", 900), "auc 0.613 below 0.7"),
        (check(5.0, {"upper": 4.0}, "a=b", 1200), "auc 5 above 4 in a=b (1,200 examples)"),
        # Short, but never so short that it reads as the bound.
        (check(0.69999, {"lower": 0.7}, "Overall"), "auc 0.69999 below 0.7"),
        (
            check(math.nan, {"lower": 0.2, "upper": 0.5}, "Overall"),
            "auc is not a number (allowed: at least 0.2 and at most 0.5)",
        ),
        (
            check(None, {"lower": 0.7}, error="min_slice_size is 10"),
            "auc has no single value in carrier=HA (1 example): min_slice_size is 10",
        ),
        (check(0.8, {"lower": 0.7}, "Overall", passed=True), "auc 0.8 within at least 0.7"),
        (
            check(
                0.61,
                {"absolute": -0.02},
                change=-0.05,
                baseline=0.66,
                direction="higher is better",
            ),
            "auc 0.61, down by 0.05 from the baseline's 0.66 (may fall by 0.02 at most) "
            "in carrier=HA (1 example)",
        ),
    ],
)
def test_a_check_is_one_short_sentence(given, said):
    assert sentence(given) == said


@pytest.mark.parametrize(
    ("bounds", "higher", "said"),
    [
        ({"absolute": 0.1}, True, "must rise by 0.1 at least"),
        ({"absolute": 0.0}, True, "must not fall"),
        ({"relative": -0.1}, True, "may fall by 10% at most"),
        ({"absolute": 0.1}, False, "may rise by 0.1 at most"),
        ({"absolute": -0.1, "relative": 0.0}, False, "must fall by 0.1 at least, must not rise"),
    ],
)
def test_what_change_is_allowed_is_said_in_words(bounds, higher, said):
    assert allowed_changes(bounds, higher) == said


def test_the_largest_slice_that_failed_comes_first():
    small, large = check(0.1, {"lower": 0.7}), check(0.6, {"lower": 0.7}, "Overall", 900)
    validation = Validation(False, [small, check(0.9, {"lower": 0.7}, passed=True), large])
    assert validation.failures() == [
        "auc 0.6 below 0.7",
        "auc 0.1 below 0.7 in carrier=HA (1 example)",
    ]
    verdict = validation.verdict()
    assert verdict["summary"] == "not blessed: auc 0.6 below 0.7, and 1 more"
    assert [c["passed"] for c in verdict["checks"]] == [False, False, True]


def test_a_verdict_holds_failed_checks_before_it_is_cut():
    checks = [check(0.9, {"lower": 0.7}, passed=True)] * 60 + [check(0.1, {"lower": 0.7})]
    verdict = Validation(False, checks).verdict()
    assert (verdict["num_checks"], verdict["num_failed"], len(verdict["checks"])) == (61, 1, 50)
    assert not verdict["checks"][0]["passed"]


def test_a_summary_is_one_line():
    assert summary(True, ["all 3 threshold checks passed"]) == (
        "blessed: all 3 threshold checks passed"
    )
    assert summary(False, []) == "not blessed"


def test_a_validation_result_message_says_the_same():
    from google.protobuf import text_format

    from penstock.evaluation.config import GenericValueThreshold

    bound = text_format.Parse("lower_bound { value: 0.7 }", GenericValueThreshold())
    failed = check(
        0.61,
        {"lower": 0.7},
        key=MetricKey("auc"),
        slice_key=(("carrier", "HA"),),
        threshold=bound,
    )
    validation = Validation(False, [failed], [SlicingSpec(feature_keys=["island"])])
    assert failures(validation_message(validation)) == [
        "auc 0.61 below 0.7 in carrier=HA",
        "no example in island, which has a threshold",
    ]


def test_reading_a_verdict_imports_nothing_heavy():
    code = (
        "import sys; from penstock.evaluation import failures, summary; "
        "heavy = {'numpy', 'pyarrow', 'tensorflow'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
