"""Boltzmann policies: from the Q values of one state to the probability of every configuration.

All are softmax policies (Eq. 3 of the paper, pi(c|s) ~ exp(-beta Q[s,c])) that differ in what plays the
part of beta, for which the paper gives no value. Q is in the unit of the cost: seconds for latency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError

FLOOR = 1e-3  # 1 ms: what a policy takes for a Q (or a smallest Q) below it wherever it divides
MS_PER_S = 1000.0


class Policy(Protocol):
    """Probabilities from Q values."""

    def __call__(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of every configuration, shape (size,), summing to 1; smaller Q, more probable."""


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities proportional to ``exp(logits)``, safe for logits of any size."""
    weights: NDArray[np.float64] = logits - logits.max()
    np.exp(weights, out=weights)
    weights /= weights.sum()
    return weights


@dataclass(frozen=True)
class LiteralBoltzmann:
    """Eq. (3) with a constant ``beta`` per millisecond of Q."""

    beta: float = 0.02

    def __call__(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``Policy``."""
        return softmax(-self.beta * MS_PER_S * q)


@dataclass(frozen=True)
class NormalisedBoltzmann:
    """Eq. (3) with beta over the best latency that the table implies, (1 - gamma) min Q, at least 1 ms.

    While unvisited entries are near 0 the floor makes the policy prefer them to everything visited.
    """

    beta: float = 20.0
    gamma: float = 0.0

    def __call__(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``Policy``."""
        return softmax(-self.beta / max((1 - self.gamma) * float(q.min()), FLOOR) * q)


@dataclass(frozen=True)
class UnitFreeBoltzmann:
    """Logits ``-beta (Q - min Q) / min Q``: beta per relative loss, whatever the unit of the cost."""

    beta: float = 100.0

    def __call__(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``Policy``."""
        smallest = float(q.min())
        return softmax(-self.beta / max(smallest, FLOOR) * (q - smallest))


@dataclass(frozen=True)
class InverseBoltzmann:
    """The authors' released code: logits ``beta / Q`` (Q in ms), halved while the largest exceeds 500."""

    beta: float = 20_000.0
    largest_logit: float = 500.0

    def __call__(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``Policy``."""
        logits = self.beta / (MS_PER_S * np.maximum(q, FLOOR))
        while logits.max() > self.largest_logit:
            logits = logits / 2
        return softmax(logits)


_POLICIES: dict[str, tuple[float, Callable[[float, float], Policy]]] = {
    "paper": (20.0, NormalisedBoltzmann),
    "literal": (0.02, lambda beta, _gamma: LiteralBoltzmann(beta)),
    "unit_free": (100.0, lambda beta, _gamma: UnitFreeBoltzmann(beta)),
    "code": (20_000.0, lambda beta, _gamma: InverseBoltzmann(beta)),
}


def make_policy(name: str, beta: float | None = None, gamma: float = 0.0) -> Policy:
    """The policy of that name.

    Args:
        name: ``paper`` (normalised), ``literal``, ``unit_free`` or ``code``.
        beta: inverse temperature in the policy's own unit; its default where None.
        gamma: the agent's discount factor, which ``paper`` needs.

    Raises:
        UsageError: on an unknown name or a beta that is not positive.
    """
    if name not in _POLICIES:
        raise UsageError(f"policy={name!r}, choose from {sorted(_POLICIES)}")
    if beta is not None and not beta > 0:
        raise UsageError(f"beta={beta}, expected a number > 0")
    default_beta, policy = _POLICIES[name]
    return policy(default_beta if beta is None else beta, gamma)


def draw(probabilities: NDArray[np.float64], uniform: float) -> int:
    """Flat index by inverse CDF from one uniform number in [0, 1)."""
    cumulative = probabilities.cumsum()
    index = int(cumulative.searchsorted(uniform * cumulative[-1], side="right"))
    return min(index, len(probabilities) - 1)


def entropy(probabilities: NDArray[np.float64]) -> float:
    """Entropy in nats; log(size) is uniform, 0 is certain."""
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())
