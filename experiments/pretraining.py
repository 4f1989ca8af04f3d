"""Agents that learn in a simulator before their run begins.

``pretrain.file=results/hardware/mobilenet_v2.yaml pretrain.slots=500``: the agent first decides and learns in
so many simulated slots under the run's own workload, with other requests. The simulator is that of the real
servers, calibrated; of a simulated run it is the run's own with the hardware of that file, which for a fair
comparison is not the run's. An agent with methods ``begin_preparation()`` and ``end_preparation()`` is told
when the simulator begins and when it is over.

``pretrain.table=true``: an agent whose constructor asks for ``foretold`` is handed the exhaustive table of
that simulator instead; all others play slots.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from agents.background import BackgroundAgent
from experiments.build import build_env, build_system, is_simulated, read_profile, takes_table
from experiments.calibration.simulator import simulated_testbed, simulator_of
from experiments.changing import stages
from experiments.cli import explain, is_usage
from experiments.drain import build_drain_rule
from experiments.loop import run_loop
from serving.agent import Agent
from serving.errors import UsageError
from serving.foretold import Foretold
from serving.system import ServingSystem

_STREAM = 0x_7A5_F34  # apart from the requests of the run


def pretrain(plain: dict[str, Any], agent: Agent) -> None:
    """Let the agent learn in the simulator that the settings name; nothing if they name none.

    Raises:
        UsageError: if the file is no profile of the model that is served.
    """
    if "pretrain" not in plain or takes_table(plain):
        return
    env = build_env(plain | {"slots": plain["pretrain"]["slots"]}, _simulator(plain))
    seed = int(np.random.SeedSequence([plain["seed"], _STREAM]).generate_state(1)[0])
    # No time passes in here: who learns beside serving learns between slots, and takes nothing into the run.
    learner = agent.agent if isinstance(agent, BackgroundAgent) else agent
    _tell(learner, "begin_preparation")
    for _ in run_loop(env, learner, seed, drained=build_drain_rule(plain)):
        pass
    _tell(learner, "end_preparation")


def _tell(agent: Agent, what: str) -> None:
    """Call the method if the agent has it."""
    getattr(agent, what, lambda: None)()


def foretold(plain: dict[str, Any]) -> Foretold | None:
    """The table of the simulator that the settings name, from the cache or computed now; None without one.

    Raises:
        UsageError: if the file is no profile of the model that is served.
    """
    if not takes_table(plain):
        return None
    from experiments.truth import foretell

    _simulator(plain)  # what is wrong with it is one line, not a worker's traceback
    steady = next(iter(stages(plain["system"]).values())) if is_simulated(plain) else simulator_of(plain)
    return foretell(plain | {"system": steady, "hardware": _profile(plain)})


def _profile(plain: dict[str, Any]) -> dict[str, Any]:
    return read_profile(Path(plain["pretrain"]["file"]), "pretrain.file")


def _simulator(plain: dict[str, Any]) -> ServingSystem:
    hardware, system = _profile(plain), plain["system"]
    if "change_slot" in system:  # what happens in mid-run is not known before it
        system = system | {"change_slot": plain["pretrain"]["slots"]}
    try:
        if not is_simulated(plain):
            return simulated_testbed(plain, hardware)
        return build_system(plain | {"system": system, "hardware": hardware})
    except Exception as error:
        if not is_usage(error):
            raise
        raise UsageError(f"pretrain.file={plain['pretrain']['file']}: {explain(error, [])}") from None
