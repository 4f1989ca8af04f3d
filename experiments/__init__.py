"""The roof: command-line programs that put workloads, systems and agents together."""
