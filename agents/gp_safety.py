"""What a Gaussian-process scheduler may play: only what it is sure of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.gp_posterior import Belief
from serving.errors import UsageError


@dataclass(frozen=True)
class Safety:
    """A constraint on the tail of the latency, modelled apart from the cost.

    Safe is what keeps its 95th percentile ``caution`` standard deviations below the objective, also at
    ``load_margin`` times the observed load. With a ``reference`` (the system default, say) also what costs at
    most ``tolerance`` times as much is safe; the agent then plays it in its second slot, to know.

    Attributes:
        caution: standard deviations, of what is believed and of one slot's noise together.
        load_margin: factor on the load.
        free_slots: slots before the rule holds.
        reference: configuration to compare with; none where None.
        tolerance: see ``reference``.
    """

    caution: float = 3.0
    load_margin: float = 1.1
    free_slots: int = 10
    reference: Sequence[int] | None = None
    tolerance: float = 1.5

    def __post_init__(self) -> None:
        if not (self.caution >= 0 and self.load_margin >= 1 and self.tolerance >= 1 and self.free_slots >= 0):
            raise UsageError(
                f"safety={self}, expected caution and free_slots >= 0, load_margin and tolerance >= 1"
            )

    def excess(self, belief: Belief, slo_s: float, reference: int | None) -> NDArray[np.float64]:
        """By how much each configuration is not surely safe, on the belief's scale: at most 0 where it is.

        Args:
            belief: of cost and 95th percentile.
            slo_s: objective of the 95th percentile.
            reference: flat index of the configuration to compare with.
        """
        cost, tail = (belief.mean + self.caution * np.hypot(belief.deviation, belief.noise)).T
        excess: NDArray[np.float64] = tail - belief.scales[1].place(math.log(slo_s))
        if reference is None:
            return excess
        scale = belief.scales[0]
        allowed = scale.place(scale.logarithm(belief.mean[reference, 0]) + math.log(self.tolerance))
        dearer: NDArray[np.float64] = np.minimum(excess, cost - allowed)
        return dearer
