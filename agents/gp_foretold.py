"""The posterior of a Gaussian process whose prior is what a simulator foretells."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.gp_cells import Cells
from agents.gp_kernel import ConfigurationLoadKernel
from agents.gp_posterior import PRIOR_CELLS, Belief
from agents.log_scale import LogScale
from serving.foretold import Foretold

Array = NDArray[np.float64]

_LATELY = 0.5  # slots that a cell counts for at least: what was seen before a change counts for less
_OWN_ERROR = 0.1  # of a simulated log cost: what is wrong about one configuration alone


class ForetoldPosterior:
    """What real cells say of all configurations that a simulator has told the costs of, around one load.

    A real log cost is the simulated one plus an error, itself a Gaussian process of the same shape
    (``Scales.simulator``): nothing is seen in the simulator that is not in its table, and real cells alone
    correct it (Kennedy and O'Hagan 2000). Errors are on a scale that is compressed from ``Scales.knee`` above
    the least cost that is known of this load.

    Costs err upwards, over a cliff, by more than they ever err downwards. So how much may be lost is told
    from all whitened residuals, each by how much a cell was off from what those before it led one to expect,
    and how much may be saved from the negative ones alone: from cells cheaper than expected.

    Args:
        cells: of real slots, maybe none.
        kernel: of the prior.
        foretold: by the simulator.
        log_load: where it is going to be asked.
    """

    def __init__(
        self, cells: Cells, kernel: ConfigurationLoadKernel, foretold: Foretold, log_load: float
    ) -> None:
        self._kernel, self._foretold = kernel, foretold
        self._index, self._log_load = cells.configuration, cells.log_load
        knee = _least(cells, foretold, log_load) + kernel.scales.knee
        self._scales = tuple(LogScale(one, kernel.scales.slope) for one in knee.tolist())
        covariance = self._covariance(self._index, self._log_load, self._index, self._log_load)
        covariance[np.diag_indices(len(cells))] += kernel.scales.noise**2 / cells.weight
        self._whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        told = self._places(foretold.of(self._index, self._log_load))
        self._residual = self._whiten @ (self._places(np.log(cells.value)) - told)
        self._amplitude = _mean_square(self._residual)
        downwards = self._residual[self._residual[:, 0] < 0, :1]
        self._amplitude_saved = float(_mean_square(downwards)[0])

    def at(self, log_load: float) -> Belief:
        """What is believed at one load."""
        kernel, every = self._kernel, np.arange(self._kernel.size)
        across = kernel.scales.simulator**2 * kernel.with_all(self._index, self._log_load, log_load)
        across[np.arange(len(self._index)), self._index] += _OWN_ERROR**2
        across = self._whiten @ across
        prior = kernel.scales.simulator**2 * kernel.scales.prior_variance + _OWN_ERROR**2
        variance = np.maximum(prior - (across**2).sum(axis=0), 1e-12)

        def reveals(one: int) -> Array:
            load = np.full(1, log_load)
            shared = self._covariance(np.array([one]), load, every, load)[0] - across[:, one] @ across
            moved = np.abs(variance - shared) / np.sqrt(variance + kernel.scales.noise**2)
            deviation: Array = math.sqrt(self._amplitude_saved) * moved
            return deviation

        mean = self._places(self._foretold.at(log_load)) + across.T @ self._residual
        return Belief(mean, np.sqrt(self._amplitude * variance[:, None]), self._scales, reveals)

    def _covariance(
        self, index: NDArray[np.int64], log_load: Array, other: NDArray[np.int64], other_load: Array
    ) -> Array:
        """Of the simulator's errors; what is wrong of a configuration alone is so at every load."""
        errors = self._kernel.scales.simulator**2 * self._kernel(index, log_load, other, other_load)
        alone: Array = errors + _OWN_ERROR**2 * (index[:, None] == other)
        return alone

    def _places(self, logs: Array) -> Array:
        return np.column_stack([scale.place(log) for scale, log in zip(self._scales, logs.T, strict=True)])


def _least(cells: Cells, foretold: Foretold, log_load: float) -> Array:
    """Least logarithms seen at this load or a larger one, lately; those foretold where there are none."""
    near = (cells.log_load >= log_load - cells.load_step) & (cells.weight >= _LATELY)
    logs = np.log(cells.value[near]) if near.any() else foretold.at(log_load)
    least: Array = logs.min(axis=0)
    return least


def _mean_square(residual: Array) -> Array:
    """Of whitened residuals, shape (n, outputs): the amplitude squared, as ``Posterior`` learns it."""
    square: Array = (PRIOR_CELLS + (residual**2).sum(axis=0)) / (PRIOR_CELLS + len(residual))
    return square
