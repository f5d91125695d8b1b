"""The data validation room."""
