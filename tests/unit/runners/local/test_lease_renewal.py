from __future__ import annotations

import time

import pytest

from penstock.runners.local import lease_renewal
from penstock.runners.local.lease_renewal import LeaseRenewal
from penstock.runners.local.stop import StopRequest
from penstock.store import LeaseHeld, StoreBusy


class MemoryLease:
    """A lease that answers each renewal as it was told."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.renewed = 0

    def renew(self) -> bool:
        self.renewed += 1
        answer = self.answers.pop(0) if self.answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(lease_renewal, "_SECONDS", 0.005)


def renew(lease: MemoryLease, until) -> StopRequest:
    stop = StopRequest()
    with LeaseRenewal(lease, stop):
        deadline = time.monotonic() + 10
        while not until(stop) and time.monotonic() < deadline:
            time.sleep(0.005)
    return stop


def test_it_renews_and_says_nothing() -> None:
    lease = MemoryLease()
    stop = renew(lease, lambda stop: lease.renewed > 3)
    assert stop.reason is None


def test_a_request_to_stop_is_passed_on_once() -> None:
    lease = MemoryLease(False, True, True, True)
    stop = renew(lease, lambda stop: lease.renewed > 5)
    assert stop.reason == "stopped by `penstock stop`"
    assert not stop.urgent


def test_a_lost_lease_ends_the_run() -> None:
    lease = MemoryLease(LeaseHeld("another has it"))
    stop = renew(lease, lambda stop: stop.lost)
    assert stop.lost
    assert "another has it" in stop.reason


def test_a_store_that_is_away_for_a_moment_is_asked_again() -> None:
    lease = MemoryLease(StoreBusy("busy"), StoreBusy("busy"), True)
    stop = renew(lease, lambda stop: stop.reason)
    assert stop.reason == "stopped by `penstock stop`"
