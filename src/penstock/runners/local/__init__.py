"""The local runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.runners.local.runner import LocalDagRunner

__all__ = ["LocalDagRunner"]

# A worker imports modules of this package, but not the runner.
__getattr__, __dir__ = lazy_exports(__name__, {"LocalDagRunner": "runner"})
