"""The local runner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.runners.local.runner import LocalDagRunner

__all__ = ["LocalDagRunner"]


def __getattr__(name: str) -> Any:
    # A worker imports modules of this package, but not the runner.
    if name != "LocalDagRunner":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock.runners.local.runner import LocalDagRunner

    return LocalDagRunner
