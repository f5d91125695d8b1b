"""Schedules of this machine: which pipeline files run again and again, and the process that runs them."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.scheduling.schedule import Schedule
    from penstock.scheduling.schedule_folder import ScheduleError, ScheduleFolder, UnknownSchedule
    from penstock.scheduling.scheduler import Scheduler

_MODULE_OF = {
    "Schedule": "schedule",
    "ScheduleError": "schedule_folder",
    "ScheduleFolder": "schedule_folder",
    "Scheduler": "scheduler",
    "UnknownSchedule": "schedule_folder",
}

__all__ = ["Schedule", "ScheduleError", "ScheduleFolder", "Scheduler", "UnknownSchedule"]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
