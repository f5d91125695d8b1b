"""The doors over HTTP: TensorFlow Serving's REST API, the open inference protocol, rows of features."""
