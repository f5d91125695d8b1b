"""Servables: versions of models that are watched, loaded, batched and dropped without a lost request."""
