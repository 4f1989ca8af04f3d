"""The exact posterior of a Gaussian process given cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.gp_cells import Cells
from agents.gp_kernel import ConfigurationLoadKernel
from agents.log_scale import PLAIN, LogScale

Array = NDArray[np.float64]

_ABOVE_BEST = 1.0  # what is unknown is taken to cost e times the best seen: prudent, and not hopeless
PRIOR_CELLS = 10.0  # how many cells the prior's amplitude counts for


@dataclass(frozen=True)
class Belief:
    """Posterior of each output's place on a scale of logarithms, for every configuration at one load.

    Attributes:
        mean: shape (size, outputs).
        deviation: standard deviation, same shape.
        noise: standard deviation of a slot around that, same shape.
        scales: of each output.
        reveals: from a flat index to the deviation of what a slot of each configuration may change about how
            much less than that one it costs, shape (size,); None where its whole deviation is taken for it.
    """

    mean: Array
    deviation: Array
    noise: Array
    scales: tuple[LogScale, ...]
    reveals: Callable[[int], Array] | None = None


class Posterior:
    """What the cells say of all configurations, at any load.

    All outputs and all loads share one factorisation. How much an output varies altogether is learned in
    closed form: the prior's amplitude squared is the mean square of its whitened residuals, the prior's own
    value counting for some cells (a Student-t process). A simulator's cells come first and do not count: what
    tells is how far real ones are from what was foretold. A simulated log cost is the real one plus an error,
    itself a Gaussian process (``Scales.simulator``), as between codes of different fidelity (Kennedy and
    O'Hagan 2000).

    Args:
        cells: at least one; what is added to them later does not count.
        kernel: of the prior.
        compressed: whether overload is (``agents.log_scale``).
    """

    def __init__(self, cells: Cells, kernel: ConfigurationLoadKernel, compressed: bool = False) -> None:
        self._kernel, self._index, self._log_load = kernel, cells.configuration, cells.log_load
        covariance = kernel(self._index, self._log_load, self._index, self._log_load)
        covariance[np.ix_(cells.simulated, cells.simulated)] *= 1 + kernel.scales.simulator**2
        covariance[np.diag_indices(len(cells))] += kernel.scales.noise**2 / cells.weight
        self._whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        logs = np.log(cells.value)
        knee, slope = logs.min(axis=0) + kernel.scales.knee, kernel.scales.slope
        self._scales = tuple(LogScale(one, slope) if compressed else PLAIN for one in knee.tolist())
        value = np.column_stack([scale.place(log) for scale, log in zip(self._scales, logs.T, strict=True)])
        self._centre = value.min(axis=0) + _ABOVE_BEST
        self._residual = self._whiten @ (value - self._centre)
        own = self._residual[~cells.simulated]  # simulated ones come first: off from what those foretold
        self._amplitude = (PRIOR_CELLS + (own**2).sum(axis=0)) / (PRIOR_CELLS + len(own))

    def at(self, log_load: float) -> Belief:
        """What is believed at one load."""
        across = self._whiten @ self._kernel.with_all(self._index, self._log_load, log_load)
        variance = self._kernel.scales.prior_variance - (across**2).sum(axis=0)
        deviation = np.sqrt(self._amplitude * np.maximum(variance, 1e-12)[:, None])
        noise = np.broadcast_to(self._kernel.scales.noise, deviation.shape)
        return Belief(self._centre + across.T @ self._residual, deviation, noise, self._scales)
