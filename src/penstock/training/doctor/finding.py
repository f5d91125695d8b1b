"""What the training doctor finds, and how it is asked to say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from penstock.spelling import counted, did_you_mean
from penstock.training.declared import check_mode

Severity = Literal["warning", "error"]

CODES: dict[str, Severity] = {
    # The loss and the head of the model.
    "loss-expects-logits": "error",
    "loss-expects-probabilities": "error",
    "softmax-twice": "error",
    "softmax-of-one-unit": "error",
    "one-unit-for-classes": "error",
    "binary-loss-for-classes": "warning",
    "sigmoid-for-classes": "warning",
    "head-out-of-reach": "error",
    # Labels.
    "one-hot-labels": "error",
    "class-indices": "error",
    "label-shape": "error",
    "label-type": "error",
    "labels-out-of-range": "error",
    "unused-classes": "warning",
    "constant-labels": "error",
    # Features, rows and splits.
    "constant-feature": "warning",
    "unnormalized-input": "warning",
    "unshuffled-data": "warning",
    "no-validation-data": "warning",
    "eval-rows-in-train": "warning",
    "less-than-one-epoch": "warning",
    # While the model trains.
    "non-finite-input": "error",
    "non-finite-layer": "error",
    "non-finite-loss": "error",
    "non-finite-gradient": "error",
    "loss-explodes": "error",
    "dead-units": "warning",
    "vanishing-gradients": "warning",
}
"""All findings by name. An error is certain: what is trained so cannot be right. A warning is likely."""

STOPPING = frozenset(
    {"non-finite-input", "non-finite-layer", "non-finite-loss", "non-finite-gradient"}
)
"""What ends the training also where findings are only warnings: nothing is learned after it."""


@dataclass(frozen=True)
class Finding:
    """One mistake that the doctor found.

    Args:
        code: Its name, one of `CODES`; what `doctor_ignore` silences.
        subject: The layer, feature, label or argument that it is about.
        message: What is wrong, in a sentence with the numbers seen.
        advice: What to do.
        step: The training step at which it was found, from 1; None before the first batch.

    Example:
        >>> Finding("no-validation-data", "validation_data", "There is none.", "Pass some.").severity
        'warning'
    """

    code: str
    subject: str
    message: str
    advice: str
    step: int | None = None

    @property
    def severity(self) -> Severity:
        """Return "error" for what is certain, "warning" for what is likely."""
        return CODES[self.code]

    def values(self) -> dict[str, Any]:
        """Return all attributes and the severity as JSON values."""
        return {**asdict(self), "severity": self.severity}

    def __str__(self) -> str:
        at = "" if self.step is None else f" (step {self.step:,})"
        return f"{self.code}{at}: {self.message} {self.advice}"


class TrainingDoctorError(ValueError):
    """A mistake that ends the training: any finding by `doctor="error"`, and numbers that are not finite.

    Attributes:
        findings: What was found.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        lines = "\n".join(f"  {finding}" for finding in self.findings)
        super().__init__(
            f"The training doctor stopped the training: {counted(len(self.findings), 'finding')}. "
            f"What is intended can be named in doctor_ignore.\n{lines}"
        )

    def __reduce__(self) -> tuple[type[TrainingDoctorError], tuple[list[Finding]]]:
        return type(self), (self.findings,)


def check_doctor(mode: object, ignore: object = ()) -> None:
    """Check the arguments `doctor` and `doctor_ignore`.

    Raises:
        ValueError: If there is no such mode, or no such finding.
        TypeError: If `ignore` is not a list of names.
    """
    check_mode(mode)
    if isinstance(ignore, str) or not isinstance(ignore, Iterable):
        raise TypeError(f"doctor_ignore is a list of names of findings. Received: {ignore!r}")
    for name in ignore:
        if name not in CODES:
            raise ValueError(
                f"doctor_ignore names {name!r}, which is no finding of the training doctor."
                f"{did_you_mean(str(name), CODES)}"
            )
    if mode == "off" and ignore:
        raise ValueError("doctor_ignore has no effect with doctor='off'. Leave one of them out.")
