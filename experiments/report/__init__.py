"""The report: figures, claims, tables and what ran on one self-contained page."""
