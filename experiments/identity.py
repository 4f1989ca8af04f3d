"""Which settings tell runs apart."""

from __future__ import annotations

NOT_ROWS = ("output_dir", "fresh", "progress", "logger", "experiment_name", "hydra")
"""Settings that say how and where a run is made, and decide no row of it."""
