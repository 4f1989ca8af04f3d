"""The claim that the network's estimates are good within a region: its error against copying the observation.

RRL with the network (preset ``rrl_paper_nn``, radius 3) plays WiKi. In every slot its estimator is asked, and
so is f(c, r) = r, what the other configurations of the region would have cost; the answers are compared with
the exhaustive table. It is asked around the agent's own choices: there the bound Delta of Theorem 1 counts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.rrl import RRLAgent
from experiments.build import build_agent, build_env, row_settings
from experiments.claim_values.evidence import Evidence
from experiments.claim_values.outcome import Missing, Outcome, over_seeds
from experiments.records import content_hash
from experiments.settings import compose_settings
from experiments.statistics import ratio
from experiments.truth import cost_table, read_arrays
from serving.cost_table import CostTable

Floats = NDArray[np.float64]

OVERRIDES = ("agent=rrl_paper_nn", "workload=wiki")
SEEDS, SLOTS = 10, 300


def network_over_constant(
    _evidence: Evidence, overrides: Sequence[str] = (), seeds: int = SEEDS, slots: int = SLOTS
) -> Outcome:
    """Error of the trained estimator over that of f(c, r) = r, same slots and regions; cached.

    Per slot the median over the region, without the configuration played, of |estimate - cost| / cost;
    per run the mean over slots.
    """
    settings = [[*OVERRIDES, *overrides, f"slots={slots}", f"seed={seed}"] for seed in range(seeds)]
    plains = [compose_settings(one) for one in settings]
    if read_arrays(plains[0]) is None:
        return Missing("python -m experiments.truth experiment=fig04")
    key = {"estimator": [row_settings(plain, build_env(plain)) for plain in plains]}
    cached = Path(plains[0]["table"]["folder"]) / f"estimator_{content_hash(key)}.npy"
    errors = _read(cached, seeds)
    if errors is None:
        errors = np.array([_errors(plain) for plain in plains])
        _write(cached, errors)
    note = (
        f"radius 3, {slots} slots of preset rrl_paper_nn; median error of the network "
        f"{100 * errors[:, 0].mean():.3g} %, of copying the observation {100 * errors[:, 1].mean():.3g} %"
    )
    return over_seeds([errors], ratio, note)


def _errors(plain: dict[str, Any]) -> tuple[float, float]:
    """Of one run: the network's error and that of copying."""
    env = build_env(plain)
    table = cost_table(plain)
    assert table is not None  # a simulated system
    agent = build_agent(plain, env, lambda: table)
    assert isinstance(agent, RRLAgent)
    _, info = env.reset(seed=plain["seed"])
    errors: list[tuple[float, float]] = []
    truncated = False
    while not truncated:
        observation = info["observation"]
        configuration = agent.act(observation)
        index = env.system.space.index(configuration)
        _, _, _, truncated, info = env.step(index)
        cost, load_rps = info["cost"], info["slot"].true_load_rps
        if cost is not None:
            agent.learn(observation, configuration, cost, info["observation"])
            if table.covers(load_rps):
                errors.append(_of_slot(agent, table, observation.load_rps, load_rps, index, cost))
    env.close()
    means = np.mean(errors, axis=0)
    return float(means[0]), float(means[1])


def _of_slot(
    agent: RRLAgent, table: CostTable, seen_rps: float, load_rps: float, index: int, cost: float
) -> tuple[float, float]:
    region = agent.regions(index, agent.radius)
    region = region[region != index]
    truth = table.at(load_rps)[region]
    estimated = agent.estimator.estimate(seen_rps, index, cost, region)
    return relative_error(estimated, truth), relative_error(np.full(len(region), cost), truth)


def relative_error(estimated: Floats, truth: Floats) -> float:
    """Median over configurations of |estimate - cost| / cost."""
    return float(np.median(np.abs(estimated - truth) / truth))


def _read(path: Path, seeds: int) -> Floats | None:
    """What an earlier call kept; None where it is missing or damaged."""
    try:
        kept: Floats = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return kept if kept.shape == (seeds, 2) and np.isfinite(kept).all() else None


def _write(path: Path, errors: Floats) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    np.save(partial, errors)
    partial.replace(path)
