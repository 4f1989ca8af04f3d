"""Which models a server serves, from which folders and in which versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions on disk to serve: the ``latest`` so many (None: all), or ``specific`` ones."""

    latest: int | None = 1
    specific: frozenset[int] | None = None

    def choose(self, on_disk: set[int]) -> set[int]:
        """The versions to serve."""
        if self.specific is not None:
            return on_disk & self.specific
        return set(sorted(on_disk, reverse=True)[: self.latest])


@dataclass(frozen=True)
class ModelSettings:
    """One model: its name, the folder of its version folders, which versions, and labels for versions."""

    name: str
    base_path: Path
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)

    def versions_on_disk(self) -> set[int]:
        """Version folders, those whose name is a number; empty if the base path cannot be read."""
        try:
            folders = [path for path in self.base_path.iterdir() if path.name.isdecimal() and path.is_dir()]
        except OSError:
            return set()
        return {int(path.name) for path in folders}

    def folder(self, version: int) -> Path:
        """The folder of a version on disk, whose name may have leading zeros."""
        named = self.base_path / str(version)
        if named.is_dir():
            return named
        return next(
            path for path in self.base_path.iterdir() if path.name.isdecimal() and int(path.name) == version
        )
