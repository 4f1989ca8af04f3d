"""The shared vocabulary: what every workload, system, agent and experiment speaks.

This is the ground floor: it imports numpy and gymnasium only, and nothing above it.
"""
