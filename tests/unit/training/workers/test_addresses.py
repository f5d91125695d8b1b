"""Addresses that are free, and waiting for one that is not used yet."""

import socket
import threading
import time

import pytest

from penstock.io.processes.hosts import free_addresses
from penstock.training.workers.addresses import (
    Unreachable,
    check_free,
    is_in_use,
    wait_for,
)


def test_addresses_are_free_and_different():
    found = free_addresses(5)
    assert len(set(found)) == 5
    for each in found:
        host, _, port = each.rpartition(":")
        with socket.socket() as server:
            server.bind((host, int(port)))


def test_nobody_there_is_told_with_the_address_after_a_bounded_wait():
    (address,) = free_addresses(1)
    with pytest.raises(Unreachable) as told:
        wait_for(address, 0.2, who="worker 1", whom="the chief")
    assert str(told.value).startswith(
        f"worker 1 could not reach the chief at {address} within 0.2 s (connection refused). "
    )


def test_one_that_comes_late_is_waited_for():
    (address,) = free_addresses(1)
    host, _, port = address.rpartition(":")
    with socket.socket() as server:
        server.bind((host, int(port)))

        def listen():
            time.sleep(0.2)
            server.listen()

        later = threading.Thread(target=listen)
        later.start()
        wait_for(address, 30, who="worker 1", whom="the chief")
        later.join()


def test_an_address_that_another_program_has_is_named():
    (address,) = free_addresses(1)
    check_free(address)
    host, _, port = address.rpartition(":")
    with socket.socket() as server:
        server.bind((host, int(port)))
        server.listen()
        with pytest.raises(OSError, match=f"{address}: Address already in use") as told:
            check_free(address)
    assert is_in_use(str(told.value))


def test_what_libraries_say_of_an_address_in_use():
    for text in (
        "Could not start gRPC server",
        "UNKNOWN: Failed to start RPC server",
        "UNKNOWN: Failed to add port to server: [::]:1 Address already in use",
    ):
        assert is_in_use(text)
    assert not is_in_use("No such file or directory")
