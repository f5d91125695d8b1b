"""Several processes that share the work on shards."""
