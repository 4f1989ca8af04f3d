"""The exact posterior of a Gaussian process given cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.gp_cells import Cells
from agents.gp_kernel import ConfigurationLoadKernel

Array = NDArray[np.float64]

_ABOVE_BEST = 1.0  # what is unknown is taken to cost e times the best seen: prudent, and not hopeless
_PRIOR_CELLS = 10.0  # how many cells the prior's amplitude counts for


@dataclass(frozen=True)
class Belief:
    """Posterior of the logarithm of each output, for every configuration at one load.

    Attributes:
        mean: shape (size, outputs).
        deviation: standard deviation of the first output, shape (size,); of the others it is about the same.
    """

    mean: Array
    deviation: Array


def posterior(cells: Cells, kernel: ConfigurationLoadKernel, log_load: float) -> Belief:
    """What the cells say of all configurations at one load.

    All outputs share the kernel, so that one factorisation serves them all. How much costs vary altogether is
    learned in closed form: the prior's amplitude squared is the mean square of the whitened residuals of
    the first output, the prior's own value counting for some cells (a Student-t process).

    Args:
        cells: at least one.
        kernel: of the prior.
        log_load: where.
    """
    size = kernel.size
    index, load = cells.configuration, cells.log_load
    covariance = kernel(index, load, index, load)
    covariance[np.diag_indices(len(cells))] += kernel.scales.noise**2 / cells.weight
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    across = whiten @ kernel(index, load, np.arange(size), np.full(size, log_load))
    value = np.log(cells.value)
    centre = value.min(axis=0) + _ABOVE_BEST
    residual = whiten @ (value - centre)
    amplitude = (_PRIOR_CELLS + (residual[:, 0] ** 2).sum()) / (_PRIOR_CELLS + len(cells))
    variance = kernel.scales.prior_variance - (across**2).sum(axis=0)
    return Belief(centre + across.T @ residual, np.sqrt(amplitude * np.maximum(variance, 1e-12)))
