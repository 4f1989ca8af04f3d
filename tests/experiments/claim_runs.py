"""Finished runs made up for claims: every column there, what matters set by the test."""

import json

import numpy as np
import pandas as pd

from experiments.claim_values.evidence import Evidence
from experiments.claims import judge, read_catalogue
from experiments.records import content_hash
from experiments.usable import usable_runs

CLAIMS = {claim.id: claim for claim in read_catalogue()}
PAPER = {"RRL Plus": "rrl_plus_paper", "CAPES": "capes_published", "DeepRM": "deeprm"}
QUIET = {
    "true_load_rps": 10.0, "mean_latency_s": 0.1, "completions": 100, "rejections": 0, "timeouts": 0,
    "errors": 0, "slo_violations": 0, "cpu_utilisation": 0.5, "gpu_utilisation": np.nan, "backlog_start": 0,
    "backlog_end": 0, "cost": 0.1, "gap": 1.0,
}  # fmt: skip


def write_run(folder, preset, seed, *, experiment="fig11", workload="wiki", model="inception_v3",
              system="sim_cpu", objective="mean_latency", slots=100, diagnostics=None, agent=None,
              settings=None, **columns):  # fmt: skip
    """A finished run; ``columns`` of slots.parquet are one number or one per slot."""
    config = {
        "seed": seed, "slots": slots, "slot_s": 120.0, "experiment_name": experiment,
        "workload": {"name": workload}, "model": {"name": model}, "system": {"name": system},
        "objective": {"penalty_s": 5.0}, "agent": {"preset": preset} | (agent or {}),
        "output_dir": str(folder),
    } | (settings or {})  # fmt: skip
    run = folder / experiment / content_hash(config)
    run.mkdir(parents=True)
    frame = pd.DataFrame({"slot": np.arange(slots)} | QUIET | {"objective": objective} | columns)
    frame.to_parquet(run / "slots.parquet")
    if diagnostics is not None:
        pd.DataFrame({"slot": np.arange(slots)} | diagnostics).to_parquet(run / "diagnostics.parquet")
    (run / "manifest.json").write_text(json.dumps({"status": "finished", "seed": seed, "config": config}))
    return run


def gap_that_settles(slots_until, slots=100):
    """A gap whose window of 25 slots is small from so many slots on; None for never."""
    last = slots if slots_until is None else slots_until - 25
    return np.where(np.arange(slots) < last, 1e9, 1.0)  # so large that no window may hold one


def judged(folder, claim_id):
    """What the claims table says about one claim."""
    runs, complaints = usable_runs(folder)
    assert complaints == []
    return judge(CLAIMS[claim_id], Evidence(runs))
