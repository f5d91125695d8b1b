"""Arrays in files (IDX, NumPy's `.npy` and `.npz`) as rows."""
