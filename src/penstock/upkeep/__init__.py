"""Upkeep of a store and its pipeline roots: removing what nothing needs, and finding problems."""

from penstock.upkeep.collection import Collected, collect_garbage
from penstock.upkeep.leftovers import Leftover, find_leftovers
from penstock.upkeep.retention import Plan, Rules, plan_removal

__all__ = [
    "Collected",
    "Leftover",
    "Plan",
    "Rules",
    "collect_garbage",
    "find_leftovers",
    "plan_removal",
]
