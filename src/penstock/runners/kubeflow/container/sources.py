"""What a node reads from outside of the pipeline, as a text that Kubeflow's cache compares.

The cache knows a task's parameters by their values and its artifacts by the numbers under which they
were recorded. So it cannot see that a file has changed, and after a node that always runs, every node
has new inputs. A small task before such a node looks at what it reads and gives it this text as a
parameter: while that stays the same, the node is found in the cache, and with it all that follow.
"""

from __future__ import annotations

import sys
import uuid

from penstock.artifacts import location
from penstock.graph import GraphNode
from penstock.launch.attempt import RunSettings
from penstock.launch.cache_key import CacheKeys, digest_of
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.resolution import import_artifact

SOURCES = "sources"
"""The output parameter of the small task, and the input parameter of the node."""

_NAME = " sources"


def sources_name(node_id: str) -> str:
    """Return the displayed name of the task that looks at what a node reads."""
    return f"{node_id}{_NAME}"


def is_sources(name: str) -> bool:
    """Return whether a displayed name is that of such a task; identifiers have no space.

    Example:
        >>> is_sources("CsvExampleGen sources"), is_sources("CsvExampleGen")
        (True, False)
    """
    return name.endswith(_NAME)


def sources_of(node: GraphNode, settings: RunSettings) -> str:
    """Return a text that differs when what a node reads has another content, or its code is another.

    Where that cannot be told, the text is a new one, so that the node runs and says what is wrong.

    Args:
        node: The node, bound.
        settings: Of the run.
    """
    try:
        if node.kind == "importer":
            _, artifact = import_artifact(
                node, lambda path: location.absolute(path, settings.project_root)
            )
            return str(artifact.fingerprint)
        return digest_of(CacheKeys(settings, DigestMemo()).parts(node, {}))
    except Exception as error:
        print(f"{node.id}: {type(error).__name__}: {error}", file=sys.stderr)
        return f"unknown {uuid.uuid4().hex}"
