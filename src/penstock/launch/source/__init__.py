"""Which source code decides what an execution computes, and what it says."""
