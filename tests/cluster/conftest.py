from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from binaries import Absent
from control_plane import Cluster, Unavailable, running_cluster
from crds import KSERVE, TRAINER, definitions

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Kubernetes control plane with this machine as its node; see control_plane.py."""
    pytest.importorskip("kubernetes")
    with ExitStack() as stack:
        try:
            made = stack.enter_context(running_cluster())
        except Unavailable as reason:
            pytest.skip(f"no cluster here: {reason}")
        yield made


def _defined(cluster: Cluster, source: tuple[str, str, str], *names: str) -> None:
    try:
        cluster.apply(*definitions(source, *names))
    except Absent as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def kserve(cluster: Cluster) -> None:
    """Let the cluster know InferenceServices, by KServe's own schema."""
    _defined(cluster, KSERVE, "inferenceservices")


@pytest.fixture(scope="session")
def trainer(cluster: Cluster) -> None:
    """Let the cluster know TrainJobs and their runtimes, by Kubeflow Trainer's own schemas."""
    _defined(cluster, TRAINER, "trainjobs", "trainingruntimes")


@pytest.fixture(scope="session")
def _postgresql(cluster: Cluster) -> Iterator[tuple[ModuleType, str]]:
    pytest.importorskip("psycopg")
    told = importlib.util.spec_from_file_location(
        "cluster_database_servers", Path(__file__).parents[1] / "store" / "servers.py"
    )
    assert told is not None
    assert told.loader is not None
    servers = importlib.util.module_from_spec(told)
    told.loader.exec_module(servers)
    network = cluster.host.rpartition(".")[0] + ".0/24"
    with ExitStack() as stack:
        try:
            url = stack.enter_context(servers.postgresql(cluster.host, network))
        except servers.Absent as absent:
            pytest.skip(str(absent))
        yield servers, url


@pytest.fixture
def database(_postgresql: tuple[ModuleType, str]) -> str:
    """URL of an empty PostgreSQL database, the same for pods and for the test."""
    servers, url = _postgresql
    name = f"cluster_{next(_numbers)}"
    servers.create_database(url, name)
    return f"{url.rpartition('/')[0]}/{name}"
