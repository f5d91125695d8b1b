"""Checkpoints of a training: everything that a killed training needs to go on where it was."""
