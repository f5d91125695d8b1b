"""What keeps a server safe: who may ask, over which connections, and how much."""
