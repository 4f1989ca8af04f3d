"""Is the replay on time? ``python -m testbed.bench_replay``: one JSON object per rate and number of workers.

Requests at Poisson times against a server that answers at once: how late they are sent (p50 and p99), how
long answers take, and how many of those asked for were sent.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from testbed.replay import Replay

RATES_RPS = (20, 100, 500, 1000)
WORKERS = (1, 2)
SECONDS = 10.0


def measure(rate_rps: float, workers: int, address: str, seconds: float = SECONDS) -> dict[str, float | str]:
    """Replay for some seconds, after one to warm up."""
    rng = np.random.default_rng(1)
    offset_s = np.sort(rng.uniform(0, seconds, rng.poisson(rate_rps * seconds)))
    with Replay([b"at once"], workers=workers) as replay:
        replay.send_to([address])
        replay.begin(np.linspace(0, 1, 100), np.zeros(100, dtype=np.int64))
        time.sleep(1.5)
        replay.collect()
        replay.begin(offset_s, np.zeros(len(offset_s), dtype=np.int64))
        time.sleep(seconds + 1)
        answers = replay.collect()
    late_ms = 1000 * np.quantile(answers.lateness_s, (0.5, 0.99))
    return {
        "benchmark": "replay",
        "rate_rps": rate_rps,
        "workers": workers,
        "sent": len(answers.number),
        "asked_for": len(offset_s),
        "lateness_p50_ms": round(float(late_ms[0]), 2),
        "lateness_p99_ms": round(float(late_ms[1]), 2),
        "latency_p50_ms": round(1000 * float(np.median(answers.latency_s)), 2),
    }


def main() -> None:
    """Print a line for each rate and number of workers."""
    with tempfile.TemporaryDirectory(prefix="rrl-bench-") as folder:
        address = f"unix:{Path(folder) / 'noop.sock'}"
        command = [sys.executable, "-m", "testbed.noop_server", address]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout
                server.stdout.readline()
                for workers in WORKERS:
                    for rate_rps in RATES_RPS:
                        print(json.dumps(measure(rate_rps, workers, address)), flush=True)
            finally:
                server.kill()


if __name__ == "__main__":
    main()
