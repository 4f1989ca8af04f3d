"""A Gaussian process over the radius of the region: what a slot costs, as a function of the radius."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LENGTH_SCALE = (0.3, 6.0)  # grid steps
_SIGNAL = (1e-3, 1e2)  # variance of the mean cost between radii, in variances of the samples
_LEAST_NOISE = 1e-3  # variance of one sample around its radius' mean, in the same unit
_UNKNOWN_NOISE = 0.5  # the same as long as no radius was seen twice
_ITERATIONS = 100


@dataclass(frozen=True)
class Samples:
    """What the posterior needs of all samples: sufficient statistics per radius seen, plus their spread.

    Attributes:
        index: which candidates were seen, ascending, shape (k,).
        count: samples of each, shape (k,).
        mean: mean of each, shape (k,), in the unit of the samples.
        within: sum of squared deviations from the radius' own mean, over all samples.
        total: sum of squared deviations from the mean of all samples.
        smallest: the smallest sample.
    """

    index: NDArray[np.int64]
    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    within: float
    total: float
    smallest: float

    @staticmethod
    def of(chosen: NDArray[np.int64], value: NDArray[np.float64]) -> Samples:
        """Summarise samples, at least one: the candidate and the value of each, shape (n,)."""
        counts = np.bincount(chosen)
        index = np.flatnonzero(counts)
        means = np.bincount(chosen, weights=value) / np.maximum(counts, 1)
        return Samples(
            index=index,
            count=counts[index],
            mean=means[index],
            within=float(((value - means[chosen]) ** 2).sum()),
            total=float(((value - value.mean()) ** 2).sum()),
            smallest=float(value.min()),
        )


@dataclass(frozen=True)
class Hyperparameters:
    """Prior of the mean cost (constant mean, Matern 5/2) and noise of one sample, in the samples' unit.

    Attributes:
        mean: prior mean.
        signal: prior variance.
        length_scale: in grid steps.
        noise: variance of one sample around the mean of its radius.
    """

    mean: float
    signal: float
    length_scale: float
    noise: float

    def covariance(self, radii: NDArray[np.float64]) -> NDArray[np.float64]:
        """Matern 5/2 covariance between radii, shape (len(radii), len(radii))."""
        scaled = np.sqrt(5.0) * np.abs(radii[:, None] - radii) / self.length_scale
        covariance: NDArray[np.float64] = self.signal * (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
        return covariance


@cache
def _linear_algebra() -> Any:
    """Handle on the thread pools of the linear algebra that is loaded, GPy's included."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def fit(radii: NDArray[np.float64], samples: Samples) -> Hyperparameters | None:
    """Hyper-parameters of greatest likelihood, by GPy; the noise from the spread within each radius.

    Averaging the samples of a radius loses nothing: given the noise, the likelihood of the averages (noise
    / count) differs from that of the samples by a factor without the kernel's parameters.

    Args:
        radii: all candidates, in grid steps.
        samples: what was seen.

    Returns:
        None if the optimiser found nothing finite.
    """
    import GPy

    number = int(samples.count.sum())
    mean = float(samples.count @ samples.mean) / number
    scale = float(np.sqrt(samples.total / number))
    if scale <= 1e-9 * abs(mean):  # samples that are all the same
        scale = abs(mean) or 1.0
    repeats = number - len(samples.count)
    noise = max(samples.within / repeats / scale**2, _LEAST_NOISE) if repeats else _UNKNOWN_NOISE
    kernel = GPy.kern.Matern52(1)
    kernel.lengthscale.constrain_bounded(*_LENGTH_SCALE, warning=False)
    kernel.variance.constrain_bounded(*_SIGNAL, warning=False)
    rows = np.arange(len(samples.count))[:, None]
    # One thread: several only wait for each other on matrices this small, and add in another order.
    with _linear_algebra().limit(limits=1), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflow far out on a line search; the end is checked below
        try:
            model = GPy.models.GPHeteroscedasticRegression(
                radii[samples.index][:, None],
                (samples.mean[:, None] - mean) / scale,
                kernel,
                Y_metadata={"output_index": rows},
            )
            model.likelihood.variance[:] = noise / samples.count[:, None]
            model.likelihood.fix(warning=False)
            model.optimize(max_iters=_ITERATIONS)
        except np.linalg.LinAlgError:
            return None
    signal, length_scale = float(kernel.variance[0]), float(kernel.lengthscale[0])
    if not np.isfinite([signal, length_scale]).all():
        return None
    return Hyperparameters(mean, signal * scale**2, length_scale, noise * scale**2)


def posterior(
    prior: Hyperparameters, covariance: NDArray[np.float64], samples: Samples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of the mean cost of every candidate, each of shape (candidates,).

    Exact for these hyper-parameters. In plain numpy: GPy's bookkeeping would cost more than the algebra.

    Args:
        prior: hyper-parameters.
        covariance: ``prior.covariance`` of all candidates.
        samples: what was seen.
    """
    across = covariance[samples.index]
    seen = across[:, samples.index] + np.diag(prior.noise / samples.count)
    weights = np.linalg.solve(seen, across)
    mean: NDArray[np.float64] = prior.mean + (samples.mean - prior.mean) @ weights
    variance = prior.signal - (across * weights).sum(axis=0)
    return mean, np.sqrt(np.maximum(variance, 0.0))
