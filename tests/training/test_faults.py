"""What groups say of code and places that cannot work."""

import pytest

from penstock.io.processes.child_process import ChildProcess
from penstock.io.processes.hosts import free_addresses
from penstock.testing import ComponentFailed
from penstock.training import FnArgs
from penstock.training.workers.failure import Failure
from penstock.training.workers.members import Member
from penstock.training.workers.process import serve
from penstock.training.workers.task import Task


class Nothing:
    """User code that is never reached."""

    def load(self):
        raise AssertionError("not reached")

    def custom_config(self):
        return {}


@pytest.mark.slow
def test_a_worker_that_does_not_reach_the_chief_names_the_address():
    (address,) = free_addresses(1)
    member = Member(
        "worker 1",
        fields={"num_workers": 2, "worker_index": 1, "is_chief": False},
        waits_for={"the chief": address},
    )
    fn_args = FnArgs(distribution="data_parallel", backend="jax")
    task = Task(member, fn_args, Nothing(), join_seconds=0.5)
    with ChildProcess(serve, task, name="worker 1", environment={"KERAS_BACKEND": "jax"}) as child:
        failure = child.connection.recv()
    assert isinstance(failure, Failure)
    assert failure.text.startswith(
        f"worker 1 could not reach the chief at {address} within 0.5 s (connection refused)."
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def run(fn_args): pass", "does not define run_fn(fn_args). Did you mean 'run'"),
        ("import numby", "ModuleNotFoundError: No module named 'numby'"),
        pytest.param(
            "def run_fn(fn_args): pass", "run_fn.py", marks=pytest.mark.slow, id="exports nothing"
        ),
        pytest.param(
            "def run_fn(fn_args):\n    import os\n    os._exit(3)",
            "jax ended with exit status 3, before run_fn returned.",
            marks=pytest.mark.slow,
            id="ends itself",
        ),
        pytest.param(
            "def run_fn(fn_args):\n    fn_args.dataset('train', batch_size=4, label_key='z')",
            "'z'",
            marks=pytest.mark.slow,
            id="no label",
        ),
    ],
)
def test_code_that_cannot_work_is_told(run, source, told):
    with pytest.raises(ComponentFailed) as failed:
        run(source, backend="jax")
    expected = "exported no model" if told == "run_fn.py" else told
    assert expected in str(failed.value)


def test_a_batch_that_does_not_divide_is_refused_before_anything_starts(run):
    from penstock.training import TrainArgs

    with pytest.raises(ComponentFailed, match=r"batch_size=7 for 2 replicas. Use 6 or 8."):
        run(
            "raise AssertionError('not reached')",
            replicas=2,
            distribution="multi_worker",
            train_args=TrainArgs(batch_size=7),
        )


@pytest.mark.tensorflow
def test_a_tpu_that_is_not_there_is_told(run):
    with pytest.raises(
        ComponentFailed, match="distribution='tpu' needs a TPU that this process sees"
    ):
        run("def run_fn(fn_args):\n    fn_args.strategy", distribution="tpu")
