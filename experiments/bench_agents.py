"""Speed of the agents: CPU time of a run of 1000 decisions, one JSON object per preset of conf/agent.

Each agent plays workload=wiki on the simulated CPU server without the exhaustive table. Times are CPU times
of this process. ``cpu_s_per_1000_decisions`` is that of the whole run, simulator included, from before the
agent is built; ``act_ms`` and ``learn_ms`` are the mean times of deciding and learning per slot, ``late_ms``
that of both in the last tenth of the slots, when an agent knows most. Another
agent of the same preset plays some slots first, so that imports and compiled code are not counted; tracing
of an agent's own TensorFlow graphs is. Agents that need the exhaustive table are left out unless it is
cached (``python -m experiments.truth``), and so are those whose extra is not installed; ``custom`` is nobody.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from typing import Any

from experiments.arguments import refuse
from experiments.build import build_agent, build_env
from experiments.cli import CONF
from experiments.loop import run_loop
from experiments.settings import compose_settings
from experiments.truth import cached_table
from serving.agent import Agent
from serving.configuration import Configuration
from serving.errors import UsageError
from serving.observation import Observation


class Clocked:
    """An agent with a clock: CPU seconds of every ``act`` and every ``learn``."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.act_s: list[float] = []
        self.learn_s: list[float] = []

    def act(self, observation: Observation) -> Configuration:
        """As the agent, on the clock."""
        begin_s = time.process_time()
        configuration = self._agent.act(observation)
        self.act_s.append(time.process_time() - begin_s)
        return configuration

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """As the agent, on the clock."""
        begin_s = time.process_time()
        self._agent.learn(observation, configuration, cost, next_observation)
        self.learn_s.append(time.process_time() - begin_s)

    def state_dict(self) -> dict[str, Any]:
        """As the agent."""
        return self._agent.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As the agent."""
        self._agent.load_state_dict(state)

    def diagnostics(self) -> dict[str, Any]:
        """As the agent."""
        return self._agent.diagnostics()


def presets() -> list[str]:
    """Every agent of conf/agent but ``custom``."""
    return sorted(path.stem for path in (CONF / "agent").glob("*.yaml") if path.stem != "custom")


def measure(preset: str, slots: int, warm_up: int) -> dict[str, Any]:
    """The line of one preset.

    Raises:
        UsageError: if the agent needs a table that is not cached, or an extra that is not installed.
    """
    settings = [f"agent={preset}", "workload=wiki", "system=sim_cpu", "truth=false", "seed=1"]
    _play(compose_settings([*settings, f"slots={warm_up}"]))
    cpu_s, clocked = _play(compose_settings([*settings, f"slots={slots}"]))
    late = max(1, slots // 10)
    return {
        "benchmark": f"agent_{preset}",
        "cpu_s_per_1000_decisions": round(1000 * cpu_s / slots, 3),
        "act_ms": round(1000 * sum(clocked.act_s) / slots, 4),
        "learn_ms": round(1000 * sum(clocked.learn_s) / slots, 4),
        "late_ms": round(1000 * (sum(clocked.act_s[-late:]) + sum(clocked.learn_s[-late:])) / late, 4),
    }


def _play(plain: dict[str, Any]) -> tuple[float, Clocked]:
    env = build_env(plain)
    begin_s = time.process_time()
    agent = Clocked(build_agent(plain, env, lambda: cached_table(plain)))
    deque(run_loop(env, agent, plain["seed"]), maxlen=0)
    cpu_s = time.process_time() - begin_s
    env.close()
    return cpu_s, agent


def main(names: str, slots: int = 1000, warm_up: int = 60) -> int:
    """Measure ``all`` presets or those named, separated by commas; the exit code.

    Fewer slots make a quick, worse measurement.
    """
    known = presets()
    chosen = known if names == "all" else names.split(",")
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        refuse(f"agents={names}: {', '.join(unknown)} not known, choose from {['all', *known]}")
    for preset in chosen:
        try:
            print(json.dumps(measure(preset, slots, warm_up)), flush=True)
        except UsageError as error:
            print(f"agent_{preset}: left out: {error}", file=sys.stderr)
    return 0
