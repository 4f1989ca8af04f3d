"""RRL: region-based reinforcement learning (paper, Algorithm 1); with radius 0, Q-learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.estimator import Estimator, make_estimator
from agents.evidence import NearestEvidence
from agents.policy import draw, entropy, make_policy
from agents.q_table import QTable
from agents.regions import Regions, checked_radius
from agents.schedule import ConstantStep, PowerStep, StepSize
from serving.configuration import Configuration, ConfigurationSpace, Metric, ZeroDistance
from serving.errors import UsageError
from serving.observation import Observation


def _initial_q(init: str, init_value: float | None, size: int, gamma: float) -> float:
    """What fills the table at first; NaN where that is yet to be observed."""
    if init not in ("inverse_size", "first_cost", "value", "pessimistic"):
        raise UsageError(f"init={init!r}, choose from ['first_cost', 'inverse_size', 'pessimistic', 'value']")
    if (init in ("value", "pessimistic")) != (init_value is not None):
        raise UsageError(
            f"init_value={init_value} with init={init}, expected a number with init=value or pessimistic only"
        )
    if init == "pessimistic" and init_value is not None and not init_value > 0:
        raise UsageError(f"init_value={init_value} with init=pessimistic, expected a cost > 0")
    if init_value is not None:
        return init_value / (1 - gamma) if init == "pessimistic" else init_value
    return 1.0 / size if init == "inverse_size" else np.nan


class RRLAgent:
    """Learns Q[load level, configuration]; one observed slot updates a whole region of configurations.

    With s_t the load level and c_t the configuration of a slot that cost r_t, for every c within ``radius``
    of c_t (Eq. 1 and 2): ``Q[s_t, c] += a (f(c, r_t) + gamma min_c' Q[s_t+1, c'] - Q[s_t, c])``, the
    minimum taken once, over all configurations, of the table before the update. The next configuration is
    drawn from a Boltzmann policy over Q[s_t+1] (Eq. 3). Costs stay in the objective's unit (seconds).

    Until the first cost arrives the table is constant and the agent plays ``start``, or uniformly.

    Args:
        space: the configurations.
        rng: source of all randomness; one draw per ``act``.
        load_levels: number of load levels (states).
        radius: of the region, in the space's distance; 0 is Q-learning.
        metric: distance between configurations.
        zero_distance: where the value 0 ("system default") stands in distances.
        gamma: discount factor in [0, 1).
        alpha: constant step size; None means ``(1 + n) ** -alpha_exponent`` with n the number of earlier
            updates of the entry.
        alpha_exponent: see ``alpha``.
        policy: ``paper``, ``literal``, ``unit_free`` or ``code`` (see ``agents.policy``).
        beta: inverse temperature in the policy's own unit; the policy's default where None.
        init: the table starts at ``inverse_size`` (1 / number of configurations, Algorithm 1: so low that
            everything unvisited looks best), at the ``first_cost`` observed (the authors' code), at
            ``value``, or ``pessimistic``: as if every configuration cost ``init_value`` for ever, that is
            at init_value / (1 - gamma).
        init_value: the start value for ``init=value``; for ``init=pessimistic`` a cost that hardly a slot
            exceeds, such as the objective's penalty for a lost request.
        q_has_state: a table per load level; False shares one table among all loads, as the authors' code.
        estimator: name of f(c, r_t), or the estimator itself.
        estimator_settings: what the named estimator's constructor takes.
        pin_observed: use r_t itself at c_t whatever the estimator says, as Eq. (1) demands.
        start: configuration to play until the first cost arrives.
        warm_up: instead of ``start``, configurations to play one after the other, each until its cost
            arrives, before learning begins (the authors' code): they train the estimator, and the first
            cost fills the table where ``init=first_cost``, but no entry is updated.
        max_load_rps: upper end of the loads, for estimators that scale them.
        evidence: ``all`` observations of a region count (Eq. 2), or only the ``nearest`` so far of each
            entry (see ``agents.evidence``).

    Raises:
        UsageError: on values outside their range and names that do not exist.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        load_levels: int,
        radius: float = 3.0,
        metric: Metric = "euclidean",
        zero_distance: ZeroDistance = "raw",
        gamma: float = 0.9,
        alpha: float | None = None,
        alpha_exponent: float = 0.7,
        policy: str = "paper",
        beta: float | None = None,
        init: str = "inverse_size",
        init_value: float | None = None,
        q_has_state: bool = True,
        estimator: str | Estimator = "constant",
        estimator_settings: Mapping[str, Any] | None = None,
        pin_observed: bool = True,
        start: Sequence[int] | None = None,
        warm_up: Sequence[Sequence[int]] = (),
        max_load_rps: float | None = None,
        evidence: str = "all",
    ) -> None:
        if not 0 <= gamma < 1:
            raise UsageError(f"gamma={gamma}, expected a number in [0, 1)")
        if load_levels < 1:
            raise UsageError(f"load_levels={load_levels}, expected an integer >= 1")
        if evidence not in ("all", "nearest"):
            raise UsageError(f"evidence={evidence!r}, choose from ['all', 'nearest']")
        self.space = space
        self.rng = rng
        self.radius = checked_radius(radius)
        self.gamma = gamma
        self.regions = Regions(space, metric, zero_distance)
        self.policy = make_policy(policy, beta, gamma)
        self.step_size: StepSize = PowerStep(alpha_exponent) if alpha is None else ConstantStep(alpha)
        self.q_has_state = q_has_state
        self.table = QTable(
            load_levels if q_has_state else 1, space.size, _initial_q(init, init_value, space.size, gamma)
        )
        self.estimator = (
            make_estimator(estimator, space, rng, estimator_settings, max_load_rps)
            if isinstance(estimator, str)
            else estimator
        )
        self.pin_observed = pin_observed
        self.evidence = NearestEvidence(*self.table.values.shape) if evidence == "nearest" else None
        self.opening = [space.index(one) for one in warm_up or ([] if start is None else [start])]
        self._warm_up_slots = len(warm_up)
        self._observed = 0  # costs so far
        self._state = 0
        self._probabilities: NDArray[np.float64] = np.full(space.size, 1.0 / space.size)
        self._step = float("nan")

    def state(self, observation: Observation) -> int:
        """Row of the Q table for an observation."""
        return observation.load_bin if self.q_has_state else 0

    def probabilities(self, state: int) -> NDArray[np.float64]:
        """The policy in one state, shape (size,); uniform as long as nothing was observed."""
        if self._observed == 0:
            return np.full(self.space.size, 1.0 / self.space.size)
        return self.policy(self.table.row(state))

    def act(self, observation: Observation) -> Configuration:
        """Draw a configuration from the policy at the observed load."""
        self._state = self.state(observation)
        probabilities = self.probabilities(self._state)
        self._probabilities = probabilities
        index = draw(probabilities, self.rng.random())
        if self._observed < len(self.opening):
            index = self.opening[self._observed]
        return self.space.configurations[index]

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Update the region around the configuration with what the slot cost (Eq. 1 and 2)."""
        self._observed += 1
        if np.isnan(self.table.values[0, 0]):
            self.table.values.fill(cost)
        index = self.space.index(configuration)
        self.estimator.learn(observation.load_rps, index, cost)
        if self._observed <= self._warm_up_slots:
            return
        region = self.regions(index, self.radius)
        if self.evidence is not None:
            distance = self.regions.distances(index, region)
            region = self.evidence.admit(self.table, self.state(observation), index, region, distance)
        estimates = self.estimator.estimate(observation.load_rps, index, cost, region)
        if self.pin_observed:
            estimates = np.where(region == index, cost, estimates)
        future = self.gamma * float(self.table.row(self.state(next_observation)).min())
        steps = self.table.update(self.state(observation), region, estimates + future, self.step_size)
        self._step = float(steps[np.searchsorted(region, index)])

    def diagnostics(self) -> dict[str, Any]:
        """What the agent believes at the load it last acted at.

        Keys: ``q`` (a copy, shape (size,)), ``implied_latency`` (q - gamma min q: the cost of one slot that
        the table stands for), ``gamma``, ``radius``, ``entropy`` of the last policy in nats, ``alpha`` (the
        last step at the played configuration, NaN before any), ``visited`` (share of the entries of this
        load that were updated at least once), ``loss`` (mean of the estimator's last minibatches, NaN without
        a network or before any).
        """
        q = self.table.row(self._state).copy()
        return {
            "q": q,
            "implied_latency": q - self.gamma * q.min(),
            "gamma": self.gamma,
            "radius": self.radius,
            "entropy": entropy(self._probabilities),
            "alpha": self._step,
            "visited": float((self.table.updates[self._state] > 0).mean()),
            "loss": getattr(self.estimator, "loss", float("nan")),
        }

    def state_dict(self) -> dict[str, Any]:
        """Table, estimator, generator and counters."""
        return {
            "table": self.table.state_dict(),
            "estimator": self.estimator.state_dict(),
            "evidence": self.evidence and self.evidence.state_dict(),
            "rng": self.rng.bit_generator.state,
            "radius": self.radius,
            "observed": self._observed,
            "last": (self._state, self._probabilities, self._step),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state: the next actions are those the saved agent would have taken."""
        self.table.load_state_dict(state["table"])
        self.estimator.load_state_dict(state["estimator"])
        if self.evidence is not None:
            self.evidence.load_state_dict(state["evidence"])
        self.rng.bit_generator.state = state["rng"]
        self.radius = float(state["radius"])
        self._observed = int(state["observed"])
        self._state, self._probabilities, self._step = state["last"]
