"""The verbs of `penstock kubeflow`: one file a verb."""
