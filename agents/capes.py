"""CAPES: a deep Q-network that moves one knob at a time (Li et al., SC'17), the paper's baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agents.capes_exploration import Exploration, WorkloadChange
from agents.capes_indicators import Indicators, IndicatorWindow
from agents.capes_moves import Moves
from agents.capes_network import QNetwork, make_optimizer
from agents.capes_replay import Replay
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation

Reward = Literal["level", "difference"]

_REFERENCE_SLOTS = 20
_LARGEST_REWARD = 5.0
_REMEMBERED = 4  # slots whose learning may still be to come, where learning runs beside serving


def hidden_units(inputs: int) -> int:
    """Size of a hidden layer by the rule of CAPES' code: 1.2 x inputs, at least 200."""
    return max(round(1.2 * inputs), 200)


class CapesAgent:
    """Learns the value of the 2K + 1 moves by Q-learning with replay and a target network.

    Costs are measured in the median of the first 20 (so that no objective's unit matters), latencies among
    the indicators in ``slo_s``, which is known from the first slot on. The first slot plays ``start``.

    Args:
        space: the configurations.
        rng: source of all randomness: first weights, moves and minibatches.
        max_load_rps: unit of loads among the indicators.
        slo_s: unit of latencies among the indicators.
        start: first configuration; the middle of the grid where None.
        hidden: units of each of the two hidden layers; ``hidden_units`` where None.
        optimizer: ``adam`` or ``rmsprop`` (with clipped gradients).
        learning_rate: of the optimizer; its published rate where None.
        gamma: discount factor in [0, 1).
        reward: ``level``, minus the cost; or ``difference``, by how much it fell since the last slot that had
            one. Either within +-5 times the reference.
        training_steps: gradient steps per slot, once a minibatch can be filled.
        minibatch: transitions per step.
        replay_capacity: transitions kept.
        soft_update: share of the way the target network moves per step.
        anneal_actions: actions until the probability of a random move is down from 1 to ``epsilon_end``.
        epsilon_end: what remains of it.
        new_workload_epsilon: what it is raised to when the load level changes for 3 slots; 0 for never.
        new_workload_actions: actions until it is down again.
        ticks: length of the window of indicators.
        missing_tolerance: share of missing ticks up to which a window is learned from.

    Raises:
        UsageError: on values outside their range and names that do not exist.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        max_load_rps: float,
        slo_s: float,
        start: Sequence[int] | None = None,
        hidden: int | None = None,
        optimizer: str = "adam",
        learning_rate: float | None = None,
        gamma: float = 0.99,
        reward: Reward = "level",
        training_steps: int = 10,
        minibatch: int = 32,
        replay_capacity: int = 100_000,
        soft_update: float = 0.01,
        anneal_actions: int = 500,
        epsilon_end: float = 0.05,
        new_workload_epsilon: float = 0.2,
        new_workload_actions: int = 100,
        ticks: int = 10,
        missing_tolerance: float = 0.2,
    ) -> None:
        if reward not in ("level", "difference"):
            raise UsageError(f"reward={reward!r}, choose from ['difference', 'level']")
        if replay_capacity < minibatch:
            raise UsageError(
                f"replay_capacity={replay_capacity}, expected at least minibatch={minibatch}: "
                "nothing would ever be learned"
            )
        self.space = space
        self.rng = rng
        self.moves = Moves(space)
        self.window = IndicatorWindow(space, max_load_rps, slo_s, ticks, missing_tolerance)
        self.replay = Replay(self.window.size, replay_capacity)
        self.exploration = Exploration(
            anneal_actions, epsilon_end, new_workload_epsilon, new_workload_actions
        )
        self.workload_change = WorkloadChange()
        self.network = QNetwork(
            self.window.size,
            self.moves.count,
            hidden_units(self.window.size) if hidden is None else hidden,
            rng,
            make_optimizer(optimizer, learning_rate),
            gamma,
            soft_update,
            training_steps,
            minibatch,
        )
        self._batches = (training_steps, minibatch)
        self._reward = reward
        self._raises = new_workload_epsilon > 0
        self._playing = self.moves.middle() if start is None else space.index(start)
        self._first_costs: list[float] = []
        self._last_cost: float | None = None
        self._seen: dict[int, Indicators] = {}  # by slot
        self._made: dict[int, int] = {}  # moves, by slot
        self._valued: tuple[int, NDArray[np.float32]] | None = None  # slot and the values of its moves
        self._loss = float("nan")

    def act(self, observation: Observation) -> Configuration:
        """Make the best move of the network, or a random one with probability epsilon."""
        inputs = self._see(observation, self._playing)
        if self.workload_change(observation.load_bin) and self._raises:
            self.exploration.new_workload()
        move = self._choose(observation.slot, inputs) if self._made else 0
        self.exploration.count()
        self._made[observation.slot] = move
        self._playing = self.moves.apply(self._playing, move)
        return self.space.configurations[self._playing]

    def _choose(self, slot: int, inputs: Indicators) -> int:
        if self.rng.random() < self.exploration.epsilon:
            return int(self.rng.integers(self.moves.count))
        if self._valued is None or self._valued[0] != slot:
            self._valued = slot, self.network.values(inputs.values)
        return int(np.argmax(self._valued[1]))

    def _see(self, observation: Observation, configuration: int) -> Indicators:
        """The window of indicators that ends with an observation; each is taken in once."""
        slot = observation.slot
        if slot not in self._seen:
            self._seen[slot] = self.window.add(observation, configuration)
            for memory in (self._seen, self._made):
                for old in [one for one in memory if not slot - _REMEMBERED <= one <= slot]:
                    del memory[old]
        return self._seen[slot]

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Keep the transition if both its windows are complete, and train on minibatches of what is kept."""
        before, move = self._seen[observation.slot], self._made[observation.slot]
        after = self._see(next_observation, self.space.index(configuration))
        gain = -cost
        if self._reward == "difference":
            gain = 0.0 if self._last_cost is None else self._last_cost - cost
        self._last_cost = cost
        if len(self._first_costs) < _REFERENCE_SLOTS:
            self._first_costs.append(cost)
        if before.complete and after.complete:
            self.replay.add(before.values, move, gain, after.values)
        if len(self.replay) >= self._batches[1]:
            self._train(next_observation.slot, after)

    def _train(self, next_slot: int, then: Indicators) -> None:
        drawn = self.replay.draw(self.rng, self._batches)
        rewards = np.clip(drawn.gain / self.cost_reference, -_LARGEST_REWARD, _LARGEST_REWARD)
        self._loss, values = self.network.train(
            drawn.inputs, drawn.move, rewards.astype(np.float32), drawn.next_inputs, then.values
        )
        self._valued = next_slot, values

    @property
    def cost_reference(self) -> float:
        """Unit of rewards: the median of the first 20 costs (of those so far, before), at least 1e-6."""
        return max(float(np.median(self._first_costs)), 1e-6) if self._first_costs else 1.0

    def diagnostics(self) -> dict[str, Any]:
        """What the agent believes.

        Keys: ``move_values`` (expected discounted reward of every move where the network was last asked,
        shape (2K + 1,), NaN before), ``epsilon`` of the next move, ``loss`` (mean squared TD error of
        the last training, NaN before), ``replay`` (transitions kept), ``cost_reference``.
        """
        unknown = np.full(self.moves.count, np.nan, dtype=np.float32)
        return {
            "move_values": unknown if self._valued is None else self._valued[1].copy(),
            "epsilon": self.exploration.epsilon,
            "loss": self._loss,
            "replay": len(self.replay),
            "cost_reference": self.cost_reference,
        }

    @property
    def _parts(self) -> dict[str, Any]:
        names = ("window", "replay", "exploration", "workload_change", "network")
        return {name: getattr(self, name) for name in names}

    def state_dict(self) -> dict[str, Any]:
        """All parts, the replay included, the generator, and what is known of the last slots."""
        return {name: part.state_dict() for name, part in self._parts.items()} | {
            "rng": self.rng.bit_generator.state,
            "costs": (list(self._first_costs), self._last_cost, self._loss),
            "playing": self._playing,
            "seen": {slot: (one.values, one.complete) for slot, one in self._seen.items()},
            "made": dict(self._made),
            "valued": self._valued,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state: the next moves are those the saved agent would have made."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.rng.bit_generator.state = state["rng"]
        first_costs, self._last_cost, self._loss = state["costs"]
        self._first_costs = list(first_costs)
        self._playing = state["playing"]
        self._seen = {slot: Indicators(*one) for slot, one in state["seen"].items()}
        self._made = dict(state["made"])
        self._valued = state["valued"]
