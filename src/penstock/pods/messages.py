"""What the pod of a node and its agents say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ADDRESS = "PENSTOCK_NODE_ADDRESS"
"""Variable of an agent: `host:port` of the node's pod."""

KEY = "PENSTOCK_NODE_KEY"
"""Variable of an agent: what it proves to know before a word is said, in hexadecimal digits."""

FIRST_PLACE = "PENSTOCK_FIRST_PLACE"
"""Variable of an agent: the place of the pod whose index is 0."""

ABANDONED = 75
"""Exit status of an agent that the node's pod does not answer any more: no other is to take its place."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """An agent is there.

    Attributes:
        place: Its place.
        pod: Its pod's name.
        host: The pod's address.
    """

    place: int
    pod: str
    host: str


@dataclass(frozen=True, slots=True)
class Dialed:
    """A process that an agent has started is there.

    Attributes:
        number: As in `Start`.
    """

    number: int


@dataclass(frozen=True, slots=True)
class FindAddress:
    """The agent finds an address where nobody listens."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the agent found: `host:port`."""

    address: str


@dataclass(frozen=True, slots=True)
class Start:
    """The agent starts a process, which calls the node's pod itself.

    Attributes:
        number: Tells processes apart.
        name: Stands before its lines.
        environment: Variables that it has besides the pod's.
        defaults: Variables that it has where the pod has none of the name.
        payload: Pickled: a function, its argument, and what is called before it or None.
    """

    number: int
    name: str
    environment: Mapping[str, str]
    defaults: Mapping[str, str]
    payload: bytes


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that a process printed, with its name before it."""

    text: str


@dataclass(frozen=True, slots=True)
class Kill:
    """The agent ends a process at once."""

    number: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A process has ended.

    Attributes:
        number: As in `Start`.
        status: Exit status, negative for a signal.
    """

    number: int
    status: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The agent ends, and its pod with it: all is done."""
