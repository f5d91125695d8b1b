"""Callbacks of Keras beyond Keras's own."""
