import socket

import pytest

from penstock.io.processes import hosts
from penstock.training import TrainArgs

MODULE = """
import pathlib
def run_fn(fn_args):
    fn_args.strategy
    folder = pathlib.Path(fn_args.serving_model_dir)
    folder.mkdir(parents=True)
    (folder / "x").write_text("x")
    return {"loss": [1.0]}
"""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("distribution", "backend", "servers"),
    [
        ("data_parallel", "jax", 0),
        ("multi_worker", "tensorflow", 0),
        ("parameter_server", "tensorflow", 1),
    ],
)
def test_an_address_that_another_program_takes_is_left_to_it(
    run, monkeypatch, caplog, distribution, backend, servers
):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        asked = []

        def free_addresses(count):
            asked.append(count)
            found = real(count)
            return [taken, *found[1:]] if len(asked) == 1 else found

        real = hosts.free_addresses
        monkeypatch.setattr(hosts, "free_addresses", free_addresses)
        run(
            MODULE,
            replicas=2,
            parameter_servers=servers,
            distribution=distribution,
            backend=backend,
            train_args=TrainArgs(batch_size=4),
        )
    assert len(asked) == 2
    assert "An address was taken by another program" in caplog.text
