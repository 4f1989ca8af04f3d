"""The evidence beyond the paper: all agents on all conditions (docs/beyond.md)."""
