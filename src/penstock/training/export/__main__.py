"""`python -m penstock.training.export FOLDER`: makes the forms that a training process asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from penstock.training.export.forms import ExportError
from penstock.training.export.fulfil import fulfil_export


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if the model has all forms, 1 if something is missing or went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m penstock.training.export",
        description="Export a model that was trained without TensorFlow.",
    )
    parser.add_argument("folder", help="the Model artifact's folder, with Format-Keras/ in it")
    parser.add_argument(
        "--output", help="another folder to write to; a published model stays as it is"
    )
    parser.add_argument(
        "--transform-graph", help="the transform graph's folder, if it is elsewhere now"
    )
    given = parser.parse_args(arguments)
    try:
        done = fulfil_export(
            given.folder, output=given.output, transform_output=given.transform_graph
        )
    except (ExportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if done.missing:
        print(done.missing, file=sys.stderr)
        return 1
    if not done.forms:
        print(
            f"Nothing to do: {given.folder} has no Format-Keras/export_request.json.",
            file=sys.stderr,
        )
        return 1
    print(f"{given.output or given.folder} has {', '.join(done.forms)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
