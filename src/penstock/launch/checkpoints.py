"""The folder in which attempts at a node leave what a further one can go on from."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import Any

from penstock.artifacts import layout, location
from penstock.launch.attempt import Attempt
from penstock.launch.cache_key import KeyParts
from penstock.launch.key_difference import key_differences

_MOST_DIFFERENCES = 5


def checkpoints_for(attempt: Attempt, log: logging.Logger) -> str:
    """Make the folder of an attempt's checkpoints, or find it as an earlier attempt left it.

    What was left under another cache key is removed, and the log says what differs: it would not fit.
    The key lies beside the folder. It is written before the folder is made and removed after it, so
    that a folder without one is never trusted.

    Args:
        attempt: The attempt.
        log: The node's.

    Returns:
        The folder or URL.
    """
    folder = attempt.checkpoint_dir
    key = f"{folder}{layout.CHECKPOINT_KEY}"
    # As they come back from JSON.
    parts: KeyParts = json.loads(json.dumps(attempt.key_parts, default=str))
    there = _key_at(key)
    if there != parts:
        if location.exists(folder):
            log.info("checkpoints of an earlier attempt are not used: %s", _why(there, parts))
            location.remove(folder)
        location.write_bytes(key, json.dumps(parts).encode())
    location.make_folder(folder)
    return folder


def remove_checkpoints(root: str, node_id: str, run_id: str) -> None:
    """Remove the checkpoints of a node that has completed, if it has any; what cannot be, `gc` removes.

    Args:
        root: The pipeline's root.
        node_id: The node.
        run_id: The run.
    """
    folder = layout.checkpoint_folder(root, node_id, run_id)
    key = f"{folder}{layout.CHECKPOINT_KEY}"
    with contextlib.suppress(Exception):
        if location.exists(key):
            location.remove(folder)
            location.remove(key)


def _key_at(path: str) -> KeyParts | None:
    try:
        found: Any = json.loads(location.read_bytes(path))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _why(there: KeyParts | None, parts: KeyParts) -> str:
    if there is None:
        return "it is not known from which code and data they come"
    differences = [each.sentence for each in key_differences(there, parts)]
    more = len(differences) - _MOST_DIFFERENCES
    shown = differences[:_MOST_DIFFERENCES] + ([f"{more} more differences"] if more > 0 else [])
    return "; ".join(shown) or "the node is another one"
