"""Flink's REST API, for what Beam's job server does not do: ending a job.

The job server takes a request to cancel, and forgets the job, which goes on in the cluster.
Source: Flink's documentation of its REST API, `/jobs/overview` and `PATCH /jobs/:jobid`.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

_SECONDS = 5.0
_OVER = frozenset({"FINISHED", "CANCELED", "CANCELLING", "FAILED", "SUSPENDED"})


def cancel_jobs(master: str, name: str) -> int:
    """Cancel the jobs of a name that are not over, and return how many.

    Args:
        master: Address of the cluster's REST API, as `--flink_master` has it: `host:8081`, or a URL.
        name: The jobs' name, as `--job_name` has it.

    Raises:
        OSError: If the cluster is not reached, or refuses.
    """
    base = master if "://" in master else f"http://{master}"
    base = base.rstrip("/")
    jobs = _ask("GET", f"{base}/jobs/overview").get("jobs", [])
    found = [job["jid"] for job in jobs if job["name"] == name and job["state"] not in _OVER]
    for job in found:
        _ask("PATCH", f"{base}/jobs/{job}?mode=cancel")
    return len(found)


def _ask(method: str, url: str) -> dict[str, Any]:
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=_SECONDS) as response:
        answer: dict[str, Any] = json.loads(response.read() or b"{}")
    return answer
