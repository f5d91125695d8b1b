"""What Kubeflow refuses, as errors of the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from penstock.cli import exit_codes
from penstock.cli.errors import CommandError, NotFound, UsageError


@contextlib.contextmanager
def kubeflow_errors() -> Iterator[None]:
    """Turn what Kubeflow's API refuses into one line.

    Raises:
        NotFound: For a run, schedule, node or log that does not exist.
        UsageError: For a name that is taken, a request that Kubeflow finds wrong.
        CommandError: If Kubeflow cannot be reached, does not let one in, or fails.
    """
    from penstock.kubeflow.errors import KubeflowError, NameTaken, Refused, UnknownOnServer

    try:
        yield
    except UnknownOnServer as error:
        raise NotFound(str(error)) from error
    except (NameTaken, Refused) as error:
        raise UsageError(str(error)) from error
    except KubeflowError as error:
        raise CommandError(str(error), exit_codes.ENVIRONMENT) from error
