"""The radius of RRL Plus: Bayesian optimisation over the radii that differ (paper, Sec. IV-D)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from agents.radius_gp import Hyperparameters, Samples, fit, posterior
from agents.radius_improvement import log_expected_improvement
from agents.regions import checked_radii
from serving.configuration import ConfigurationSpace, Metric, ZeroDistance
from serving.errors import UsageError

Incumbent = Literal["best_sample", "posterior_mean"]

INITIAL = (0.0, 1.0, 3.0, 5.0)
_UNINFORMED = 3.0  # radius as long as nothing was seen: the authors' released code
_REFIT_EVERY = 100  # samples, once there are that many; before, at 1, 2, 4, 8, ...


def lattice_radii(
    space: ConfigurationSpace,
    maximum: float = 6.0,
    metric: Metric = "euclidean",
    zero_distance: ZeroDistance = "raw",
) -> NDArray[np.float64]:
    """The distinct distances between configurations, up to ``maximum``, ascending from 0.

    Between two of them every region stays the same, so no other radius is worth trying.
    """
    seen = [
        np.unique(np.round(space.distances(index, metric, zero_distance), 9)) for index in range(space.size)
    ]
    radii = np.unique(np.concatenate(seen))
    return radii[radii <= maximum + 1e-9]


class BayesianRadius:
    """Chooses among radii the one with the largest expected improvement (Eq. 5, Algorithm 2).

    What a slot costs under a radius is a Gaussian process over the radius (Matern 5/2, as Snoek et al.
    2012 recommend) with noise. The posterior is exact in every slot for the current hyper-parameters, which
    GPy fits to 1, 2, 4, 8, ... and then every 100 samples.

    Args:
        radii: the candidates, ascending, in grid steps.
        rng: puts the initial radii in random order, at once; not used later.
        initial: radii to try first, one sample each; each stands for the largest candidate up to it.
        incumbent: the value to improve on: ``best_sample``, the smallest sample (the paper's "best observed
            average latency"), or ``posterior_mean``, the best posterior mean of a radius that was seen.
        window: only so many of the latest samples count; all where None.
        margin: improvements up to this count for nothing, in the samples' unit; at least 0.

    Raises:
        UsageError: on values outside their range and names that do not exist.
    """

    def __init__(
        self,
        radii: Sequence[float] | NDArray[np.float64],
        rng: np.random.Generator,
        *,
        initial: Sequence[float] = INITIAL,
        incumbent: Incumbent = "best_sample",
        window: int | None = None,
        margin: float = 0.0,
    ) -> None:
        self.radii = checked_radii("radii", radii)
        if not len(self.radii) or (np.diff(self.radii) <= 0).any():
            raise UsageError(f"radii={list(radii)}, expected distinct ascending numbers")
        if incumbent not in get_args(Incumbent):
            raise UsageError(f"incumbent={incumbent!r}, choose from {sorted(get_args(Incumbent))}")
        if window is not None and window < 1:
            raise UsageError(f"window={window}, expected an integer >= 1 or null")
        if not 0 <= margin < np.inf:
            raise UsageError(f"margin={margin}, expected a finite number >= 0 (in the samples' unit)")
        self.incumbent = incumbent
        self.window = window
        self.margin = margin
        self.prior: Hyperparameters | None = None
        self._covariance = np.empty((0, 0))
        first = sorted({self._candidate(radius) for radius in checked_radii("initial_radii", initial)})
        self._untried = [first[place] for place in rng.permutation(len(first))]
        self._chosen: list[int] = []
        self._value: list[float] = []
        self._seen = 0
        self._improvement = np.nan

    def _candidate(self, radius: float) -> int:
        """Index of the largest candidate up to a radius, the smallest candidate where there is none."""
        return max(0, int(np.searchsorted(self.radii, radius + 1e-9, side="right")) - 1)

    def choose(self) -> float:
        """The radius for the coming update; among equals the smallest."""
        self._improvement = np.nan
        if self._untried:
            return float(self.radii[self._untried.pop(0)])
        if self.prior is None:
            return float(self.radii[self._candidate(_UNINFORMED)])
        samples = self.samples()
        mean, deviation = posterior(self.prior, self._covariance, samples)
        best = samples.smallest if self.incumbent == "best_sample" else float(mean[samples.index].min())
        improvement = log_expected_improvement(mean, deviation, best, self.margin)
        index = int(np.argmax(improvement))
        self._improvement = float(np.exp(improvement[index]))
        return float(self.radii[index])

    def observe(self, radius: float, value: float) -> None:
        """Add what was observed under a radius to the samples D of Algorithm 2."""
        self._chosen.append(self._candidate(radius))
        self._value.append(value)
        if self.window is not None:
            del self._chosen[: -self.window], self._value[: -self.window]
        self._seen += 1
        power_of_two = self._seen & (self._seen - 1) == 0
        if self._seen % _REFIT_EVERY == 0 or (self._seen < _REFIT_EVERY and power_of_two):
            self._set_prior(fit(self.radii, self.samples()) or self.prior)

    def _set_prior(self, prior: Hyperparameters | None) -> None:
        self.prior = prior
        if prior is not None:
            self._covariance = prior.covariance(self.radii)

    def samples(self) -> Samples:
        """The samples that count now; there must be some."""
        return Samples.of(np.array(self._chosen), np.array(self._value))

    def belief(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior mean and standard deviation of the mean cost under every candidate; NaN before any."""
        if self.prior is None:
            return np.full(len(self.radii), np.nan), np.full(len(self.radii), np.nan)
        return posterior(self.prior, self._covariance, self.samples())

    def diagnostics(self) -> dict[str, Any]:
        """What is believed about the radii.

        Keys: ``expected_improvement`` of the last choice (NaN where it was none), ``radius_candidates``,
        ``radius_mean`` and ``radius_deviation`` (see ``belief``), ``radius_length_scale`` (NaN at first).
        """
        mean, deviation = self.belief()
        return {
            "expected_improvement": self._improvement,
            "radius_candidates": self.radii.copy(),
            "radius_mean": mean,
            "radius_deviation": deviation,
            "radius_length_scale": self.prior.length_scale if self.prior else np.nan,
        }

    def state_dict(self) -> dict[str, Any]:
        """Samples, hyper-parameters and what is still to be tried."""
        return {
            "untried": list(self._untried),
            "chosen": list(self._chosen),
            "value": list(self._value),
            "seen": self._seen,
            "improvement": self._improvement,
            "prior": None if self.prior is None else astuple(self.prior),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._untried = list(state["untried"])
        self._chosen = list(state["chosen"])
        self._value = list(state["value"])
        self._seen = state["seen"]
        self._improvement = state["improvement"]
        self._set_prior(None if state["prior"] is None else Hyperparameters(*state["prior"]))
