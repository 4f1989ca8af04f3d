"""Trace files: one module per format, ``load`` recognises which one a file is in."""
