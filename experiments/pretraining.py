"""Agents that learn in a simulator before their run begins.

``pretrain.file=results/hardware/mobilenet_v2.yaml pretrain.slots=500``: the agent first decides and learns in
so many simulated slots under the run's own workload, with other requests. The simulator is that of the real
servers, calibrated; of a simulated run it is the run's own with the hardware of that file, which for a fair
comparison is not the run's. ``pretrain.file=[A,B]``: the slots are divided among the simulators of several
profiles, one after the other; each begins where the workload does. An agent with methods
``begin_preparation()`` and ``end_preparation()`` is told when simulated slots begin and when they are over.

``pretrain.table=true``: an agent whose constructor asks for ``foretold`` is handed the exhaustive tables of
those simulators instead; all others play slots. Who knows the run's own loads to come is not prepared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from agents.background import BackgroundAgent
from experiments.build import (
    agent_wants,
    build_env,
    build_system,
    is_simulated,
    profile_files,
    read_profile,
    takes_table,
)
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
    """Let the agent learn in the simulators that the settings name; nothing if they name none.

    Nor does who knows the loads to come, which are not those of a simulator.

    Raises:
        UsageError: if a file is no profile of the model that is served.
    """
    if "pretrain" not in plain or takes_table(plain):
        return
    files = profile_files(plain)
    shares = [len(share) for share in np.array_split(np.arange(plain["pretrain"]["slots"]), len(files))]
    # No time passes in here: who learns beside serving learns between slots, and takes nothing into the run.
    learner = agent.agent if isinstance(agent, BackgroundAgent) else agent
    simulators = [_simulator(plain, file, slots) for file, slots in zip(files, shares, strict=True)]
    if agent_wants(plain, "true_load_rps"):
        return
    _tell(learner, "begin_preparation")
    for number, (simulator, slots) in enumerate(zip(simulators, shares, strict=True)):
        env = build_env(plain | {"slots": slots}, simulator)
        stream = [plain["seed"], _STREAM, *([number] if number else [])]  # the first as if it were alone
        seed = int(np.random.SeedSequence(stream).generate_state(1)[0])
        for _ in run_loop(env, learner, seed, drained=build_drain_rule(plain)):
            pass
    _tell(learner, "end_preparation")


def _tell(agent: Agent, what: str) -> None:
    """Call the method if the agent has it."""
    getattr(agent, what, lambda: None)()


def foretold(plain: dict[str, Any]) -> Foretold | None:
    """The tables of the simulators that the settings name, cached or computed now; None without them.

    Raises:
        UsageError: if a file is no profile of the model that is served.
    """
    if not takes_table(plain):
        return None
    from experiments.truth import foretell

    for file in profile_files(plain):
        _simulator(plain, file, 1)  # what is wrong with it is one line, not a worker's traceback
    steady = next(iter(stages(plain["system"]).values())) if is_simulated(plain) else simulator_of(plain)
    profiles = [read_profile(Path(file), "pretrain.file") for file in profile_files(plain)]
    return foretell(plain | {"system": steady}, profiles)


def _simulator(plain: dict[str, Any], file: str, slots: int) -> ServingSystem:
    hardware, system = read_profile(Path(file), "pretrain.file"), plain["system"]
    if "change_slot" in system:  # what happens in mid-run is not known before it
        system = system | {"change_slot": slots}
    try:
        if not is_simulated(plain):
            return simulated_testbed(plain, hardware)
        return build_system(plain | {"system": system, "hardware": hardware})
    except Exception as error:
        if not is_usage(error):
            raise
        raise UsageError(f"pretrain.file={file}: {explain(error, [])}") from None
