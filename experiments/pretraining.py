"""Agents that learn in a calibrated simulator before their run on real servers begins.

``pretrain.file=results/hardware/mobilenet_v2.yaml pretrain.slots=500``: the agent first decides and learns in
so many simulated slots under the run's own workload, with other requests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.build import build_env, read_yaml
from experiments.calibration.simulator import simulated_testbed
from experiments.drain import build_drain_rule
from experiments.loop import run_loop
from serving.agent import Agent

_STREAM = 0x_7A5_F34  # apart from the requests of the run


def pretrain(plain: dict[str, Any], agent: Agent) -> None:
    """Let the agent learn in the simulator that the settings name; nothing if they name none."""
    if "pretrain" not in plain:
        return
    hardware = read_yaml(Path(plain["pretrain"]["file"]), "pretrain.file")
    env = build_env(plain | {"slots": plain["pretrain"]["slots"]}, simulated_testbed(plain, hardware))
    seed = int(np.random.SeedSequence([plain["seed"], _STREAM]).generate_state(1)[0])
    for _ in run_loop(env, agent, seed, drained=build_drain_rule(plain)):
        pass
