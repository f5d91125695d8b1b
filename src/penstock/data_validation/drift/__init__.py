"""How far rows have moved from the statistics that a model was trained on, feature by feature."""
