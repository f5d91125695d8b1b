"""The training loop: `fit`, one loop over the steps of a backend."""
