"""Where an execution's files are stored below a pipeline's root, in TFX's layout."""

from __future__ import annotations

from urllib.parse import quote

SYSTEM = ".system"
ATTEMPTS = "executor_execution"
SCRATCH = ".temp"
CHECKPOINTS = "checkpoints"
CHECKPOINT_KEY = ".key.json"


def output_folder(root: str, node_id: str, key: str, execution_id: int | str) -> str:
    """Return the folder of one output of one execution.

    Example:
        >>> output_folder("root", "Trainer", "model", 7)
        'root/Trainer/model/7'
    """
    return f"{root.rstrip('/')}/{node_id}/{key}/{execution_id}"


def attempt_folder(root: str, node_id: str, execution_id: int | str) -> str:
    """Return the folder of one execution's log and scratch files.

    Example:
        >>> attempt_folder("root", "Trainer", 7)
        'root/Trainer/.system/executor_execution/7'
    """
    return f"{root.rstrip('/')}/{node_id}/{SYSTEM}/{ATTEMPTS}/{execution_id}"


def log_file(root: str, node_id: str, execution_id: int | str) -> str:
    """Return the file that an execution's log is written to."""
    return f"{attempt_folder(root, node_id, execution_id)}/log.txt"


def scratch_folder(root: str, node_id: str, execution_id: int | str) -> str:
    """Return the folder that an execution may use while it runs; it is removed when the execution ends."""
    return f"{attempt_folder(root, node_id, execution_id)}/{SCRATCH}"


def checkpoint_folder(root: str, node_id: str, run_id: str) -> str:
    """Return the folder that the attempts at a node of one run share, until one of them completes.

    Example:
        >>> checkpoint_folder("root", "Trainer", "20261121-0930")
        'root/Trainer/.system/checkpoints/20261121-0930'
    """
    return f"{root.rstrip('/')}/{node_id}/{SYSTEM}/{CHECKPOINTS}/{quote(run_id, safe='')}"
