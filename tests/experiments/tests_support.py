"""Shared by the tests beside it."""

SMALL = ["system.grid_minimum=0", "system.grid_maximum=2", "table.load_rps=[8,14,20]", "progress=false"]


def ideal_machine(sequential_s):
    """Ten cores without any interference."""
    numbers = dict.fromkeys(("synchronisation", "memory_contention", "oversubscription", "spinning"), 0.0)
    numbers |= {"sequential_s": sequential_s, "inter_op_fraction": 0.5, "intra_op_fraction": 0.9}
    return {
        "name": "ideal",
        "cores": 10,
        "interference": "nested",
        "unbatched_requests": 40,
        "models": {"inception_v3": numbers},
    }
