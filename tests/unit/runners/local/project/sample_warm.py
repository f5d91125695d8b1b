"""What a worker imports before it is needed."""

touched = False


def touch() -> None:
    global touched
    touched = True
