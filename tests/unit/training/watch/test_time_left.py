from penstock.training.watch.time_left import TimeLeft, clock


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def test_the_first_step_does_not_count_and_validation_does():
    now = Clock()
    left = TimeLeft(now)
    left.begin_epoch()
    now.time = 10.0  # it compiled
    left.step(1)
    assert left.left(0, 2, 1, 5) is None
    for step in (2, 3, 4, 5):
        now.time += 1.0
        left.step(step)
    assert left.left(0, 2, 5, 5) == 5.0
    now.time += 3.0
    assert left.end_epoch() == 5
    left.begin_epoch()
    now.time += 100.0  # whatever is before the first step of an epoch
    left.step(1)
    assert left.left(1, 2, 1, 5) == 4.0 + 3.0
    assert left.left(1, None, 1, 5) is None
    assert left.left(1, 2, 1, None) is None


def test_steps_that_come_late_or_in_groups_count_right():
    now = Clock()
    left = TimeLeft(now)
    left.begin_epoch()
    for step, time in ((4, 1.0), (8, 3.0), (6, 3.0), (12, 5.0)):
        now.time = time
        left.step(step)
    assert left.left(0, 1, 12, 16) == 2.0


def test_a_time_is_shown_as_by_a_clock():
    assert [clock(s) for s in (0.4, 59.6, 61, 3725)] == ["0:00", "1:00", "1:01", "1:02:05"]
