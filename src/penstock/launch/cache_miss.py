"""Why a node was not found in the cache, in a few words."""

from __future__ import annotations

from penstock.launch.cache_key import KeyParts
from penstock.launch.key_difference import nearest_key
from penstock.store import MetadataStore

_CANDIDATES = 5


def cache_miss(
    store: MetadataStore, pipeline: str, node_id: str, parts: KeyParts, execution_id: int
) -> str:
    """Return what differs from the nearest of a node's last executions.

    Args:
        store: The metadata store.
        pipeline: Name of the pipeline.
        node_id: The node.
        parts: Its cache key in readable form.
        execution_id: The execution that begins.
    """
    earlier = store.nearest_executions(pipeline, node_id, before=execution_id, limit=_CANDIDATES)
    nearest = nearest_key(parts, [each.key_parts for each in earlier if each.key_parts])
    if nearest is None:
        return "first run"
    _, differences = nearest
    if not differences:
        return "its earlier outputs cannot be reused"
    more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
    return differences[0].sentence + more
