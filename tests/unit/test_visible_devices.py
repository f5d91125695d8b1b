"""Which GPUs and TPUs a process sees."""

from penstock.visible_devices import visibility


def test_visibility_of_several_kinds() -> None:
    installed = ["GPU:0", "GPU:1", "TPU:0"]
    assert visibility(["GPU:0", "GPU:1"], installed) == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "TPU_VISIBLE_CHIPS": "",
    }


def test_a_kind_that_is_not_installed_is_left_alone() -> None:
    assert visibility([], ["TPU:0"]) == {"TPU_VISIBLE_CHIPS": ""}
    assert visibility([], []) == {}
