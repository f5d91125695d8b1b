"""What a process of a node with several replicas does before all else, in a pod of its own."""

from __future__ import annotations

from penstock.launch.project_archive import unpack_project_once
from penstock.runners.kubeflow.container.object_store import enter_object_store


def prepare_replica(root: str, archive: str | None, folder: str) -> None:
    """Enter the pipeline's object store, and put the project where the node's own pod has it.

    Each pod does what the node's pod did: so no credential travels between them.

    Args:
        root: The pipeline's root as Kubeflow gives it.
        archive: URL of the project's archive, or None if the image holds the project.
        folder: Where the node's own pod has unpacked it.

    Raises:
        ObjectStoreError: If it is not known where the store is.
        ArchiveError: If the archive was changed.
    """
    enter_object_store(root)
    if archive is not None:
        unpack_project_once(archive, folder)
