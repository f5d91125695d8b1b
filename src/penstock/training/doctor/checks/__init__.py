"""The checks of the training doctor: one function for each mistake."""
