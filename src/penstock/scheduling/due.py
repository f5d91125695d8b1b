"""Whether a schedule is due."""

from __future__ import annotations

from datetime import datetime, timedelta

from penstock.scheduling.schedule import Schedule

GRACE = timedelta(minutes=1)
"""A time that passed longer ago was missed: its run was not begun because none could be."""


def due(
    schedule: Schedule, considered: datetime | None, now: datetime
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return what to do about the times of a schedule up to now.

    With `catch_up` each time has its run, the oldest first. Else there is one run for the times of the
    last minute, and those before were missed.

    Args:
        schedule: It has times: a cron expression or an interval.
        considered: Times up to this one are done with; None if none was looked at yet.
        now: The moment.

    Returns:
        The time to run for, or None; up to when times are done with now; and the first of those that were
        missed, or None.

    Example:
        >>> schedule = Schedule(name="n", file="p.py", pipeline="p", cron="@hourly", created=midnight)
        >>> due(schedule, None, midnight + timedelta(seconds=3602))[0].hour
        1
    """
    begin = schedule.first if considered is None else max(considered, schedule.first)
    first = schedule.next_after(begin)
    if first is None or first > now:
        return None, considered, None
    if schedule.catch_up:
        return first, first, None
    latest: datetime | None = None
    following = schedule.next_after(max(begin, now - GRACE))
    while following is not None and following <= now:
        latest, following = following, schedule.next_after(following)
    missed = first if first < now - GRACE else None
    return latest, now, missed
