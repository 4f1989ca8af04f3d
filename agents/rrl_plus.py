"""RRL Plus: RRL that chooses the radius of its region anew in every slot (paper, Algorithm 2)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np

from agents.radius import INITIAL, BayesianRadius, Incumbent, lattice_radii
from agents.rrl import RRLAgent
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation

Credit = Literal["same_slot", "next_slot"]


def _passes_on(parent: type, *but: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a constructor whose ``**`` goes to ``parent``'s: its signature then names those arguments too.

    The framework hands agents what their signature names, and refuses settings that it does not name.
    """

    def mark(constructor: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(constructor)
        named = {key: one for key, one in own.parameters.items() if one.kind is not one.VAR_KEYWORD}
        theirs = inspect.signature(parent).parameters
        named |= {key: one for key, one in theirs.items() if key not in {*named, *but}}
        constructor.__signature__ = own.replace(parameters=list(named.values()))  # type: ignore[attr-defined]
        return constructor

    return mark


class RRLPlusAgent(RRLAgent):
    """RRL whose radius in each slot is the one with the largest expected improvement of the cost.

    Everything but the radius is ``RRLAgent``. In every slot the agent chooses delta_t, updates the table
    within delta_t of the played configuration, and adds (delta_t, cost) to the samples from which the next
    radii are chosen. The paper's text leaves open which slot's cost that is:

    - ``same_slot``: the cost from which the update was made, of a configuration drawn before delta_t acted;
    - ``next_slot``: the cost of the slot after, the first whose policy delta_t has shaped.

    Args:
        space: the configurations.
        rng: source of all randomness; the order of the initial radii comes from a child of it, so that the
            draws of ``act`` are those of ``RRLAgent``.
        credit: which slot's cost a radius is credited with, ``same_slot`` or ``next_slot``.
        radii: candidate radii, ascending; the distinct distances up to ``delta_max`` where None.
        delta_max: largest radius to consider.
        initial_radii: tried first, one slot each, in random order.
        incumbent: see ``agents.radius.BayesianRadius``; likewise ``window`` and ``margin``.
        window: see there.
        margin: see there (0 in the paper's Eq. 5).
        per_load: credit the cost relative to the mean of all costs so far at its load level, so that a
            change of load does not look like a merit of the radius.
        **rrl: the arguments of ``RRLAgent`` but ``radius``.

    Raises:
        UsageError: on values outside their range and names that do not exist.
    """

    @_passes_on(RRLAgent, "radius")
    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        credit: Credit = "same_slot",
        radii: Sequence[float] | None = None,
        delta_max: float = 6.0,
        initial_radii: Sequence[float] = INITIAL,
        incumbent: Incumbent = "best_sample",
        window: int | None = None,
        margin: float = 0.0,
        per_load: bool = False,
        **rrl: Any,
    ) -> None:
        super().__init__(space=space, rng=rng, radius=0.0, **rrl)
        if credit not in get_args(Credit):
            raise UsageError(f"credit={credit!r}, choose from {sorted(get_args(Credit))}")
        if not 0 <= delta_max < np.inf:
            raise UsageError(f"delta_max={delta_max}, expected a finite number >= 0")
        self.credit = credit
        self.per_load = per_load
        distance = {key: rrl[key] for key in ("metric", "zero_distance") if key in rrl}
        self.chooser = BayesianRadius(
            lattice_radii(space, delta_max, **distance) if radii is None else radii,
            rng.spawn(1)[0],
            initial=initial_radii,
            incumbent=incumbent,
            window=window,
            margin=margin,
        )
        self.radius = self.chooser.choose()
        self._costs: dict[int, tuple[int, float]] = {}  # per load level: how many, their mean

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Choose a radius, update the region, and credit the radius that the cost is due to."""
        value = self._value(observation.load_bin, cost)
        if self._acted():
            if self.credit == "next_slot":
                self.chooser.observe(self.radius, value)
            self.radius = self.chooser.choose()
        super().learn(observation, configuration, cost, next_observation)
        if self.credit == "same_slot" and self._acted():
            self.chooser.observe(self.radius, value)

    def _acted(self) -> bool:
        """Whether the table was updated at all; the first radius waits for that."""
        return bool(self.table.updates.any())

    def _value(self, load_bin: int, cost: float) -> float:
        """What a radius is credited with for a slot of this cost."""
        count, mean = self._costs.get(load_bin, (0, 0.0))
        mean += (cost - mean) / (count + 1)
        self._costs[load_bin] = (count + 1, mean)
        return cost / mean if self.per_load and mean > 0 else cost

    def diagnostics(self) -> dict[str, Any]:
        """``RRLAgent.diagnostics`` (``radius`` is the last one used) and ``BayesianRadius.diagnostics``."""
        return super().diagnostics() | self.chooser.diagnostics()

    def state_dict(self) -> dict[str, Any]:
        """All that RRL keeps, the samples of the radii, and the mean cost of each load."""
        return super().state_dict() | {"chooser": self.chooser.state_dict(), "costs": dict(self._costs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self.chooser.load_state_dict(state["chooser"])
        self._costs = dict(state["costs"])
