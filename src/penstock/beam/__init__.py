"""The beam room."""
