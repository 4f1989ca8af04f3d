"""Expected improvement of a Gaussian belief over a best value, for something to be minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CERTAIN = 1e-9  # a standard deviation that counts as none, relative to the incumbent
_FAR = -1e3  # below, the tail is its leading term to six digits


def log_expected_improvement(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], incumbent: float, margin: float = 0.0
) -> NDArray[np.float64]:
    """Logarithm of E[(incumbent - margin - r)^+] for r ~ N(mean, deviation^2) (Eq. 5), entry by entry.

    The closed form is s (phi(z) + z Phi(z)) with z = (incumbent - margin - mean) / s. Its logarithm is
    taken because the value itself underflows where a lucky sample is the incumbent, and everything would
    tie at 0.

    Args:
        mean: of the belief, shape (n,).
        deviation: its standard deviation, shape (n,).
        incumbent: value to improve on.
        margin: improvements up to this are worth nothing (xi in the literature).
    """
    gain = incumbent - margin - mean
    certain = deviation <= _CERTAIN * max(abs(incumbent), _CERTAIN)
    spread = np.where(certain, 1.0, deviation)
    with np.errstate(divide="ignore"):
        known = np.log(np.maximum(gain, 0.0))
    return np.where(certain, known, np.log(spread) + _log_tail(gain / spread))


def _log_tail(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(phi(z) + z Phi(z)), accurate also far below 0, where the two terms cancel."""
    from scipy.special import erfcx, ndtr  # type: ignore[import-untyped]

    near, middle = np.maximum(z, -1.0), np.clip(z, _FAR, -1.0)
    log_density = -(z**2) / 2 - np.log(2 * np.pi) / 2
    above = np.log(np.exp(-(near**2) / 2) / np.sqrt(2 * np.pi) + near * ndtr(near))
    below = log_density + np.log1p(middle * np.sqrt(np.pi / 2) * erfcx(-middle / np.sqrt(2)))
    far = log_density - 2 * np.log(np.maximum(-z, 1.0))
    tail: NDArray[np.float64] = np.where(z > -1.0, above, np.where(z > _FAR, below, far))
    return tail
