"""A system whose slots are kept in a file, so that a run that was interrupted goes on where it was.

A real system cannot be asked for the same slot twice. A run that is started again is therefore handed the
measurements that are kept, from which its agent (same seed, same code) makes the same decisions as before;
then it goes on live.
"""

from __future__ import annotations

import pickle
from collections import deque
from pathlib import Path

from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.measurement import SlotMeasurement
from serving.slot import Slot
from serving.system import ServingSystem


class RememberedSystem:
    """Keeps what a system measures; the system stays its owner's to close.

    Args:
        system: serves what is not kept yet.
        file: where slots are kept; only read what you wrote, it is a pickle.
    """

    def __init__(self, system: ServingSystem, file: Path) -> None:
        self._system = system
        self._file = file
        self._kept: deque[tuple[Configuration, int, SlotMeasurement]] = deque()

    @property
    def name(self) -> str:
        """See ``ServingSystem``."""
        return self._system.name

    @property
    def space(self) -> ConfigurationSpace:
        """See ``ServingSystem``."""
        return self._system.space

    @property
    def left(self) -> int:
        """Slots that are kept and have not been asked for yet."""
        return len(self._kept)

    def reset(self, seed: int) -> None:
        """Begin anew, with the slots that are kept."""
        self._kept = deque(self._read())
        self.settle(seed)

    def settle(self, seed: int) -> None:
        """Leave nobody waiting who was served for somebody else, and go on."""
        self._system.reset(seed)

    def forget(self) -> None:
        """Remove what is kept."""
        self._file.unlink(missing_ok=True)

    def serve(self, configuration: Configuration, slot: Slot) -> SlotMeasurement:
        """What is kept of this slot, or else what the system measures now.

        Raises:
            UsageError: if the slot was kept under another configuration or other requests.
        """
        if self._kept:
            before, arrivals, measurement = self._kept.popleft()
            if (before, arrivals) != (configuration, len(slot.arrival_s)):
                raise UsageError(
                    f"{self._file}: slot {slot.index} was served under {before} with {arrivals} requests, "
                    f"now it would be {configuration} with {len(slot.arrival_s)}: the code has changed; "
                    "remove the file to begin anew"
                )
            return measurement
        measurement = self._system.serve(configuration, slot)
        with self._file.open("ab") as stream:
            pickle.dump((configuration, len(slot.arrival_s), measurement), stream)
        return measurement

    def _read(self) -> list[tuple[Configuration, int, SlotMeasurement]]:
        """All whole entries; what an interrupted write left behind them is cut off."""
        entries: list[tuple[Configuration, int, SlotMeasurement]] = []
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            return entries
        with self._file.open("a+b") as stream:
            stream.seek(0)
            while True:
                whole = stream.tell()
                try:
                    entries.append(pickle.load(stream))
                except (EOFError, pickle.UnpicklingError):
                    stream.truncate(whole)
                    return entries

    def close(self) -> None:
        """Nothing: the system is its owner's."""
