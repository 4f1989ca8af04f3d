"""A contextual Gaussian-process scheduler: what a slot costs, as a function of load and configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import make_acquisition
from agents.gp_cells import Cells
from agents.gp_foretold import ForetoldPosterior
from agents.gp_kernel import ConfigurationLoadKernel, Scales
from agents.gp_posterior import Belief, Posterior
from agents.gp_safety import Safety
from agents.gp_slot import SlotEvidence, log_load
from agents.log_knobs import first_index, leaves_to_system, log_coordinates
from agents.log_scale import PLAIN, LogScale
from agents.one_blas_thread import one_blas_thread
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.foretold import Foretold
from serving.observation import Observation

_AFTER_CHANGE = 0.02  # of a slot's weight: a full cell still says as much as half a slot
_BEYOND_WORST = 1.0  # nothing is priced at more than e times the worst seen, or the knee if that is more


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
        foretold: what a simulator says of every configuration, to start from (``agents.gp_foretold``).
        max_load_rps: largest load to be expected, where a table says what to begin with.
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
        if most_cells < 1:
            raise UsageError(f"most_cells={most_cells}, expected an integer >= 1")
        if foretold is not None and foretold.size != space.size:
            raise UsageError(f"foretold: of {foretold.size} configurations, expected {space.size}")
        self.space = space
        self.score = make_acquisition(acquisition, horizon, kappa)
        self.forget = forget
        self.surprise = surprise
        self.kernel = ConfigurationLoadKernel(log_coordinates(space), Scales(**(scales or {})))
        self.cells = Cells(outputs=2, load_step=load_step, most=most_cells, most_weight=most_weight)
        self.barred = np.zeros(space.size, dtype=bool) if play_defaults else leaves_to_system(space)
        self.start = first_index(space, start)
        self.slo_s = slo_s
        self.safety = None if safety is None else Safety(**safety)
        compared = None if self.safety is None else self.safety.reference
        self.reference = None if compared is None else space.index(compared)
        self.foretold = foretold
        self.max_load_rps = max_load_rps
        self.prepared = self._simulating = False
        self._slots = 0
        self._belief: Belief | None = None
        self._believed_at = 0.0  # logarithm of the load

    def act(self, observation: Observation) -> Configuration:
        """The configuration with the least score at the observed load."""
        with one_blas_thread():
            return self._act(observation)

    def _act(self, observation: Observation) -> Configuration:
        if not len(self.cells) and self.foretold is None:
            return self.space.configurations[self.start]
        if self._slots == 1 and self.reference is not None:
            return self.space.configurations[self.reference]
        load = self._load(observation)
        if self.foretold is not None and not len(self.cells):
            return self.space.configurations[self._told_best(self.foretold, load)]
        posterior = self._posterior(load)
        self._belief, self._believed_at = posterior.at(load), load
        allowed = ~self.barred
        if self.safety is not None and self._slots >= self.safety.free_slots:
            busier = posterior.at(load + math.log(self.safety.load_margin))
            excess = self.safety.excess(busier, self.kernel.scales.noise, self.slo_s, self.reference)
            allowed &= excess <= max(0.0, float(excess[allowed].min()))  # where nothing is safe, the safest
        return self.space.configurations[self._least(self._belief, allowed)]

    def _told_best(self, foretold: Foretold, load: float) -> int:
        """Flat index of what a table calls the cheapest, of what it calls safe if that is asked for."""
        allowed = ~self.barred
        if self.safety is not None and self._slots >= self.safety.free_slots:
            tail = foretold.at(load + math.log(self.safety.load_margin))[:, 1]
            allowed &= tail <= max(math.log(self.slo_s), float(tail[allowed].min()))
        return int(np.where(allowed, foretold.at(load)[:, 0], np.inf).argmin())

    def _posterior(self, load: float) -> Posterior | ForetoldPosterior:
        if self.foretold is not None:
            return ForetoldPosterior(self.cells, self.kernel, self.foretold, load)
        return Posterior(self.cells, self.kernel, compressed=self.prepared)

    def _least(self, belief: Belief, allowed: NDArray[np.bool_]) -> int:
        """Flat index of the least score among what may be played, and against that alone."""
        where, reveals = np.flatnonzero(allowed), belief.reveals
        score = self.score(
            belief.mean[where, 0],
            belief.deviation[where, 0],
            self._priced(belief),
            None if reveals is None else lambda one: reveals(int(where[one]))[where],
        )
        return int(where[score.argmin()])

    def _priced(self, belief: Belief) -> LogScale:
        """What the price takes places for: those of a prepared agent are real costs once slots are real."""
        if self._simulating or not (self.prepared or self.foretold is not None):
            return PLAIN
        scale, worst = belief.scales[0], math.log(self.cells.value[:, 0].max())
        if self.foretold is not None:
            worst = max(worst, float(self.foretold.at(self._believed_at)[:, 0].max()))
        return scale.capped(max(worst + _BEYOND_WORST, scale.knee))

    def _load(self, observation: Observation) -> float:
        """Logarithm of the load to decide for; before anything is measured the largest that is known."""
        if observation.slot == 0 and observation.load_rps == 0:
            if self.foretold is None:
                return float(self.cells.log_load.max())
            return min(float(self.foretold.log_load[-1]), math.log(self.max_load_rps))
        return log_load(observation.load_rps)

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
        slot = SlotEvidence.of(observation, cost, next_observation, graded=self.foretold is None)
        changed = slot is not None and self._is_surprised(index, slot)
        self.cells.fade(_AFTER_CHANGE if changed else self.forget)
        if slot is not None:
            self.cells.add(index, slot.log_load, slot.outputs)

    def begin_preparation(self) -> None:
        """The slots to come are a simulator's.

        From now on overload is compressed (``agents.log_scale``). From scratch it is overload's slope that
        leads out of it. Until the preparation ends the price takes compressed costs for real ones: in a
        simulator it costs nothing to look around.
        """
        self.prepared = self._simulating = True

    def end_preparation(self) -> None:
        """All slots so far were those of a simulator, which may be wrong (``Scales.simulator``)."""
        self.cells.simulated[:] = True
        self._simulating = False
        self._slots = 0  # the free slots of safe play are to try what is real

    def _is_surprised(self, index: int, slot: SlotEvidence) -> bool:
        """Whether a slot contradicts a belief that was as good as a slot of its own, at the same load."""
        belief, noise = self._belief, self.kernel.scales.noise
        if belief is None or abs(slot.log_load - self._believed_at) > self.cells.load_step:
            return False
        mean, deviation = belief.mean[index, 0], belief.deviation[index, 0]
        off = abs(belief.scales[0].place(math.log(slot.outputs[0])) - mean) / math.hypot(deviation, noise)
        return bool(deviation <= noise and off > self.surprise)

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
        """The cells, the number of slots, and how far it is prepared: everything else follows from them."""
        return {
            "cells": self.cells.state_dict(),
            "slots": self._slots,
            "prepared": self.prepared,
            "simulating": self._simulating,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Raises:
            UsageError: if it is of a larger grid, or has simulated slots while this agent has a table.
        """
        if np.max(state["cells"]["configuration"], initial=-1) >= self.space.size:
            raise UsageError(
                f"the state is of another grid, expected one of {self.space.size} configurations"
            )
        if self.foretold is not None and np.any(state["cells"].get("simulated", False)):
            raise UsageError(
                "the state has simulated slots, expected one of an agent that starts from a table"
            )
        self.cells.load_state_dict(state["cells"])
        self._slots = int(state["slots"])
        self.prepared = bool(state.get("prepared", self.cells.simulated.any()))  # older states do not say
        self._simulating = bool(state.get("simulating", False))
