"""The run from which a part of a pipeline reads what it leaves out."""

from __future__ import annotations

from penstock.store import MetadataStore, RecordNotFound


def find_base_run(store: MetadataStore, pipeline: str, name: str | None) -> str | None:
    """Return the id of the run that `name` stands for: an id, the beginning of one, or `latest`.

    Args:
        store: The metadata store.
        pipeline: Name of the pipeline of which a part runs.
        name: What was asked for; None for no run in particular.

    Raises:
        RecordNotFound: If there is none, or it is of another pipeline.
    """
    if name is None:
        return None
    latest = store.latest_run(pipeline) if name == "latest" else None
    record = latest or store.get_run(name)
    if record.pipeline != pipeline:
        raise RecordNotFound(
            f"Run {record.run_id} is of pipeline {record.pipeline!r}; a part of {pipeline!r} needs a run "
            "of that."
        )
    return record.run_id
