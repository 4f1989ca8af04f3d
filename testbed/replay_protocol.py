"""What the replay and its Locust processes must agree on."""

from __future__ import annotations

SOCKET_VARIABLE = "RRL_REPLAY_SOCKET"
"""Environment variable: path of the unix socket on which the replay waits for Locust."""

WORKERS_VARIABLE = "RRL_REPLAY_WORKERS"
"""Environment variable: how many workers there are to be."""

OK, REFUSED, TIMED_OUT, FAILED = range(4)
"""How a request ended: answered, turned away because the queue was full, given up, or another error."""

CLOSED_LOOP = -1
"""Number of a request that no schedule asked for."""
