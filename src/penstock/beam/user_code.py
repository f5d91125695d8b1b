"""User code on Beam's workers: one content-hashed archive, the same import names everywhere.

The archive is staged as Beam stages any file (`--files_to_stage`), so every runner brings it to its
workers, and each worker process unpacks it before it unpickles anything: `--beam_plugins` names a
module of Penstock that does this when it is imported. Nothing is installed at run time.
"""

from __future__ import annotations

import functools
import tempfile
from typing import Any

PLUGIN = "penstock.beam.worker_plugin"
OPTION = "penstock_project"
"""The pipeline option that names the archive; workers look for it."""


def stage_user_code(options: Any, project_root: str, scratch: str | None = None) -> str:
    """Add a project's archive to the files that Beam stages, and return the archive's path.

    Args:
        options: Beam's PipelineOptions; changed in place.
        project_root: folder that user code is imported from.
        scratch: local folder for the archive; by default a new temporary one.

    Raises:
        penstock.launch.project_archive.ArchiveError: if the project is too large.
    """
    from apache_beam.options.pipeline_options import SetupOptions

    from penstock.launch.project_archive import upload_project

    archive = upload_project(project_root, scratch or tempfile.mkdtemp(prefix="penstock-beam-"))
    setup = options.view_as(SetupOptions)
    setup.files_to_stage = [*(setup.files_to_stage or []), archive]
    setup.beam_plugins = [*(setup.beam_plugins or []), PLUGIN]
    setattr(options.view_as(_project_options()), OPTION, archive)
    return archive


@functools.cache
def _project_options() -> type:
    """Return a PipelineOptions class, which makes the option known to Beam as long as it lives."""
    from apache_beam.options.pipeline_options import PipelineOptions

    def add_arguments(cls: type, parser: Any) -> None:
        parser.add_argument(f"--{OPTION}", default=None, help="Archive of the user's code.")

    members: dict[str, Any] = {"_add_argparse_args": classmethod(add_arguments)}
    return type("PenstockProjectOptions", (PipelineOptions,), members)
