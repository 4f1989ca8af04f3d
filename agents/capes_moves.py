"""The actions of CAPES: leave everything as it is, or move one knob by one step."""

from __future__ import annotations

import numpy as np

from serving.configuration import ConfigurationSpace


class Moves:
    """2K + 1 moves over a space of K knobs, numbered as in CAPES' released code.

    Move 0 changes nothing; moves 2k + 1 and 2k + 2 take knob k one grid step up and down. A move beyond the
    grid changes nothing either, but stays the move that was made.

    Attributes:
        count: number of moves.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        self._shape = tuple(len(knob.values) for knob in space.knobs)
        self.count = 2 * len(self._shape) + 1

    def apply(self, configuration: int, move: int) -> int:
        """Flat index of the configuration that a move leads to from another."""
        if move == 0:
            return configuration
        knob, down = divmod(move - 1, 2)
        positions = list(np.unravel_index(configuration, self._shape))
        moved = int(positions[knob]) + (-1 if down else 1)
        if not 0 <= moved < self._shape[knob]:
            return configuration
        positions[knob] = np.intp(moved)
        return int(np.ravel_multi_index(positions, self._shape))

    def middle(self) -> int:
        """Flat index of the configuration in the middle of the grid."""
        return int(np.ravel_multi_index([length // 2 for length in self._shape], self._shape))
