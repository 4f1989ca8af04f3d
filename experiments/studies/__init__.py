"""Small studies beside the figures."""
