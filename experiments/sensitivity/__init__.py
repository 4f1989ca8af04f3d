"""The headline claims under the choices that the paper leaves open: ``docs/sensitivity.md``."""
