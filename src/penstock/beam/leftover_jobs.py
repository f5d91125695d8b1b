"""Jobs that go on although nobody waits for them any more, found by their name and cancelled."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

_LOG = logging.getLogger("penstock.beam")

DATAFLOW_SECONDS = 600.0
"""How long Dataflow may take to end a job that was cancelled; it stops machines first."""

_LOOK_EVERY = 5.0
_FIRST_ID = re.compile(r"already active job named \S+ with id: (\S+)\. ")
_OVER = ("DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED")


def cancel_on_flink(options: Any, *, strict: bool = False) -> int:
    """Cancel the jobs on Flink that have a job's name, and return how many.

    Beam's job server takes a request to cancel, and forgets the job, which goes on in the cluster.

    Args:
        options: the job's PipelineOptions, with `--flink_master` and `--job_name`; without either, and
            for a cluster within the job server, nothing is done.
        strict: Whether a cluster that is not reached is an error; else that is logged.

    Raises:
        OSError: If it is strict, and the cluster is not reached or refuses.
    """
    from apache_beam.options.pipeline_options import FlinkRunnerOptions, GoogleCloudOptions

    master = options.view_as(FlinkRunnerOptions).flink_master
    name = options.view_as(GoogleCloudOptions).job_name
    if not master or not name or master.startswith("["):
        return 0
    from penstock.beam.flink import cancel_jobs

    try:
        cancelled = cancel_jobs(master, name)
    except OSError as error:
        if strict:
            raise
        _LOG.warning("Flink at %s was not asked for older jobs named %s: %s", master, name, error)
        return 0
    if cancelled and not strict:
        _LOG.warning("Cancelled the job %s of an earlier try, which still ran on Flink.", name)
    return cancelled


def cancel_on_dataflow(runner: Any, error: Exception) -> bool:
    """Cancel the job that keeps Dataflow from taking one of the same name; wait until it is over.

    Args:
        runner: Beam's DataflowRunner that was refused.
        error: What it raised; of any other kind nothing is done.

    Returns:
        Whether the job can be submitted again.
    """
    found = _FIRST_ID.search(str(error))
    if type(error).__name__ != "DataflowJobAlreadyExistsError" or found is None:
        return False
    job_id = found.group(1)
    _LOG.warning("Cancelling the job %s of an earlier try, which still runs on Dataflow.", job_id)
    client = runner.dataflow_client
    if not client.modify_job_state(job_id, "JOB_STATE_CANCELLED"):
        return False
    deadline = time.monotonic() + DATAFLOW_SECONDS
    while True:
        state = client.get_job(job_id).current_state.name.removeprefix("JOB_STATE_")
        if state in _OVER:
            return True
        if time.monotonic() > deadline:
            _LOG.warning("The job %s is %s after %g s.", job_id, state, DATAFLOW_SECONDS)
            return False
        time.sleep(_LOOK_EVERY)
