"""Statistics beyond the common ones: composite features, meaning of values, pairs of features."""
