"""Ciw, an independent queueing simulator, on a first-come-first-served queue with c servers.

Ciw belongs to the ``test`` extra, so it is imported where it is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def serve_ciw(
    arrival_s: NDArray[np.float64], demand_s: NDArray[np.float64], limit: int, sharing: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Serve given requests until empty.

    Args:
        arrival_s: sorted arrival times.
        demand_s: service demand of each, in the order in which service begins, that is of arrival.
        limit: at most this many in service.
        sharing: all in service share one processor (limited processor sharing) instead of having one each.

    Returns:
        Latencies and completion times in seconds, in order of completion.
    """
    import ciw

    gaps_s = np.diff(arrival_s, prepend=0.0)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps_s.tolist(), np.inf])],
        service_distributions=[ciw.dists.Sequential(demand_s.tolist())],
        number_of_servers=[limit],
    )
    node_class = [ciw.PSNode] if sharing else [ciw.Node]
    simulation = ciw.Simulation(network, node_class=node_class)
    simulation.simulate_until_max_customers(len(arrival_s), method="Finish")
    records = sorted(simulation.get_all_records(), key=lambda record: record.exit_date)
    completed_at_s = np.array([record.exit_date for record in records])
    return completed_at_s - np.array([record.arrival_date for record in records]), completed_at_s
