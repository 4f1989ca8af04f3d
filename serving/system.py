"""The protocol of a serving system, simulated or real."""

from __future__ import annotations

from typing import Protocol

from serving.configuration import Configuration, ConfigurationSpace
from serving.measurement import SlotMeasurement
from serving.slot import Slot


class ServingSystem(Protocol):
    """Something that serves requests under a configuration that can be changed between slots."""

    @property
    def name(self) -> str:
        """As in the result rows."""

    @property
    def space(self) -> ConfigurationSpace:
        """The configurations it accepts."""

    def reset(self, seed: int) -> None:
        """Start empty; all randomness of the system itself derives from ``seed``."""

    def serve(self, configuration: Configuration, slot: Slot) -> SlotMeasurement:
        """Serve one slot; slots come in order of time."""

    def close(self) -> None:
        """Release everything the system holds; safe to call twice."""
