from penstock.tuning.parallel.devices import worker_environments


def test_accelerators_are_dealt_out_and_cores_divided():
    first, second = worker_environments(
        2, ["GPU:0", "GPU:1", "GPU:2"], cores=5, given={"OMP_NUM_THREADS": "7"}
    )
    assert first == {
        "CUDA_VISIBLE_DEVICES": "0,2",
        "TF_NUM_INTEROP_THREADS": "2",
        "TF_NUM_INTRAOP_THREADS": "2",
    }
    assert second["CUDA_VISIBLE_DEVICES"] == "1"


def test_fewer_accelerators_than_processes_are_shared():
    found = worker_environments(3, ["GPU:4", "GPU:6"], cores=1, given={})
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["4", "6", "4"]
    assert {each["TF_FORCE_GPU_ALLOW_GROWTH"] for each in found} == {"true"}
    assert {each["TF_NUM_INTRAOP_THREADS"] for each in found} == {"1"}


def test_without_accelerators_none_is_named():
    (found,) = worker_environments(1, cores=1, given={})
    assert "CUDA_VISIBLE_DEVICES" not in found
    assert int(worker_environments(1, given={})[0]["OMP_NUM_THREADS"]) >= 1
