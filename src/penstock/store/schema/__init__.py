"""The store's tables and types, and bringing them to this version."""
