"""Logged requests and answers as tf.Examples, and the labels that come later."""
