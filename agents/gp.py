"""A contextual Gaussian-process scheduler: what a slot costs, as a function of load and configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.acquisition import make_acquisition
from agents.gp_cells import Cells
from agents.gp_kernel import ConfigurationLoadKernel, Scales
from agents.gp_posterior import Belief, posterior
from agents.gp_slot import SlotEvidence, log_load
from agents.log_knobs import log_coordinates, middle
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation


class GPAgent:
    """Plays what is worth most by a Gaussian process over the logarithm of the cost (docs/beyond.md).

    Args:
        space: configurations to choose from.
        acquisition: ``price`` or ``lower_bound`` (``agents.acquisition``).
        horizon: of ``price``, in slots.
        kappa: of ``lower_bound``, in standard deviations.
        forget: what a slot counts after one more slot, in (0, 1].
        load_step: loads that differ by less than this share are one.
        most_cells: means kept; their number bounds what a decision costs.
        scales: of the prior, by name (``agents.gp_kernel.Scales``).
        start: configuration of the first slot; the middle of the grid where None.

    Raises:
        UsageError: on values outside their range and names that do not exist.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        acquisition: str = "price",
        horizon: float = 100.0,
        kappa: float = 2.0,
        forget: float = 0.998,
        load_step: float = 0.15,
        most_cells: int = 150,
        scales: Mapping[str, float] | None = None,
        start: Sequence[int] | None = None,
    ) -> None:
        if not 0 < forget <= 1:
            raise UsageError(f"forget={forget}, expected a number in (0, 1]")
        if most_cells < 1:
            raise UsageError(f"most_cells={most_cells}, expected an integer >= 1")
        self.space = space
        self.score = make_acquisition(acquisition, horizon, kappa)
        self.forget = forget
        self.kernel = ConfigurationLoadKernel(log_coordinates(space), Scales(**(scales or {})))
        self.cells = Cells(outputs=2, load_step=load_step, most=most_cells)
        self.start = middle(space) if start is None else space.index(start)
        self._belief: Belief | None = None

    def act(self, observation: Observation) -> Configuration:
        """The configuration with the least score at the observed load."""
        if not len(self.cells):
            return self.space.configurations[self.start]
        self._belief = posterior(self.cells, self.kernel, log_load(observation.load_rps))
        return self.space.configurations[self._choose(self._belief)]

    def _choose(self, belief: Belief) -> int:
        return int(self.score(belief.mean[:, 0], belief.deviation).argmin())

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Take the slot in as evidence, at the load that it really had."""
        self.cells.fade(self.forget)
        slot = SlotEvidence.of(observation, cost, next_observation)
        if slot is not None:
            self.cells.add(self.space.index(configuration), slot.log_load, slot.outputs)

    def diagnostics(self) -> dict[str, Any]:
        """What the agent believed when it last acted.

        Keys: ``cells`` (means kept), and after the first decision ``implied_latency`` (median of each cost,
        shape (size,)) and ``deviation`` (of its logarithm, mean over configurations).
        """
        said: dict[str, Any] = {"cells": len(self.cells)}
        if self._belief is not None:
            said["implied_latency"] = np.exp(self._belief.mean[:, 0])
            said["deviation"] = float(self._belief.deviation.mean())
        return said

    def state_dict(self) -> dict[str, Any]:
        """The cells: everything else follows from them."""
        return {"cells": self.cells.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved cells."""
        self.cells.load_state_dict(state["cells"])
