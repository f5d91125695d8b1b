"""Where findings are kept: a file beside the logs of the training."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from penstock.artifacts import location
from penstock.spelling import counted
from penstock.training.doctor.finding import CODES, Finding

FILE = "training_doctor.json"
_NAMED = 3


def write_findings(folder: str, findings: Sequence[Finding]) -> None:
    """Write findings to `training_doctor.json` in a local folder, whole or not at all."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, FILE)
    written = [finding.values() for finding in findings]
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        json.dump({"findings": written}, file, indent=2)
    os.replace(f"{path}.part", path)


def read_findings(folder: str) -> list[Finding] | None:
    """Return the findings beside the logs of a training; None if no doctor watched it.

    Args:
        folder: `fn_args.model_run_dir`, the folder of a ModelRun; also a remote one.

    Raises:
        ValueError: If the file is damaged.
    """
    path = f"{folder.rstrip('/')}/{FILE}"
    if not location.exists(path):
        return None
    try:
        found = json.loads(location.read_bytes(path))["findings"]
        read = [
            Finding(each["code"], each["subject"], each["message"], each["advice"], each["step"])
            for each in found
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return [finding for finding in read if finding.code in CODES]


def summary_of(findings: Sequence[Finding]) -> str:
    """Return findings as the part of a sentence that a verdict is.

    Example:
        >>> summary_of([Finding("no-validation-data", "validation_data", "There is none.", "Pass some.")])
        '1 finding of the training doctor: no-validation-data'
        >>> summary_of([])
        'no findings of the training doctor'
    """
    if not findings:
        return "no findings of the training doctor"
    codes = list(dict.fromkeys(finding.code for finding in findings))
    named = ", ".join(codes[:_NAMED]) + (
        f" and {len(codes) - _NAMED} more" if codes[_NAMED:] else ""
    )
    return f"{counted(len(findings), 'finding')} of the training doctor: {named}"
