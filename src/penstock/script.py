"""Scripts of a project, such as `python pipelines/taxi.py`, find the project's modules.

Python puts the folder of a script first on the import path. The project's own modules lie in other folders
(`modules`, `components`) and are imported from the project's root, so that goes on the path, too.
"""

from __future__ import annotations

import os
import sys


def import_from_project_of_script() -> None:
    """Put the root of the project that the running script belongs to on the import path.

    It comes after the script's folder. Nothing happens where no script runs, where it is no project's, or
    where it is a program that lies in the environment, such as pytest.
    """
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if not script or not sys.path:
        return
    folder = os.path.dirname(os.path.realpath(script))
    environment = os.path.realpath(sys.prefix) + os.sep
    if os.path.realpath(sys.path[0]) != folder or (folder + os.sep).startswith(environment):
        return
    from penstock.dsl.references import find_project_root

    root = str(find_project_root(folder))
    if root not in sys.path:
        sys.path.insert(1, root)
