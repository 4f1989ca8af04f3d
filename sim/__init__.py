"""The simulator: queueing engines, interference curves, hardware profiles, and the noise-free truth."""
