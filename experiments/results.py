"""Reading results back: finished runs as one table, and which runs failed."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.failures import SUFFIX, Failure
from experiments.records import is_finished, read_manifest


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and its manifest."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The resolved settings."""
        config: dict[str, Any] = self.manifest["config"]
        return config

    def has(self, name: str) -> bool:
        """Whether the run left that table."""
        return (self.folder / f"{name}.parquet").exists()

    def table(self, name: str) -> pd.DataFrame:
        """One of the run's tables, e.g. ``slots``."""
        return pd.read_parquet(self.folder / f"{name}.parquet")


def files_below(folder: Path, ending: str) -> list[Path]:
    """Files at or below a folder whose name ends so, in order of path; nothing that is hidden.

    A sweep at work renames folders at any moment: those that go while we look are passed over, which
    ``Path.glob`` would not do. Hidden ones are runs that are being written.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if name.endswith(ending) and not name.startswith(".")]
    return sorted(found)


def finished_runs(folder: Path) -> list[Run]:
    """Every finished run at or below a folder, in order of path."""
    return sorted(_find(folder), key=lambda run: str(run.folder))


def _find(folder: Path) -> Iterator[Run]:
    for manifest in files_below(folder, "manifest.json"):
        if is_finished(manifest.parent):
            yield Run(manifest.parent, read_manifest(manifest.parent) or {})


def failed_runs(folder: Path) -> list[Failure]:
    """Every run at or below a folder that failed in a sweep and has not succeeded since, in order of path."""
    found: list[Failure] = []
    for path in files_below(folder, SUFFIX):
        if not is_finished(path.with_name(path.name.removesuffix(SUFFIX))):
            with suppress(OSError, ValueError, TypeError):  # half written, or of another version
                found.append(Failure(**json.loads(path.read_text())))
    return found


def tell_failed(failures: Iterable[Failure]) -> None:
    """Say in one line on stderr how many runs of which experiments are missing; nothing where none is."""
    counts = Counter(str(one.config.get("experiment_name", "unknown")) for one in failures)
    if counts:
        said = ", ".join(f"{count} of {experiment}" for experiment, count in sorted(counts.items()))
        print(
            f"without runs that failed: {said} (<run_id>{SUFFIX} beside the runs says why)", file=sys.stderr
        )


def slots_of(runs: list[Run]) -> pd.DataFrame:
    """The slot rows of several runs, one below the other."""
    return pd.concat([run.table("slots") for run in runs], ignore_index=True) if runs else pd.DataFrame()
