"""The posterior of a Gaussian process whose prior is what simulators foretell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agents.gp_cells import Cells
from agents.gp_kernel import ConfigurationLoadKernel
from agents.gp_posterior import PRIOR_CELLS, Belief
from agents.log_scale import LogScale
from serving.foretold import Foretold

Array = NDArray[np.float64]

_LATELY = 0.5  # slots that a cell counts for at least: what was seen once, long ago, counts for less
_OWN_ERROR = 0.1  # of a simulated log cost: what is wrong about one configuration alone
_STEEP_WITHIN = 0.1  # of the logarithm of a load: about what chance makes of the work that comes in a slot
_SAVED_PRIOR_CELLS = 1.0  # cells cheaper than expected that all the others count for


class ForetoldPosterior:
    """What real cells say of all configurations whose costs simulators have told, around one load.

    A real log cost is what the simulators tell on average, plus a combination of how each of them differs
    from that (of independent weights, whose covariance is that of the simulators), plus an error that is none
    of theirs: a Gaussian process of the same shape as ever (``Scales.simulator``; Kennedy and O'Hagan 2000).
    So a few cells tell which simulators the service is like. Costs are on a scale that is compressed from
    ``Scales.knee`` above the least one that is known of this load.

    Beside a cliff a slot costs now little and now much at about the same load. So to the noise of a slot
    comes what a tenth of its load makes of its configuration, by the tables: what was seen there says less.

    Costs err upwards, over a cliff, by more than they ever err downwards. So how much may be lost is told
    from all whitened residuals, each by how much a cell was off from what those before it led one to expect.
    How much may be saved is told from the negative ones, from cells cheaper than expected, for which all of
    them count as one: who is told wrong things looks around more.

    Args:
        cells: of real slots, maybe none.
        kernel: of the prior.
        foretold: by the simulators.
        log_load: where it is going to be asked.
        outputs: how many of the cells' outputs are asked for; the first is the cost.
        doubt: factor on ``Scales.simulator``.
    """

    def __init__(
        self,
        cells: Cells,
        kernel: ConfigurationLoadKernel,
        foretold: Foretold,
        log_load: float,
        outputs: int = 2,
        doubt: float = 1.0,
    ) -> None:
        self._kernel, self._foretold = kernel, foretold
        self._error_square = (doubt * kernel.scales.simulator) ** 2
        self._index, self._log_load = cells.configuration, cells.log_load
        knee = _least(cells, foretold, log_load)[:outputs] + kernel.scales.knee
        self._scales = tuple(LogScale(one, kernel.scales.slope) for one in knee.tolist())
        errors = self._errors(self._index, self._log_load, self._index, self._log_load)
        told, self._differences = self._told(foretold.of(self._index, self._log_load))
        scatter = self._noise(lambda off: foretold.of(self._index, self._log_load + off)) ** 2
        residual = self._places(np.log(cells.value)) - told
        self._whiten = [
            _whitening(errors + one.T @ one + np.diag(square / cells.weight))
            for one, square in zip(self._differences, scatter.T, strict=True)
        ]
        self._residual = [whiten @ one for whiten, one in zip(self._whiten, residual.T, strict=True)]
        self._amplitude = [_mean_square(one, 1.0, PRIOR_CELLS) for one in self._residual]
        cheaper = self._residual[0][self._residual[0] < 0]
        self._amplitude_saved = _mean_square(cheaper, self._amplitude[0], _SAVED_PRIOR_CELLS)

    def at(self, log_load: float) -> Belief:
        """What is believed of all configurations at one load."""
        every = np.arange(self._kernel.size)
        errors = self._error_square * self._kernel.with_all(self._index, self._log_load, log_load)
        errors[np.arange(len(self._index)), self._index] += _OWN_ERROR**2
        noise = self._noise(lambda off: self._foretold.at(log_load + off))
        belief, known, (difference, *_) = self._belief(self._foretold.at(log_load), errors, noise)
        across, variance = known

        def reveals(one: int) -> Array:
            load = np.full(1, log_load)
            prior = self._errors(np.array([one]), load, every, load)[0] + difference[:, one] @ difference
            moved = np.abs(variance - prior + across @ across[one])
            scatter = np.sqrt(variance + noise[:, 0] ** 2)
            revealed: Array = moved * math.sqrt(self._amplitude_saved) / scatter
            return revealed

        return replace(belief, reveals=reveals)

    def of(self, some: NDArray[np.int64], log_load: float) -> Belief:
        """The same of some alone, without what they may reveal."""
        load = np.full(len(some), log_load)
        errors = self._errors(self._index, self._log_load, some, load)
        noise = self._noise(lambda off: self._foretold.of(some, load + off))
        return self._belief(self._foretold.of(some, load), errors, noise)[0]

    def _belief(self, logs: Array, errors: Array, noise: Array) -> tuple[Belief, tuple[Array, Array], Array]:
        """Of configurations with these logarithms in the tables, whose errors go with the cells' like this.

        Also what the cells tell of each one's cost, its variance, and how the simulators differ.
        """
        told, differences = self._told(logs)
        error = self._error_square * self._kernel.scales.prior_variance + _OWN_ERROR**2
        prior = error + (differences**2).sum(axis=1)
        mean, variances, across = [], [], np.empty((0, 0))
        for output in reversed(range(len(differences))):  # the cost comes last
            shared = errors + self._differences[output].T @ differences[output]
            across = _times(shared, self._whiten[output])
            mean.append(told[:, output] + across @ self._residual[output])
            variances.append(np.maximum(prior[output] - (across**2).sum(axis=1), 1e-12))
        variance = np.column_stack(variances[::-1])
        deviation = np.sqrt(np.array(self._amplitude) * variance)
        belief = Belief(np.column_stack(mean[::-1]), deviation, noise, self._scales)
        return belief, (across, variance[:, 0]), differences

    def _told(self, logs: Array) -> tuple[Array, Array]:
        """Places that simulators tell: their mean, shape (n, outputs), and what makes their covariance.

        The latter, of shape (outputs, simulators, n), is each one's difference from the mean, scaled such
        that the sum of squares is the variance.
        """
        places = self._places(logs)
        mean = places.mean(axis=0)
        return mean, np.moveaxis(places - mean, 2, 0) / math.sqrt(max(1, len(places) - 1))

    def _noise(self, logs_at: Callable[[float], Array]) -> Array:
        """Deviation of one slot, shape (n, outputs), given what the tables say when the load is off."""
        busier, calmer = (self._places(logs_at(off)).mean(axis=0) for off in (_STEEP_WITHIN, -_STEEP_WITHIN))
        scatter: Array = np.hypot(self._kernel.scales.noise, np.maximum(busier - calmer, 0.0) / 2)
        return scatter

    def _errors(
        self, index: NDArray[np.int64], log_load: Array, other: NDArray[np.int64], other_load: Array
    ) -> Array:
        """Covariance of what no simulator tells; what is so of a configuration alone is so at every load."""
        errors = self._error_square * self._kernel(index, log_load, other, other_load)
        alone: Array = errors + _OWN_ERROR**2 * (index[:, None] == other)
        return alone

    def _places(self, logs: Array) -> Array:
        return np.stack([scale.place(logs[..., i]) for i, scale in enumerate(self._scales)], axis=-1)


def _whitening(covariance: Array) -> Array:
    """The lower triangular matrix that whitens: the inverse of the Cholesky factor."""
    from scipy.linalg.lapack import dtrtri  # type: ignore[import-untyped]

    if not len(covariance):
        return covariance
    inverse: Array
    inverse, _ = dtrtri(np.linalg.cholesky(covariance), lower=1)
    return inverse


def _times(across: Array, whiten: Array) -> Array:
    """``(whiten @ across).T`` in half the time of a product with a full matrix."""
    from scipy.linalg.blas import dtrmm  # type: ignore[import-untyped]

    product: Array = dtrmm(1.0, whiten.T, across.T, side=1, lower=0)
    return product


def _least(cells: Cells, foretold: Foretold, log_load: float) -> Array:
    """Least logarithms seen at this load or a larger one, lately; those foretold where there are none."""
    near = (cells.log_load >= log_load - cells.load_step) & (cells.weight >= _LATELY)
    if near.any():
        seen: Array = np.log(cells.value[near]).min(axis=0)
        return seen
    told: Array = foretold.at(log_load).min(axis=1).mean(axis=0)
    return told


def _mean_square(residual: Array, prior: float, prior_cells: float) -> float:
    """Of whitened residuals, and of a prior that counts for some: the amplitude squared (``Posterior``)."""
    return float((prior_cells * prior + (residual**2).sum()) / (prior_cells + len(residual)))
