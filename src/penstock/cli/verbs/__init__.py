"""The verbs: each module has `parser()` and `run(arguments) -> exit code`."""
