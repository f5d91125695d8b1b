"""Feature skew: comparing two sets of examples row by row, joined on identifier features."""
