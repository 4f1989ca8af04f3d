"""What a Gaussian-process scheduler knows before its first slot: nothing, or what simulators foretell."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import Ahead, expected_cost
from agents.gp_cells import Cells
from agents.gp_foretold import ForetoldPosterior
from agents.gp_kernel import ConfigurationLoadKernel
from agents.gp_posterior import Belief, Posterior
from agents.log_scale import PLAIN, LogScale
from serving.errors import UsageError
from serving.foretold import Foretold

Array = NDArray[np.float64]

_BEYOND_WORST = 1.0  # nothing is priced at more than e times the worst seen, or the knee if that is more
_SLOTS_A_RISE = 50.0  # until it is seen how often loads rise
_DOUBT_AFTER_CHANGE = 2.0  # a table is then off by as much as anything may be
_LATELY = 10  # slots, whose largest load a rise goes beyond: chance alone does so rarely


class Prior(Protocol):
    """Where the agent starts from, and what follows for what it makes of slots.

    Attributes:
        graded: whether overloaded slots are told apart by load over throughput (``agents.gp_slot``).
    """

    graded: bool

    def first(self, log_load: float, allowed: NDArray[np.bool_]) -> int:
        """Flat index of what to play while there are no cells."""

    def excess(self, log_load: float, slo_s: float) -> Array:
        """By how much each tail is over an objective, as far as is known while there are no cells."""

    def largest_load(self) -> float:
        """Logarithm of the load to be ready for before any is measured."""

    def posterior(self, log_load: float, outputs: int) -> Posterior | ForetoldPosterior:
        """What is believed around one load."""

    def priced(self, belief: Belief, log_load: float) -> LogScale:
        """What the price takes places for."""

    def ahead(self, posterior: Posterior | ForetoldPosterior, log_load: float) -> Ahead | None:
        """What configurations cost should the load rise, times how likely that is; None if not known."""

    def change(self) -> None:
        """The service is not what it was: let all earlier slots count for little."""

    def see(self, load_rps: float) -> None:
        """Take note of the load that a slot turned out to have."""

    def begin_preparation(self) -> None:
        """The slots to come are a simulator's."""

    def end_preparation(self) -> None:
        """They were; those to come are real."""

    def state_dict(self) -> dict[str, Any]:
        """What was noted."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the agent's whole state.

        Raises:
            UsageError: if it is none of such an agent.
        """


