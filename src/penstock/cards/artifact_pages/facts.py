"""What the store knows of an artifact, as plain values for its page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class RelatedArtifact:
    """An artifact that another was made from, or that was made from it.

    Args:
        id: Its id in the store.
        type_name: Its type.
        node_id: The node that wrote it.
        uri: Where it lies.
    """

    id: int
    type_name: str
    node_id: str = ""
    uri: str = ""


@dataclasses.dataclass(frozen=True)
class ArtifactFacts:
    """Facts about an artifact in the store, in addition to its properties.

    Args:
        created: Unix seconds.
        pipeline: The pipeline that wrote it.
        run_id: The run that wrote it.
        node_id: The node that wrote it.
        key: The node's output key.
        execution_id: The execution that wrote it.
        aliases: Its names.
        made_from: The artifacts that the execution read.
        used_for: The artifacts that were made from it.
        notes: Sentences about what the page cannot show.
    """

    created: float | None = None
    pipeline: str | None = None
    run_id: str | None = None
    node_id: str | None = None
    key: str | None = None
    execution_id: int | None = None
    aliases: Sequence[str] = ()
    made_from: Sequence[RelatedArtifact] = ()
    used_for: Sequence[RelatedArtifact] = ()
    notes: Sequence[str] = ()
