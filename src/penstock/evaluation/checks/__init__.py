"""What is wrong with an EvalConfig, in words, before anything is loaded; without NumPy."""
