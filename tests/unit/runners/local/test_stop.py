from __future__ import annotations

import os
import signal
import threading

from penstock.runners.local.stop import StopRequest


def test_the_first_request_counts_and_the_second_is_urgent() -> None:
    stop = StopRequest()
    assert stop.reason is None
    stop.request("one")
    assert (stop.reason, stop.urgent, stop.lost) == ("one", False, False)
    stop.request("two")
    assert (stop.reason, stop.urgent) == ("one", True)


def test_a_lost_lease_is_urgent() -> None:
    stop = StopRequest()
    stop.request("taken", lost=True)
    assert (stop.urgent, stop.lost) == (True, True)


def test_signals_are_requests_while_the_body_runs() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop, woken = StopRequest(), []
    with stop.on_signals(), stop.waking(lambda: woken.append(stop.reason)):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.reason == "terminated (SIGTERM)"
    assert stop.urgent
    assert woken == ["terminated (SIGTERM)"] * 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_the_process_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stop = StopRequest()
        with stop.on_signals():
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_signals_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with StopRequest().on_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
