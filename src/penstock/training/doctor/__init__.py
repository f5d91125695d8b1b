"""The training doctor: catches the classic mistakes before the first batch, and while a model trains."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.training.doctor.callback import TrainingDoctor
    from penstock.training.doctor.examination import examine
    from penstock.training.doctor.finding import (
        CODES,
        Finding,
        TrainingDoctorError,
        check_doctor,
    )
    from penstock.training.doctor.report import read_findings, summary_of, write_findings

_MODULE_OF = {
    "CODES": "finding",
    "Finding": "finding",
    "TrainingDoctor": "callback",
    "TrainingDoctorError": "finding",
    "check_doctor": "finding",
    "examine": "examination",
    "read_findings": "report",
    "summary_of": "report",
    "write_findings": "report",
}

__all__ = [
    "CODES",
    "Finding",
    "TrainingDoctor",
    "TrainingDoctorError",
    "check_doctor",
    "examine",
    "read_findings",
    "summary_of",
    "write_findings",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
