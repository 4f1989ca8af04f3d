"""A contextual Gaussian-process scheduler: what a slot costs, as a function of load and configuration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import Ahead, make_acquisition
from agents.gp_cells import Cells
from agents.gp_kernel import ConfigurationLoadKernel, Scales
from agents.gp_posterior import Belief
from agents.gp_prior import Prior, SlotPrior, TablePrior
from agents.gp_safety import Safety
from agents.gp_slot import SlotEvidence, log_load
from agents.log_knobs import first_index, leaves_to_system, log_coordinates
from agents.one_blas_thread import one_blas_thread
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.foretold import Foretold
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
        most_weight: slots that a mean counts for at most: it follows a change within about as many.
        surprise: standard deviations by which a slot contradicts what was surely known of its configuration
            and load, so that the service must have changed; what was learned then counts for little.
        scales: of the prior, by name (``agents.gp_kernel.Scales``).
        slo_s: objective of the 95th percentile of the latency, for ``safety``.
        safety: what may be played, by name (``agents.gp_safety.Safety``); everything where None.
        play_defaults: whether to play settings that leave a knob to the system.
        foretold: what simulators say of every configuration, to start from (``agents.gp_prior``).
        max_load_rps: largest load to be expected, where there are tables.
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
        most_weight: float = 20.0,
        surprise: float = 5.0,
        scales: Mapping[str, float] | None = None,
        slo_s: float = 1.0,
        safety: Mapping[str, Any] | None = None,
        play_defaults: bool = False,
        foretold: Foretold | None = None,
        max_load_rps: float = math.inf,
        start: Sequence[int] | None = None,
    ) -> None:
        if not 0 < forget <= 1:
            raise UsageError(f"forget={forget}, expected a number in (0, 1]")
        if not most_weight > 0:
            raise UsageError(f"most_weight={most_weight}, expected a number > 0")
        if not surprise > 0:
            raise UsageError(f"surprise={surprise}, expected a number > 0")
        if not load_step >= 0:
            raise UsageError(f"load_step={load_step}, expected a number >= 0")
        if not max_load_rps > 0:
            raise UsageError(f"max_load_rps={max_load_rps}, expected a number > 0")
        if most_cells < 1:
            raise UsageError(f"most_cells={most_cells}, expected an integer >= 1")
        self.space = space
        self.score = make_acquisition(acquisition, horizon, kappa)
        self.forget = forget
        self.surprise = surprise
        self.kernel = ConfigurationLoadKernel(log_coordinates(space), Scales.of(scales))
        self.cells = Cells(outputs=2, load_step=load_step, most=most_cells, most_weight=most_weight)
        self.barred = np.zeros(space.size, dtype=bool) if play_defaults else leaves_to_system(space)
        self.start = first_index(space, start)
        self.slo_s = slo_s
        self.safety = None if safety is None else Safety(**safety)
        compared = None if self.safety is None else self.safety.reference
        self.reference = None if compared is None else space.index(compared)
        self.prior: Prior = (
            SlotPrior(self.cells, self.kernel, self.start)
            if foretold is None
            else TablePrior(self.cells, self.kernel, foretold, max_load_rps)
        )
        self._slots = 0
        self._belief: Belief | None = None
        self._believed_at = 0.0  # logarithm of the load

    def act(self, observation: Observation) -> Configuration:
        """The configuration with the least score at the observed load."""
        with one_blas_thread():
            return self.space.configurations[self._act(observation)]

    def _act(self, observation: Observation) -> int:
        if self._slots == 1 and self.reference is not None:
            return self.reference
        measured = observation.slot > 0 or observation.load_rps > 0
        load = log_load(observation.load_rps) if measured else self.prior.largest_load()
        if not len(self.cells):
            told = self._allowed(load, lambda _, busier: self.prior.excess(busier, self.slo_s))
            return self.prior.first(load, told)
        posterior = self.prior.posterior(load, outputs=1 if self.safety is None else 2)
        self._belief, self._believed_at = posterior.at(load), load
        allowed = self._allowed(
            load, lambda safety, busier: safety.excess(posterior.at(busier), self.slo_s, self.reference)
        )
        return self._least(self._belief, allowed, self.prior.ahead(posterior, load))

    def _allowed(
        self, load: float, excess: Callable[[Safety, float], NDArray[np.float64]]
    ) -> NDArray[np.bool_]:
        """What may be played: what is safe at a busier load; where nothing is, the safest."""
        allowed = ~self.barred
        if self.safety is not None and self._slots >= self.safety.free_slots:
            over = excess(self.safety, load + math.log(self.safety.load_margin))
            allowed &= over <= max(0.0, float(over[allowed].min()))
        return allowed

    def _least(self, belief: Belief, allowed: NDArray[np.bool_], ahead: Ahead | None) -> int:
        """Flat index of the least score among what may be played, and against that alone."""
        where, reveals = np.flatnonzero(allowed), belief.reveals
        score = self.score(
            belief.mean[where, 0],
            belief.deviation[where, 0],
            self.prior.priced(belief, self._believed_at),
            None if reveals is None else lambda one: reveals(int(where[one]))[where],
            None if ahead is None else lambda some: ahead(where[some]),
        )
        return int(where[score.argmin()])

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Take the slot in as evidence, at the load that it really had."""
        self._slots += 1
        index = self.space.index(configuration)
        slot = SlotEvidence.of(observation, cost, next_observation, graded=self.prior.graded)
        if slot is not None and self._is_surprised(index, slot):
            self.prior.change()
        else:
            self.cells.fade(self.forget)
        if slot is not None:
            self.cells.add(index, slot.log_load, slot.outputs)
        self.prior.see(next_observation.load_rps)

    def begin_preparation(self) -> None:
        """The slots to come are a simulator's."""
        self.prior.begin_preparation()

    def end_preparation(self) -> None:
        """All slots so far were those of a simulator, which may be wrong (``Scales.simulator``)."""
        self.cells.simulated[:] = True
        self.prior.end_preparation()
        self._slots = 0  # the free slots of safe play are to try what is real

    def _is_surprised(self, index: int, slot: SlotEvidence) -> bool:
        """Whether a slot contradicts a belief that was as good as a slot of its own, at the same load."""
        belief = self._belief
        if belief is None or abs(slot.log_load - self._believed_at) > self.cells.load_step:
            return False
        mean, deviation, noise = (part[index, 0] for part in (belief.mean, belief.deviation, belief.noise))
        off = abs(belief.scales[0].place(math.log(slot.outputs[0])) - mean)
        sure = deviation <= self.kernel.scales.noise
        return bool(sure and off > self.surprise * math.hypot(deviation, noise))

    def diagnostics(self) -> dict[str, Any]:
        """What the agent believed when it last acted.

        Keys: ``cells`` (means kept), and after the first decision ``implied_latency`` (median of each cost,
        shape (size,)) and ``deviation`` (of its logarithm, mean over configurations).
        """
        said: dict[str, Any] = {"cells": len(self.cells)}
        if self._belief is not None:
            said["implied_latency"] = np.exp(self._belief.scales[0].logarithm(self._belief.mean[:, 0]))
            said["deviation"] = float(self._belief.deviation[:, 0].mean())
        return said

    def state_dict(self) -> dict[str, Any]:
        """The cells, the number of slots, and what the prior has noted: everything else follows from them."""
        own = {"cells": self.cells.state_dict(), "slots": self._slots, "size": self.space.size}
        return own | self.prior.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Raises:
            UsageError: if it is of another grid, or of an agent with tables where this one has none, or the
                other way round and with simulated slots.
        """
        largest = int(np.max(state["cells"]["configuration"], initial=-1))
        if largest >= self.space.size or state.get("size", self.space.size) != self.space.size:
            raise UsageError(
                f"the state is of another grid, expected one of {self.space.size} configurations"
            )
        self.prior.load_state_dict(state)
        self.cells.load_state_dict(state["cells"])
        self._slots = int(state["slots"])
