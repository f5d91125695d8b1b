import pickle
import re
from pathlib import Path

import pytest

from penstock.training.doctor import CODES, Finding, TrainingDoctorError, check_doctor, summary_of

PAGE = Path(__file__).parents[4] / "docs/training-doctor.md"


def finding(code="dead-units", step=None):
    return Finding(code, "layer 'a'", "It is dead.", "Revive it.", step)


def test_the_page_has_every_finding_with_its_severity_and_no_other():
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning)", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == CODES
    assert len(rows) == len(CODES)


def test_an_error_has_all_findings_and_goes_between_processes():
    error = pickle.loads(
        pickle.dumps(TrainingDoctorError([finding(step=1200), finding("label-type")]))
    )
    assert [each.code for each in error.findings] == ["dead-units", "label-type"]
    assert "2 findings" in str(error)
    assert "dead-units (step 1,200): It is dead. Revive it." in str(error)


def test_a_summary_names_three():
    codes = ["dead-units", "dead-units", "label-type", "label-shape", "class-indices"]
    assert summary_of([finding(code) for code in codes]) == (
        "5 findings of the training doctor: dead-units, label-type, label-shape and 1 more"
    )


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(
        ValueError, match="'dead-unit', which is no finding.* Did you mean 'dead-units'"
    ):
        check_doctor("warn", ["dead-unit"])
    with pytest.raises(ValueError, match="Did you mean 'error'"):
        check_doctor("errors")
