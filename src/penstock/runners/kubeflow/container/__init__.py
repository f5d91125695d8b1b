"""One node in a container of a Kubeflow pipeline."""
