"""Images for a cluster's nodes: built from a project's Dockerfile, tagged by what is in them."""

from __future__ import annotations

from penstock.image.base_lock import BaseLock, LockError
from penstock.image.build import ImageBuild, ImageError
from penstock.image.context import context_files

__all__ = ["BaseLock", "ImageBuild", "ImageError", "LockError", "context_files"]
