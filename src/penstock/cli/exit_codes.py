"""What `penstock` returns to a script."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
ENVIRONMENT = 4
FAULT = 70
INTERRUPTED = 130
TERMINATED = 143

MEANINGS = {
    OK: "done",
    FAILED: "the run failed; `check` or `doctor` found something wrong",
    USAGE: "the command or the pipeline file is wrong; nothing was run",
    NOT_FOUND: "the run, node, artifact, file or store does not exist",
    ENVIRONMENT: "the store or a file cannot be used, or an optional package is missing",
    FAULT: "a bug in Penstock, with its traceback: please report it",
    INTERRUPTED: "interrupted by Ctrl-C (143: by SIGTERM)",
}
"""Exit code to what it means, for `--help` and the documentation."""
