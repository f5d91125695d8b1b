"""What a scheduler remembers of a schedule, so that it goes on after a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

_TIMES = ("considered", "scheduled")


@dataclasses.dataclass(slots=True)
class ScheduleState:
    """How far a schedule is. Only the scheduler writes it.

    Attributes:
        considered: Times up to this one are done with. For a schedule that comes after another pipeline,
            the end of the last run of that which was looked at.
        fired: How many runs it began.
        run_id: The run that goes on; "" for none.
        scheduled: The time that this run is for.
        resumed: How often the run was resumed.
        last_run: The last run that ended.
        last_state: Its state.
        last_error: Why it did not complete.
        untold: The run whose end nobody was told of yet, because the scheduler was stopped.
        notice: Why the last notification was not delivered; "" if all were.
    """

    considered: datetime | None = None
    fired: int = 0
    run_id: str = ""
    scheduled: datetime | None = None
    resumed: int = 0
    last_run: str = ""
    last_state: str = ""
    last_error: str = ""
    untold: str = ""
    notice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value for `from_json`."""
        value = dataclasses.asdict(self)
        for name in _TIMES:
            value[name] = value[name] and value[name].isoformat()
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the state that `to_json` was called on.

        Raises:
            ValueError, TypeError: If it is none.
        """
        given = dict(value)
        for name in _TIMES:
            given[name] = datetime.fromisoformat(given[name]) if given.get(name) else None
        return cls(**given)
