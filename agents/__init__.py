"""Agents: they choose a configuration for every slot and learn from what it cost."""
