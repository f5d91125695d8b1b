"""How often a node talks to a server, counted on the wire by a proxy between the two."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from penstock.artifacts import ExampleStatistics
from penstock.store import MetadataStore, RunRecord

LIMIT = 8


class Proxy:
    """Forwards one TCP connection; a round trip is data from the client after data from the server."""

    def __init__(self, port: int) -> None:
        self.round_trips = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def _forward(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._target))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, server, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            server_spoke = True
            while True:
                for key, _ in selector.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    if source is server:
                        server_spoke = True
                    elif server_spoke:
                        self.round_trips += 1
                        server_spoke = False
                    target.sendall(data)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5)


@contextlib.contextmanager
def counted(url: str) -> Iterator[tuple[MetadataStore, Callable[[], int]]]:
    port = int(re.search(r":(\d+)/", url)[1])  # type: ignore[index]
    proxy = Proxy(port)
    try:
        with MetadataStore.open(url.replace(f":{port}/", f":{proxy.port}/")) as store:
            yield store, lambda: proxy.round_trips
    finally:
        proxy.close()


def run_nodes(store: MetadataStore, first: int, last: int, grouped: bool) -> None:
    inputs: list[ExampleStatistics] = []
    for number in range(first, last):
        key = f"{number:064x}"
        assert store.find_cached(key) is None

        def begin(number: int = number, key: str = key) -> int:
            return store.register_execution(
                run_id="run",
                node_id=f"node{number}",
                type_name="test.Node",
                parameters={"number": number, "flag": True},
                inputs={"examples": list(inputs)},
                cache_key=key,
                key_parts={"number": number},
            )

        def end(execution: int, number: int = number) -> None:
            outputs = [ExampleStatistics(f"/{number}/{i}", properties={"span": 1}) for i in (0, 1)]
            store.publish(execution, {"statistics": outputs}, metrics={"m": 1.0})
            inputs[:] = outputs

        if grouped:
            with store.transaction():
                end(begin())
        else:
            end(begin())


@pytest.mark.parametrize("grouped", [False, True])
def test_round_trips_of_a_node(url: str, grouped: bool) -> None:
    if url.startswith("sqlite"):
        pytest.skip("no server")
    with counted(url) as (store, trips):
        store.create_run(RunRecord("run", "pipeline", time.time()))
        run_nodes(store, 0, 2, grouped)  # registers the types
        before = trips()
        assert before > 0
        run_nodes(store, 2, 22, grouped)
        each = (trips() - before) / 20
        assert each <= (4 if grouped else 5)
        assert each <= LIMIT
        hit = store.find_cached(f"{5:064x}")
        assert hit is not None
        before = trips()
        store.find_cached(f"{6:064x}")
        store.publish_cached(
            hit, run_id="run", node_id="node5", type_name="test.Node", cache_key=f"{5:064x}"
        )
        assert trips() - before <= 3
