"""Imported by Beam when a worker process starts: puts the user's code on the import path."""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from penstock.beam.user_code import OPTION

_LOG = logging.getLogger(__name__)


def install_user_code(environment: Mapping[str, str]) -> str | None:
    """Unpacks the archive that the pipeline's options name, and returns the folder.

    Args:
        environment: that of a process which runs Beam's `sdk_worker_main`.

    Returns:
        The folder, first on `sys.path` now; None if the pipeline came without user code.

    Raises:
        FileNotFoundError: if the archive was not brought to this worker.
        penstock.launch.project_archive.ArchiveError: if it was changed on its way.
    """
    archive = _option(environment)
    if archive is None:
        return None
    from penstock.launch.project_archive import unpack_project

    semi_persistent = environment.get("SEMI_PERSISTENT_DIRECTORY") or "/tmp"
    staged = os.path.join(semi_persistent, "staged", os.path.basename(archive))
    # A worker that the submitting machine itself starts without staging finds the original.
    found = next((path for path in (staged, archive) if os.path.isfile(path)), None)
    if found is None:
        raise FileNotFoundError(
            f"The archive of the user's code is not on this worker: looked for {staged}. Beam's "
            "container entry point, or `python -m penstock.beam.worker_pool`, fetches it; plain "
            "`worker_pool_main` needs --container_executable."
        )
    folder = unpack_project(found)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sys.path.insert(0, folder)
    _LOG.info("User code: %s", os.path.basename(archive))
    return folder


def _option(environment: Mapping[str, str]) -> str | None:
    text = environment.get("PIPELINE_OPTIONS", "{}")
    if "PIPELINE_OPTIONS_FILE" in environment:
        with open(environment["PIPELINE_OPTIONS_FILE"], encoding="utf-8") as file:
            text = file.read()
    options: dict[str, Any] = json.loads(text or "{}")
    # Dataflow nests the options, and portable runners spell the names out.
    options = options.get("options", options)
    value = options.get(OPTION) or options.get(f"beam:option:{OPTION}:v1")
    return str(value) if value else None


if "WORKER_ID" in os.environ or "CONTROL_API_SERVICE_DESCRIPTOR" in os.environ:
    install_user_code(os.environ)
