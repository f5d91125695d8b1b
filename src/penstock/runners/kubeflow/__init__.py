"""The kubeflow room."""
