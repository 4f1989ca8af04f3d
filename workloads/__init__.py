"""Workloads: where the requests come from and when."""