class SlotPrior:
    """Slots are all there is, real ones or those of a simulator.

    Args:
        cells: of the agent.
        kernel: of the prior.
        start: flat index of the first configuration.
    """

    graded = True

    def __init__(self, cells: Cells, kernel: ConfigurationLoadKernel, start: int) -> None:
        self._cells, self._kernel, self._start = cells, kernel, start
        self.prepared = self.simulating = False

    def first(self, log_load: float, allowed: NDArray[np.bool_]) -> int:  # noqa: ARG002 - the protocol's
        """What is given: all agents play it first."""
        return self._start

    def excess(self, log_load: float, slo_s: float) -> Array:  # noqa: ARG002
        """None is known."""
        return np.zeros(self._kernel.size)

    def largest_load(self) -> float:
        """The largest that has been simulated."""
        return float(self._cells.log_load.max(initial=-math.inf))

    def posterior(self, log_load: float, outputs: int) -> Posterior:  # noqa: ARG002 - the protocol's
        """Of all cells; overload is compressed once there was a simulator (``agents.log_scale``)."""
        return Posterior(self._cells, self._kernel, compressed=self.prepared)

    def priced(self, belief: Belief, log_load: float) -> LogScale:  # noqa: ARG002 - the protocol's
        """Places are prices from scratch and in a simulator; later on they stand for real costs."""
        if self.simulating or not self.prepared:
            return PLAIN
        return _capped(belief.scales[0], math.log(self._cells.value[:, 0].max()))

    def ahead(self, posterior: Posterior | ForetoldPosterior, log_load: float) -> Ahead | None:  # noqa: ARG002
        """Nothing: what is not known of another load is mistaken for a danger."""
        return None

    def change(self) -> None:
        """Old findings point the way still: a full cell says as much as half a slot."""
        self._cells.fade(0.02)

    def see(self, load_rps: float) -> None:
        """Nothing to note."""

    def begin_preparation(self) -> None:
        """From now on overload is compressed: from scratch it is overload's slope that leads out of it.

        Until the preparation ends the price takes compressed costs for real ones: in a simulator it costs
        nothing to look around.
        """
        self.prepared = self.simulating = True

    def end_preparation(self) -> None:
        """From now on costs are what they are."""
        self.simulating = False

    def state_dict(self) -> dict[str, Any]:
        """How far the agent is prepared."""
        return {"prepared": self.prepared, "simulating": self.simulating}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there; older states do not say.

        Raises:
            UsageError: if the state is of an agent with tables, whose slots of overload are not graded.
        """
        if "rises" in state:
            raise UsageError("the state is of an agent that starts from tables, expected one without")
        self.prepared = bool(state.get("prepared", np.any(state["cells"].get("simulated", False))))
        self.simulating = bool(state.get("simulating", False))


class TablePrior:
    """Simulators have told the costs of all configurations at all loads.

    So it is known what a rise of the load would cost, too. How often loads rise is counted; where they may
    rise to is taken to be the largest load that there can be. It is reckoned with in every slot, also by who
    sees the load of the slot to come (``load_seen=current``).

    Args:
        cells: of the agent.
        kernel: of the prior.
        foretold: by the simulators.
        max_load_rps: largest load to be expected.
    """

    graded = False  # an overloaded slot is compared with what the tables say of it

    def __init__(
        self, cells: Cells, kernel: ConfigurationLoadKernel, foretold: Foretold, max_load_rps: float
    ) -> None:
        if foretold.size != kernel.size:
            raise UsageError(f"foretold: of {foretold.size} configurations, expected {kernel.size}")
        self._cells, self._kernel, self._foretold = cells, kernel, foretold
        self._largest = min(float(foretold.log_load[-1]), math.log(max_load_rps))
        self._doubt = 1.0
        self._rises = self._slots = 0
        self._lately: deque[float] = deque(maxlen=_LATELY)  # loads

    def first(self, log_load: float, allowed: NDArray[np.bool_]) -> int:
        """What the simulators call the cheapest on average."""
        told = np.exp(self._foretold.at(log_load)[..., 0]).mean(axis=0)
        return int(np.where(allowed, told, np.inf).argmin())

    def excess(self, log_load: float, slo_s: float) -> Array:
        """That of the simulator in which it is worst."""
        excess: Array = self._foretold.at(log_load)[..., 1].max(axis=0) - math.log(slo_s)
        return excess

    def largest_load(self) -> float:
        """The largest that can be, and that the tables cover."""
        return self._largest

    def posterior(self, log_load: float, outputs: int) -> ForetoldPosterior:
        """Of the tables and all cells."""
        known = self._cells, self._kernel, self._foretold
        return ForetoldPosterior(*known, log_load, outputs, self._doubt)

    def priced(self, belief: Belief, log_load: float) -> LogScale:
        """Places stand for real costs, up to about the worst that was seen or told."""
        worst = self._foretold.worst(log_load)
        if len(self._cells):
            worst = max(worst, math.log(self._cells.value[:, 0].max()))
        return _capped(belief.scales[0], worst)

    def ahead(self, posterior: Posterior | ForetoldPosterior, log_load: float) -> Ahead | None:
        """Expected costs at the largest load, as often as loads rise (rule of succession); None there."""
        if log_load > self._largest - self._cells.load_step:
            return None
        assert isinstance(posterior, ForetoldPosterior)  # its own
        chance = (1 + self._rises) / (_SLOTS_A_RISE + self._slots)

        def costs(some: NDArray[np.int64]) -> Array:
            belief = posterior.of(some, self._largest)
            scale = self.priced(belief, self._largest)
            return chance * expected_cost(belief.mean[:, 0], belief.deviation[:, 0], scale)

        return costs

    def change(self) -> None:
        """Start over from the tables, with more doubt: they are of the service as it was."""
        self._cells.fade(0.0)
        self._doubt = _DOUBT_AFTER_CHANGE

    def see(self, load_rps: float) -> None:
        """Count how often loads rise."""
        self._slots += 1
        if load_rps > 0:
            risen = self._lately and math.log(load_rps / max(self._lately)) > self._cells.load_step
            self._rises += int(bool(risen))
            self._lately.append(load_rps)

    def begin_preparation(self) -> None:
        """Nothing: the tables are the preparation."""

    def end_preparation(self) -> None:
        """Nothing either."""

    def state_dict(self) -> dict[str, Any]:
        """What was counted, and how much the tables are doubted."""
        counted = {"rises": self._rises, "loads": self._slots, "lately": list(self._lately)}
        return counted | {"doubt": self._doubt}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            UsageError: if the state has simulated slots.
        """
        if np.any(state["cells"].get("simulated", False)):
            raise UsageError(
                "the state has simulated slots, expected one of an agent that starts from a table"
            )
        self._rises, self._slots = int(state.get("rises", 0)), int(state.get("loads", 0))
        self._lately = deque(state.get("lately", ()), maxlen=_LATELY)
        self._doubt = float(state.get("doubt", 1.0))


def _capped(scale: LogScale, worst: float) -> LogScale:
    return scale.capped(max(worst + _BEYOND_WORST, scale.knee))
