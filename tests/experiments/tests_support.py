"""Shared by the tests beside it."""

import json

import numpy as np
import pandas as pd
from matplotlib.text import Text

from experiments.build import build_env, row_settings
from experiments.failures import Failure, write_failure
from experiments.figures.style import COLUMN_INCHES
from experiments.records import content_hash
from experiments.run import execute
from experiments.settings import compose_settings
from serving.histogram import count_latencies

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


def run_here(output_dir, *overrides):
    """Play a run in this process."""
    plain = compose_settings([*overrides, f"output_dir={output_dir}", "progress=false"])
    env = build_env(plain)
    run_id = content_hash(row_settings(plain, env))
    execute(plain, env, run_id, output_dir / plain["experiment_name"] / run_id)


def finished_run(folder, seed, *, cost=0.1, gap=1.0, latency_s=(0.05,), experiment="fig11", **config):
    """A finished run made up for a comparison.

    ``cost`` and ``gap`` are one number or one per slot, ``config`` is merged into the settings.
    """
    agent = {"preset": "rrl", "settings": "robust"} | config.pop("agent", {})
    settings = {
        "seed": seed, "slots": 100, "experiment_name": experiment, "model": {"name": "inception_v3"},
        "learning": "inline",
        "table": {"load_rps": [1, 2], "relative_error": 0.01, "most_batches": 60, "workers": -1},
        "agent": agent, "output_dir": str(folder),
    } | config  # fmt: skip
    workload = settings.get("workload", "wiki")
    run = folder / experiment / content_hash(settings)
    run.mkdir(parents=True)
    count = settings["slots"]
    slots = {
        "slot": np.arange(count), "minute": 2.0 * np.arange(count), "seed": seed, "cost": cost, "gap": gap,
        "mean_latency_s": cost, "optimal_cost": 0.1, "flags": "",
        "preset": agent["preset"], "settings": agent["settings"],
        "workload": workload if isinstance(workload, str) else workload["name"],
        "system": "sim_cpu", "hardware": "paper_cpu",
        "boundary": "bounded", "model": "inception_v3", "objective": "mean_latency",
    }  # fmt: skip
    pd.DataFrame(slots).to_parquet(run / "slots.parquet")
    counts = count_latencies(np.array(latency_s))
    bins = np.flatnonzero(counts)
    pd.DataFrame({"slot": 0, "bin": bins, "count": counts[bins]}).to_parquet(run / "histogram.parquet")
    manifest = {"status": "finished", "seed": seed, "config": settings}
    (run / "manifest.json").write_text(json.dumps(manifest))
    return run


def fail(folder, experiment, run_id, config=None):
    """A run that failed in a sweep."""
    settings = config or {"experiment_name": experiment}
    write_failure(folder / experiment / run_id, Failure(run_id, ["seed=1"], "no memory", settings))


def fits_in_print(drawing, width=COLUMN_INCHES):
    """Whether a figure is as wide as the paper's column, all of it inside, and nothing too small to read."""
    figure = drawing.figure
    figure.canvas.draw()
    said = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text()]
    inches, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert inches == width
    assert min(box.x0, box.y0, inches - box.x1, height - box.y1) >= 0
    assert [one.get_text() for one in said if one.get_fontsize() < 6] == []
    assert [one.get_text() for one in said if "$" in one.get_text()] == []  # has smaller parts
    return True
