"""What a notification tells: how a run ended."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact, Verdict
from penstock.quantities import duration, moment

VERDICT_OUTPUT = "verdict"
"""The output, a value artifact, in which a component gives its verdict as a word."""


def verdict_words(outputs: Mapping[str, Mapping[str, Sequence[Artifact]]]) -> dict[str, str]:
    """Return the word of each node whose output `verdict` holds one.

    What cannot be read any more is left out: people are told of the run all the same.

    Args:
        outputs: Artifacts by node and key.
    """
    words: dict[str, str] = {}
    for node, by_key in outputs.items():
        for artifact in by_key.get(VERDICT_OUTPUT, ()):
            with contextlib.suppress(OSError, ValueError):
                words[node] = str(getattr(artifact, "value", "")).strip()
    return words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """The end of a run.

    Args:
        pipeline: Name of the pipeline.
        run_id: Name of the run.
        state: `COMPLETE`, `FAILED`, `CANCELED`, or `KILLED` if its process was gone.
        error: Why it did not complete, one line.
        verdicts: What its nodes said that judged something and were not cached, by node.
        words: The word of those whose output `verdict` holds one, such as `drift`, by node.
        schedule: The schedule that began it, or "".
        project: Folder of the project.
        started: When it began, in seconds since 1970.
        seconds: How long it took.
        resume_command: What to type to go on with it, if it can be.

    Example:
        RunEvent(pipeline="penguin", run_id="20261128-0300", state="FAILED", error="Trainer: out of memory")
    """

    pipeline: str
    run_id: str
    state: str
    error: str = ""
    verdicts: Mapping[str, Verdict] = dataclasses.field(default_factory=dict)
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    schedule: str = ""
    project: str = ""
    started: float | None = None
    seconds: float | None = None
    resume_command: str = ""

    @property
    def failed(self) -> bool:
        """Whether the run failed; one that a person stopped did not."""
        return self.state in ("FAILED", "KILLED")

    @property
    def subject(self) -> str:
        """The event in one line.

        Example:
            >>> RunEvent(pipeline="penguin", run_id="r1", state="FAILED", error="Trainer: boom").subject
            'penguin failed: Trainer: boom'
        """
        if self.failed:
            return f"{self.pipeline} {self.state.lower()}: {self.error or 'see its log'}"
        # A verdict that has a word is there to be acted on, also if it is good news.
        told = [
            f"{node}: {each.text}"
            for node, each in self.verdicts.items()
            if not each.ok or node in self.words
        ]
        if told:
            return f"{self.pipeline}: {'; '.join(told)}"
        return f"{self.pipeline} is {self.state.lower()}"

    @property
    def text(self) -> str:
        """The event in some lines of plain text."""
        by = f" by the schedule {self.schedule}" if self.schedule else ""
        lines = [
            f"run {self.run_id} of {self.pipeline}{by}: {self.state.lower()}",
            f"began {moment(self.started)}, took {duration(self.seconds)}",
        ]
        if self.error:
            lines.append(f"error: {self.error}")
        lines += [f"{node}: {verdict.text}" for node, verdict in self.verdicts.items()]
        if self.project:
            lines.append(f"look at it in {self.project}: penstock show {self.run_id}")
        if self.resume_command:
            lines.append(f"go on with it: {self.resume_command}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON has it, which is what a webhook gets."""
        value = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        value["verdicts"] = {node: each.to_json() for node, each in self.verdicts.items()}
        value["words"] = dict(self.words)
        return {"event": "run ended", "subject": self.subject, **value}
