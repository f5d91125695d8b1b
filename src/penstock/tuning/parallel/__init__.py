"""Several trials at a time, each in a process of its own, with one oracle or study in the parent."""
