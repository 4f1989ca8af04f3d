"""A drop-in for ``tensorflow_model_server`` on TensorFlow's own runtime; see docs/server.md."""
