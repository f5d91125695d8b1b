"""When a schedule is due, and how schedules are kept."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from penstock.notifications import VerdictFilter
from penstock.scheduling import Schedule, ScheduleError, ScheduleFolder, UnknownSchedule
from penstock.scheduling.due import due
from penstock.scheduling.state import ScheduleState

MIDNIGHT = datetime(2026, 11, 28, tzinfo=UTC)


def at(clock: str) -> datetime:
    hours, minutes, seconds = map(int, clock.split(":"))
    return MIDNIGHT + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def schedule(**given) -> Schedule:
    when = {"cron": "@hourly"} if not {"cron", "every", "after"} & set(given) else {}
    fields = {"name": "n", "file": "p.py", "pipeline": "p", "created": MIDNIGHT, **when, **given}
    return Schedule(**fields)


@pytest.mark.parametrize(
    ("given", "considered", "now", "fires", "until", "missed"),
    [
        ({}, None, "0:59:59", None, None, None),
        ({}, None, "1:00:00", "1:00:00", "1:00:00", None),
        ({}, "1:00:00", "1:59:00", None, "1:00:00", None),
        ({}, "1:00:00", "2:00:40", "2:00:00", "2:00:40", None),
        # The machine was off: what passed more than a minute ago has no run of its own.
        ({}, "1:00:00", "4:30:00", None, "4:30:00", "2:00:00"),
        ({}, "1:00:00", "5:00:10", "5:00:00", "5:00:10", "2:00:00"),
        ({"catch_up": True}, "1:00:00", "4:30:00", "2:00:00", "2:00:00", None),
        # Often enough, and only the last of the times that passed meanwhile counts.
        ({"every": 10}, "0:01:00", "0:01:35", "0:01:30", "0:01:35", None),
        ({"start": at("6:00:00")}, None, "6:30:00", None, None, None),
        ({"every": 3600, "start": at("6:10:00")}, None, "7:10:00", "7:10:00", "7:10:00", None),
        ({"end": at("2:30:00")}, "2:00:00", "3:00:00", None, "2:00:00", None),
    ],
)
def test_when_it_is_due(given, considered, now, fires, until, missed):
    def moment(clock):
        return clock and at(clock)

    found = due(schedule(**given), moment(considered), at(now))
    assert found == (moment(fires), moment(until), moment(missed))


def test_a_run_knows_the_time_that_it_is_for():
    values = schedule(parameters={"day": "d[[ScheduledTime]]", "n": "[[Index]]", "x": "1"})
    assert values.values(at("3:00:00"), 7) == {"day": "d20261128030000", "n": "7", "x": "1"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cron": "@daily", "every": 5}, "a cron expression, an interval, or a pipeline"),
        ({"cron": "61 * * * *"}, "minute is 0 to 59. Received: '61'"),
        ({"every": 0}, "an interval is 1 second or more. Received: 0"),
        ({"name": "a b"}, "the name of a schedule is made of letters"),
        ({"condition": VerdictFilter("A")}, "a condition is about the pipeline that"),
        ({"after": "p", "catch_up": True}, "a pipeline that comes after another has none"),
        ({"start": MIDNIGHT, "end": MIDNIGHT}, "the end of a schedule lies after its start"),
    ],
)
def test_what_makes_no_sense_is_refused(given, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        schedule(**given)


def test_schedules_are_kept(tmp_path):
    folder = ScheduleFolder(tmp_path)
    assert folder.schedules() == []
    nightly = schedule(name="nightly", parameters={"epochs": "3"}, end=at("5:00:00"))
    follows = schedule(name="follows", after="p", condition=VerdictFilter.parse("Drift=drift"))
    assert folder.add(nightly)
    assert folder.add(follows)
    assert ScheduleFolder(tmp_path).schedules() == [follows, nightly]

    later = dataclasses.replace(nightly, created=at("1:00:00"))
    assert not folder.add(later), "the same again changes nothing"
    other = dataclasses.replace(later, cron="@daily")
    with pytest.raises(ScheduleError, match="'nightly' already, which runs p.py @hourly"):
        folder.add(other)
    assert folder.add(other, replace=True)
    assert folder.find("nightly") == other
    assert folder.add(dataclasses.replace(later, cron="@daily", enabled=False))
    assert folder.find("nightly").created == at("1:00:00"), "pausing does not begin anew"

    state = ScheduleState(considered=at("2:00:00"), run_id="r", fired=4)
    folder.write_state("nightly", state)
    assert folder.state("nightly") == state
    with pytest.raises(UnknownSchedule, match="Did you mean 'nightly'"):
        folder.remove("nihgtly")
    folder.remove("nightly")
    assert [each.name for each in folder.schedules()] == ["follows"]
    assert folder.left_states() == ["nightly"]


def test_a_damaged_file_is_told(tmp_path):
    folder = ScheduleFolder(tmp_path)
    folder.add(schedule(name="n"))
    (folder.path / "n.json").write_text('{"name": "n", "crno": "@daily"}')
    with pytest.raises(ScheduleError, match=r"n\.json is damaged: .*crno.* Schedule it again"):
        folder.schedules()


def test_there_is_one_scheduler(tmp_path):
    folder = ScheduleFolder(tmp_path)
    assert not folder.has_scheduler()
    with folder.locked():
        assert folder.has_scheduler()
        with pytest.raises(ScheduleError, match="runs already"), folder.locked():
            pass
    assert not folder.has_scheduler()
    with folder.locked():
        pass
