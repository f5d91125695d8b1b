"""TensorFlow Serving's gRPC services over the served models."""
