"""When a checkpoint is due."""

from penstock.training.checkpoints.cadence import Cadence


def test_a_number_of_steps_that_ends_with_an_epoch_is_not_left_out():
    cadence = Cadence(4)
    assert [cadence.after_step(step) for step in (1, 2, 3, 4)] == [False, False, False, True]
    # The loop writes nothing after the last step of an epoch, but at the epoch's end.
    assert cadence.after_epoch()
    assert not cadence.after_step(5)
    assert not cadence.after_epoch()


def test_every_epoch():
    cadence = Cadence("epoch")
    assert not cadence.after_step(4)
    assert cadence.after_epoch()
