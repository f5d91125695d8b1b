"""The metrics, by the class names that an EvalConfig uses."""
