"""The command `penstock`: one file a verb in `verbs/`.

Importing it imports none of the other rooms, so that `penstock --help` is immediate.
"""

from penstock.cli.command_line import main

__all__ = ["main"]
