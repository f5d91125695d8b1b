"""The entry point: finds the verb, calls it, and turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence

import penstock
from penstock.cli import exit_codes
from penstock.cli.catalogue import GROUPS, VERBS
from penstock.cli.errors import CommandError, UsageError
from penstock.spelling import nearest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (`penstock.cli.exit_codes`).

    Args:
        arguments: What was typed after `penstock`; the process's own arguments by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else exit_codes.OK
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us (`| head`) has seen enough. Python would complain again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    except Exception as error:
        ended = _explained(error)
        sys.stdout.flush()
        if ended is None:
            traceback.print_exc()
            return exit_codes.FAULT
        print(ended, file=sys.stderr)
        return ended.code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        if len(words) > 1 and words[1] in VERBS:
            return _dispatch([words[1], "--help"])
        print(help_text())
        return exit_codes.OK if words else exit_codes.USAGE
    if words[0] in ("-V", "--version"):
        print(f"penstock {penstock.__version__}")
        return exit_codes.OK
    name = words[0]
    if name not in VERBS:
        what = "option" if name.startswith("-") else "verb"
        near = nearest(name, [*VERBS, "--help", "--version"])
        raise UsageError(f"penstock: unknown {what} {name!r}.{near} See `penstock --help`.")
    module = importlib.import_module(f"penstock.cli.verbs.{name}")
    arguments = module.parser().read(words[1:])
    arguments.command = shlex.join(["penstock", *words])
    return int(module.run(arguments))


def help_text() -> str:
    """Return the text of `penstock --help`."""
    width = max(map(len, VERBS)) + 3
    lines = ["usage: penstock VERB [ARGUMENTS]      penstock VERB --help", ""]
    lines += [penstock.__doc__.strip() if penstock.__doc__ else "", ""]
    for title, verbs in GROUPS:
        lines.append(f"{title}:")
        lines += [f"  {verb.name:<{width}}{verb.summary}" for verb in verbs]
        lines.append("")
    lines += [
        "Examples:",
        "  penstock init taxi --data trips.csv --label tip && cd taxi && make run",
        "  penstock run pipelines/taxi.py --param epochs=20 --to Trainer",
        "  penstock why latest Trainer",
        "",
        "Exit codes:",
    ]
    lines += [f"  {code:<5}{meaning}" for code, meaning in exit_codes.MEANINGS.items()]
    lines += ["", "The store is --store, else $PENSTOCK_STORE, else the project's."]
    return "\n".join(lines)


def _explained(error: Exception) -> CommandError | None:
    """Return an expected error as a line and a code; None for a fault of Penstock's own."""
    if isinstance(error, CommandError):
        return error
    from penstock.dsl.exceptions import DefinitionError
    from penstock.launch.project import ProjectError
    from penstock.store.exceptions import LeaseHeld, RecordNotFound, StoreError

    if isinstance(error, RecordNotFound):
        return CommandError(str(error), exit_codes.NOT_FOUND)
    if isinstance(error, LeaseHeld):
        return CommandError(str(error), exit_codes.USAGE)
    if isinstance(error, (StoreError, ImportError, OSError)):
        return CommandError(str(error), exit_codes.ENVIRONMENT)
    if isinstance(error, (DefinitionError, ProjectError)):
        return CommandError(str(error), exit_codes.USAGE)
    return None
