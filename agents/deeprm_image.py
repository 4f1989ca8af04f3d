"""DeepRM's state: the recent slots drawn as an image of cells that are empty or filled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.configuration import ConfigurationSpace
from serving.observation import Observation

_CELLS = 10  # of the latency and of the utilisation, as DeepRM's resources have ten units
_SLO_MULTIPLES = 2.0  # the latency bar is full from this many times the objective on


class SlotRow:
    """Draws one slot as a row of cells.

    From the left: the load level, one-hot (``load_levels`` cells); every knob as a bar over its grid (the
    n-th value fills n of its cells); mean latency as a bar of 10 cells up to twice the latency objective;
    utilisation as a bar of 10. Our choice: the paper does not say how it shows DeepRM a server.

    Args:
        space: gives every knob as many cells as its grid has values.
        load_levels: number of load bins.
        slo_s: latency objective, the scale of the latency bar.
    """

    def __init__(self, space: ConfigurationSpace, load_levels: int, slo_s: float) -> None:
        shape = [len(knob.values) for knob in space.knobs]
        positions = np.indices(shape).reshape(len(shape), -1)
        bars = [np.arange(cells) <= at[:, None] for cells, at in zip(shape, positions, strict=True)]
        self._configurations = np.concatenate(bars, axis=1).astype(np.float64)
        self._load_levels = load_levels
        self._full_latency_s = _SLO_MULTIPLES * slo_s

    @property
    def cells(self) -> int:
        """Number of cells of a row."""
        return self._load_levels + int(self._configurations.shape[1]) + 2 * _CELLS

    def __call__(self, observation: Observation) -> NDArray[np.float64]:
        """The row of an observation, shape (cells,), of zeros and ones.

        Before the first slot nothing was measured, and the row is empty.
        """
        if observation.slot == 0:
            return np.zeros(self.cells)
        load = np.zeros(self._load_levels)
        load[observation.load_bin] = 1.0
        nothing_answered = observation.throughput_rps == 0 and observation.backlog > 0
        latency = 1.0 if nothing_answered else observation.mean_latency_s / self._full_latency_s
        configuration = self._configurations[observation.configuration]
        return np.concatenate([load, configuration, _bar(latency), _bar(observation.utilisation)])


def _bar(share: float) -> NDArray[np.float64]:
    """Ten cells, filled from the left; anything above 0 fills at least one."""
    return (np.arange(_CELLS) < share * _CELLS).astype(np.float64)


class StateImage:
    """The rows of the last slots, the newest on top; empty where there was none yet."""

    def __init__(self, row: SlotRow, rows: int) -> None:
        self._row = row
        self._image = np.zeros((rows, row.cells))

    def __call__(self, observation: Observation) -> NDArray[np.float64]:
        """Add a row and show the image, flattened: shape (rows x cells,)."""
        self._image = np.vstack([self._row(observation), self._image[:-1]])
        return self._image.ravel()

    def state_dict(self) -> dict[str, Any]:
        """The image."""
        return {"image": self._image.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved image."""
        self._image = np.array(state["image"], dtype=np.float64)
