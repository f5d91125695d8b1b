"""Addresses of pods: a bridge on this machine, and a network namespace for each pod.

As on a cluster each pod has an address of its own, so that all may listen on the same port. The
machine's own address on the bridge is where the API server and servers of tests listen.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

_LOCKS = Path("/run/penstock-cluster")
_NETWORKS = 64


class NoNetwork(Exception):
    """Network namespaces cannot be made here; the message says why."""


class PodNetwork:
    """One of 64 networks, 198.18.{number}.0/24: a block that the internet does not use (RFC 2544).

    Attributes:
        host: This machine's address there.
    """

    def __init__(self, number: int) -> None:
        self._bridge = f"penstock{number}"
        self._prefix = f"198.18.{number}"
        self.host = f"{self._prefix}.1"
        self._lock = threading.Lock()
        self._free = itertools.cycle(range(2, 255))
        self._taken: set[int] = set()

    def add(self) -> tuple[str, str]:
        """Make a network namespace for a pod; return (its file, its address)."""
        with self._lock:
            if len(self._taken) == 253:
                raise NoNetwork("253 pods run already")
            number = next(each for each in self._free if each not in self._taken)
            self._taken.add(number)
        name, address = f"{self._bridge}-{number}", f"{self._prefix}.{number}"
        outer = self._outer(number)
        _ip("netns", "add", name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", outer, "master", self._bridge, "up")
        _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "link", "set", "lo", "up")
        return f"/run/netns/{name}", address

    def remove(self, address: str) -> None:
        """Remove the namespace of a pod whose processes have ended."""
        number = int(address.rpartition(".")[2])
        with contextlib.suppress(NoNetwork):
            _ip("netns", "delete", f"{self._bridge}-{number}")
        with contextlib.suppress(NoNetwork):  # it may have gone with the namespace
            _ip("link", "delete", self._outer(number))
        with self._lock:
            self._taken.discard(number)

    def _outer(self, number: int) -> str:
        return f"pen{self._bridge.removeprefix('penstock')}x{number}"

    def _make(self) -> None:
        self._unmake()  # of a session that was killed
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.host}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def _unmake(self) -> None:
        for each in Path("/run/netns").glob(f"{self._bridge}-*"):
            self.remove(f"{self._prefix}.{each.name.rpartition('-')[2]}")
        with contextlib.suppress(NoNetwork):
            _ip("link", "delete", self._bridge)


@contextlib.contextmanager
def pod_network(folder: Path) -> Iterator[PodNetwork]:
    """Make a network that no other session uses, and remove it at the end.

    Args:
        folder: The session's, which the next one removes if this one is killed.

    Raises:
        NoNetwork: If that is not allowed here.
    """
    if os.geteuid() != 0:
        raise NoNetwork("networks of pods can be made by root only")
    _LOCKS.mkdir(parents=True, exist_ok=True)
    for number in range(_NETWORKS):
        with open(_LOCKS / str(number), "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            lock.seek(0)
            left = lock.read()
            if left:  # by a session that was killed
                shutil.rmtree(left, ignore_errors=True)
            lock.truncate(0)
            lock.write(str(folder))
            lock.flush()
            network = PodNetwork(number)
            network._make()
            try:
                yield network
            finally:
                network._unmake()
                lock.truncate(0)
            return
    raise NoNetwork(f"{_NETWORKS} sessions use all networks of pods")


def _ip(*arguments: str) -> None:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoNetwork("ip is not installed (Debian: apt-get install iproute2)") from None
    if done.returncode:
        raise NoNetwork(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
