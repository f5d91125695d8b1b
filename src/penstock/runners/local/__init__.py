"""The local runner."""

from penstock.runners.local.runner import LocalDagRunner

__all__ = ["LocalDagRunner"]
