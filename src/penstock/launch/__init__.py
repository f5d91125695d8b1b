"""One node's life: resolve, look up the cache, run, publish."""
