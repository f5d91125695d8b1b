from __future__ import annotations

import socket

import pytest

from penstock.runners.local.frames import FrameSocket


@pytest.fixture
def ends():
    first, second = socket.socketpair()
    with first, second:
        yield FrameSocket(first), FrameSocket(second), first, second


def test_a_message_arrives_as_it_was_sent(ends) -> None:
    near, far, _, _ = ends
    near.send({"text": "ß\n", "numbers": [1, 2.5, None]})
    near.send({})
    assert far.receive() == {"text": "ß\n", "numbers": [1, 2.5, None]}
    assert far.receive() == {}


def test_a_message_may_arrive_in_pieces(ends) -> None:
    _, far, near, far_socket = ends
    far_socket.setblocking(False)
    whole = bytearray()
    body = b'{"a":1}'
    whole += len(body).to_bytes(8, "big") + body + len(body).to_bytes(8, "big")
    for place in range(len(whole)):
        near.send(whole[place : place + 1])
        messages, alive = far.read_available()
        assert alive
        assert messages == ([{"a": 1}] if place == len(body) + 7 else [])
    near.send(body)
    assert far.read_available() == ([{"a": 1}], True)


def test_queue_does_not_wait_for_a_reader(ends) -> None:
    near, far, near_socket, _ = ends
    near_socket.setblocking(False)
    large = {"data": "x" * 3_000_000}
    assert near.queue(large) is False
    received = None
    while received is None:
        done = near.flush()
        if done:
            received = far.receive()
        else:
            far._incoming += far._connection.recv(1 << 16)
    assert received == large


def test_the_other_end_is_gone(ends) -> None:
    near, far, _, far_socket = ends
    near.send({"last": True})
    near.close()
    far_socket.setblocking(False)
    assert far.read_available() == ([{"last": True}], False)
    assert far.receive() is None
    assert far.queue({"into": "the void"}) is True
