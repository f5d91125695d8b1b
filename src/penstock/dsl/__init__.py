"""The dsl room."""
