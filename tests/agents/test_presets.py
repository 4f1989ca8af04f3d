"""Every preset builds its agent from plain values and plays; what learns, learns."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from agent_worlds import Surface

from serving.agent import Agent
from serving.cost_table import CostTable

FOLDER = Path(__file__).parents[2] / "conf" / "agent"
OURS = [
    "q_learning", "rrl", "rrl_nn", "rrl_paper", "rrl_paper_nn", "rrl_code", "random", "static", "static_best",
    "sequential", "tf_default", "oracle", "deeprm", "deeprm_joint", "deeprm_increment",
    "capes", "capes_published",
    "rrl_plus", "rrl_plus_paper", "gp", "gp_lcb", "gp_safe",
    "linucb", "aimd", "serf", "packrat",
    "q_learning_tuned", "rrl_tuned", "rrl_plus_tuned", "deeprm_tuned", "capes_tuned",
]  # fmt: skip


def build(preset: str, surface: Surface, seed: int, **overrides: Any) -> Agent:
    """As the framework does: the yaml's values, and what the constructor asks for by name."""
    settings = yaml.safe_load((FOLDER / f"{preset}.yaml").read_text()) | overrides
    assert settings.pop("preset") == preset
    assert settings.pop("settings") in {"published", "tuned", "robust", "none"}
    module, name = settings.pop("_target_").rsplit(".", 1)
    target = getattr(import_module(module), name)
    loads = np.arange(float(len(surface.cost)))
    table = CostTable(loads, surface.cost, 0 * surface.cost, surface.cost < 0)
    true_load_rps = np.random.default_rng([surface.seed, 1]).integers(len(loads), size=2001).astype(float)
    offered = {
        "space": surface.space, "rng": np.random.default_rng(seed), "load_levels": len(loads),
        "max_load_rps": float(len(loads)), "slo_s": 0.4,
        "cost_table": table, "true_load_rps": true_load_rps,
    }  # fmt: skip
    wanted = inspect.signature(target).parameters
    return target(**{key: value for key, value in offered.items() if key in wanted}, **settings)


@pytest.mark.parametrize("preset", OURS)
def test_every_preset_plays(preset):
    surface = Surface.smooth(size=11, minimum=0)
    history = surface.run(build(preset, surface, 0), 20)
    assert len(history) == 20


def test_the_oracle_preset_is_the_lower_bound_at_every_slot():
    surface = Surface.smooth()
    for load, _, cost in surface.run(build("oracle", surface, 0), 50):
        assert cost == surface.cost[load].min()


def last_ratios(preset: str, steepness: float, **overrides: Any) -> list[float]:
    """Mean cost over the best in the last 50 of 300 slots, per seed: 27 configurations, 10 % noise."""
    ratios = []
    for seed in range(10):
        surface = Surface.smooth(loads=1, noise=0.1, seed=seed, steepness=steepness)
        last = surface.run(build(preset, surface, seed, **overrides), 300)[-50:]
        ratios.append(float(np.mean([cost / surface.cost[load].min() for load, _, cost in last])))
    return ratios


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("q_learning", {"gamma": 0.0}),
        ("rrl", {"radius": 0.0, "init": "inverse_size"}),
        ("rrl", {"radius": 1.0}),
    ],
)
def test_learns_to_within_a_fifth_of_the_best_where_neighbours_cost_about_the_same(preset, overrides):
    # Random play ends at 1.3 to 1.6 here. As shipped, q_learning (gamma 0.9) gets there in 1 seed of 10 and
    # stays at 1.17 to 1.38: its policy at beta 20 over a horizon of ten slots is soft for so short a run.
    assert sum(ratio <= 1.2 for ratio in last_ratios(preset, 0.5, **overrides)) >= 9


@pytest.mark.slow
@pytest.mark.parametrize("steepness", [0.5, 1.5])
@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("q_learning", {"gamma": 0.0}),
        ("rrl_tuned", {}),
        ("rrl_plus_tuned", {}),
        ("deeprm_tuned", {}),
        ("gp", {}),
        ("gp_lcb", {}),
    ],
)
def test_solves_the_identity_environment_however_steep(preset, overrides, steepness):
    # Not so as shipped: q_learning (see above) and deeprm, which at its published learning rate of 0.001 is
    # still where random play is (1.3 to 1.6, and 2.4 to 4.5 where it is steep).
    assert sum(ratio <= 1.2 for ratio in last_ratios(preset, steepness, **overrides)) >= 9


@pytest.mark.slow
def test_capes_learns_within_300_slots_when_it_explores_for_half_of_them():
    # As shipped 9 of 10 seeds get there too, narrowly (1.07 to 1.20): epsilon is still about a half then.
    # The values here were picked on this very surface: they show that it learns, not how well.
    faster = {"anneal_actions": 150, "learning_rate": 1e-3, "gamma": 0.8, "soft_update": 0.05}
    assert sum(ratio <= 1.2 for ratio in last_ratios("capes", 0.5, **faster)) >= 9


def test_the_gap_that_stays_grows_with_the_region():
    # Theorem 1: the gap is bounded by Delta / (1 - gamma), and Delta grows with the radius. The surface is
    # steep (neighbours up to 3 times apart); radius 3 covers nearly all of a 3 x 3 x 3 grid.
    means = [
        np.mean(last_ratios("rrl", 1.5, radius=radius, init="inverse_size", evidence="all"))
        for radius in (0.0, 1.0, 3.0)
    ]
    assert means[0] < 1.05
    assert 1.15 < means[1] < 2 < means[2]
