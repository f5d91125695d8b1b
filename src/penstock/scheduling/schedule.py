"""A schedule: which pipeline file runs on this machine, and when."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from penstock.cron import Cron
from penstock.notifications.verdict_filter import VerdictFilter
from penstock.quantities import duration

_NAME = re.compile(r"[\w][\w.-]{0,99}", re.ASCII)
_SCHEDULED_TIME, _INDEX = "[[ScheduledTime]]", "[[Index]]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A pipeline file that runs again and again.

    Args:
        name: Its name in the project.
        file: The pipeline file, relative to the project's root.
        pipeline: The name of the pipeline in it.
        cron: Five fields in UTC, six with seconds in front, or a word such as `@daily`.
        every: Seconds from one run to the next.
        after: Name of a pipeline: it runs when a run of that is complete.
        condition: With `after`: the verdict that this run must have.
        parameters: Text of runtime parameters, by name. `[[ScheduledTime]]` in it stands for the time that
            the run is for, as 20261128030000, and `[[Index]]` for its number, as on Kubeflow.
        start: The first moment; None for now.
        end: The last moment; None for no end.
        catch_up: Whether times that passed while it could not fire are made up for, one run each.
        enabled: Whether it fires.
        store: The metadata store, if it is not the project's.
        created: When it was made: it fires for later times only.

    Raises:
        ValueError: If it has none or several of `cron`, `every` and `after`, or a value is wrong.

    Example:
        Schedule(name="nightly", file="pipelines/penguin.py", pipeline="penguin", cron="0 3 * * *")
    """

    name: str
    file: str
    pipeline: str
    cron: str | None = None
    every: int | None = None
    after: str | None = None
    condition: VerdictFilter | None = None
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    catch_up: bool = False
    enabled: bool = True
    store: str | None = None
    created: datetime = dataclasses.field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "the name of a schedule is made of letters, digits, '_', '-' and '.'. Received: "
                f"{self.name!r}"
            )
        given = [each for each in (self.cron, self.every, self.after) if each is not None]
        if len(given) != 1:
            raise ValueError(
                "a schedule has a cron expression, an interval, or a pipeline that it comes after: one of "
                "them"
            )
        if self.cron is not None:
            Cron.parse(self.cron)
        if self.every is not None and self.every < 1:
            raise ValueError(f"an interval is 1 second or more. Received: {self.every!r}")
        if self.after is None and self.condition is not None:
            raise ValueError("a condition is about the pipeline that this one comes after")
        if self.after is not None and self.catch_up:
            raise ValueError("times are caught up on; a pipeline that comes after another has none")
        if self.start and self.end and self.end <= self.start:
            raise ValueError("the end of a schedule lies after its start")

    @property
    def first(self) -> datetime:
        """The moment after which it fires."""
        return self.created if self.start is None else max(self.start, self.created)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; None if there is none, or none that is known.

        Intervals are counted from the start, so a run that takes long does not shift those after it.

        Example:
            >>> schedule = Schedule(name="n", file="p.py", pipeline="p", cron="@daily")
            >>> schedule.next_after(datetime(2030, 12, 31, 5, tzinfo=UTC)).isoformat()
            '2031-01-01T00:00:00+00:00'
        """
        first = self.first.astimezone(UTC)
        moment = max(moment.astimezone(UTC), first)
        found: datetime | None = None
        if self.cron is not None:
            found = Cron.parse(self.cron).next_after(moment)
        elif self.every is not None:
            passed = (moment - first) // timedelta(seconds=self.every)
            found = first + (passed + 1) * timedelta(seconds=self.every)
        return found if found is None or self.end is None or found <= self.end else None

    def values(self, scheduled: datetime, index: int) -> dict[str, str]:
        """Return the runtime parameters of a run.

        Args:
            scheduled: The time that it is for.
            index: Its number, from 1.
        """
        time = f"{scheduled.astimezone(UTC):%Y%m%d%H%M%S}"
        return {
            name: text.replace(_SCHEDULED_TIME, time).replace(_INDEX, str(index))
            for name, text in self.parameters.items()
        }

    @property
    def when(self) -> str:
        """When it fires, in words of the command."""
        if self.after is not None:
            return f"after {self.after}" + (f" if {self.condition}" if self.condition else "")
        return self.cron or f"every {duration(self.every)}"

    def does_the_same(self, other: Schedule) -> bool:
        """Return whether two schedules differ only in when they were made and whether they fire."""
        return self == dataclasses.replace(other, created=self.created, enabled=self.enabled)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value for `from_json`."""
        value: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            item = getattr(self, field.name)
            if isinstance(item, datetime):
                item = item.isoformat()
            elif isinstance(item, VerdictFilter):
                item = str(item)
            value[field.name] = dict(item) if isinstance(item, Mapping) else item
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the schedule that `to_json` was called on.

        Raises:
            ValueError, TypeError: If it is none.
        """
        given = dict(value)
        for name in ("start", "end", "created"):
            if given.get(name) is not None:
                given[name] = datetime.fromisoformat(given[name])
        if given.get("condition") is not None:
            given["condition"] = VerdictFilter.parse(given["condition"])
        return cls(**given)
