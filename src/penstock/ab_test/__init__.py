"""Two versions of a model on the same rows, or each on its own: how sure it is that one is better."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.ab_test.decision import Decision, Judged, decide
    from penstock.ab_test.differences import Arm, Difference, difference
    from penstock.ab_test.split_check import share_is_off

_MODULE_OF = {
    "Arm": "differences",
    "Decision": "decision",
    "Difference": "differences",
    "Judged": "decision",
    "decide": "decision",
    "difference": "differences",
    "share_is_off": "split_check",
}

__all__ = ["Arm", "Decision", "Difference", "Judged", "decide", "difference", "share_is_off"]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
