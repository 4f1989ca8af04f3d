"""What a change costs under load: ``python -m testbed.bench_reconfiguration [--changes 50] [--rate-rps 20]``.

MobileNetV2 is asked ``rate_rps`` times a second while its configuration changes at random; two of three
intra-op values are kept warm, so that some changes need a process that is not there yet. One JSON object per
kind of change (``in_place``, ``warm``, ``cold``) with its seconds, one with what became of the requests, and
one per slot of an overload: before, during (``--overload`` times the rate) and after.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from typing import Any

import numpy as np

from testbed.models.requests import prepare
from testbed.replay import Replay
from testbed.replay_protocol import FAILED, OK, REFUSED, TIMED_OUT
from testbed.supervisor import LocalSupervisor

MODEL = "mobilenet_v2"
VALUES = {
    "request_parallelism": (1, 2, 4, 8),
    "inter_op_parallelism": (1, 2, 4),
    "intra_op_parallelism": (1, 2, 4),
}
SLOT_S = 5.0
GRACE_S = 3.0
OUTCOMES = {OK: "answered", REFUSED: "refused", TIMED_OUT: "timed_out", FAILED: "failed"}


def offsets(rng: np.random.Generator, rate_rps: float, seconds: float) -> np.ndarray:
    """Arrivals of a Poisson process, seconds from now."""
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate_rps * seconds)))


def change(
    supervisor: LocalSupervisor, replay: Replay, changes: int, rate_rps: float, seconds: float
) -> dict[str, list[float]]:
    """Change at random under load; the seconds of every change, by kind."""
    rng = np.random.default_rng(1)
    took_s: dict[str, list[float]] = defaultdict(list)
    used: set[int] = set(supervisor.process_ids)
    for _ in range(changes):
        begin(replay, rng, rate_rps, seconds)
        time.sleep(seconds / 10)
        before = supervisor.process_ids
        wanted = {knob: int(rng.choice(values)) for knob, values in VALUES.items()}
        began_s = time.monotonic()
        replay.send_to(supervisor.apply(wanted))
        elapsed_s = time.monotonic() - began_s
        now = supervisor.process_ids
        took_s["in_place" if now == before else "warm" if used.issuperset(now) else "cold"].append(elapsed_s)
        used |= set(now)
        time.sleep(max(0.0, 0.9 * seconds - elapsed_s))
        supervisor.retire()
    return took_s


def begin(replay: Replay, rng: np.random.Generator, rate_rps: float, seconds: float) -> int:
    """Send for some seconds from now on; how many."""
    at_s = offsets(rng, rate_rps, seconds)
    replay.begin(at_s, np.zeros(len(at_s), dtype=np.int64))
    return len(at_s)


def outcomes(replay: Replay) -> dict[str, Any]:
    """What became of the requests since the last look."""
    answers = replay.collect()
    counts = {name: int((answers.outcome == code).sum()) for code, name in OUTCOMES.items()}
    fine = answers.latency_s[answers.outcome == OK]
    mean_ms = round(1000 * float(fine.mean()), 1) if len(fine) else None
    return counts | {"waiting": answers.waiting, "mean_latency_ms": mean_ms}


def main() -> None:
    """Print a line for each kind of change, one for the requests, and one per slot of an overload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--rate-rps", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=3.0, help="from one change to the next")
    parser.add_argument("--overload", type=float, default=30.0, help="times the rate")
    options = parser.parse_args()
    base, requests = prepare(MODEL, (1.0,))
    flags = [f"--model_name={MODEL}", f"--model_base_path={base}", "--file_system_poll_wait_seconds=0"]
    for name, knob in (("request", "request_parallelism"), ("inter_op", "inter_op_parallelism")):
        flags.append(f"--{name}_choices={','.join(map(str, VALUES[knob]))}")
    with LocalSupervisor(flags, warm=2) as supervisor, Replay(requests) as replay:
        replay.send_to(supervisor.apply({knob: values[0] for knob, values in VALUES.items()}))
        took_s = change(supervisor, replay, options.changes, options.rate_rps, options.seconds)
        for kind, seconds in sorted(took_s.items()):
            ms = [round(1000 * one, 1) for one in (np.median(seconds), max(seconds))]
            _print("change", kind=kind, count=len(seconds), median_ms=ms[0], worst_ms=ms[1])
        time.sleep(GRACE_S)
        _print("requests", changes=options.changes, rate_rps=options.rate_rps, **outcomes(replay))
        replay.send_to(supervisor.apply(dict.fromkeys(VALUES, 2)))
        for name, times in (("before", 1.0), ("during", options.overload), ("after", 1.0), ("later", 1.0)):
            sent = begin(replay, np.random.default_rng(2), times * options.rate_rps, SLOT_S)
            time.sleep(SLOT_S)
            _print("overload", slot=name, sent=sent, alive=not supervisor.lost(), **outcomes(replay))


def _print(what: str, **values: Any) -> None:
    print(json.dumps({"benchmark": "reconfiguration", "what": what} | values), flush=True)


if __name__ == "__main__":
    main()
