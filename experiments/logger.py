"""The diagnostics logger: what the agent believed after every slot. Off by default.

``logger=table`` leaves ``scalars.parquet`` in the run's folder, ``logger=tensorboard`` an event file to look
at with ``tensorboard --logdir results/runs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from serving.extras import load_extra

LOGGERS = ("table", "tensorboard")
_WALL_CLOCK = ("act_s", "learn_s")  # not in the table, which is deterministic: timings.parquet has them


class Logger(Protocol):
    """Takes the scalars of every slot."""

    def log(self, slot: int, values: Mapping[str, float]) -> None:
        """Keep the scalars of a slot."""

    def close(self) -> None:
        """Write what is left to write."""


def scalars(diagnostics: Mapping[str, Any]) -> dict[str, float]:
    """Numbers as they are; of an array its least, mean and largest number; nothing else.

    Args:
        diagnostics: as an agent gives them.

    Returns:
        Values by name; an array ``q`` becomes ``q_min``, ``q_mean`` and ``q_max``, NaN where it is empty.
    """
    found: dict[str, float] = {}
    for name, value in diagnostics.items():
        if not isinstance(value, int | float | np.generic | np.ndarray):
            continue
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            continue
        if array.ndim == 0:
            found[name] = float(array)
            continue
        for statistic in ("min", "mean", "max"):
            found[f"{name}_{statistic}"] = float(getattr(array, statistic)()) if array.size else float("nan")
    return found


class TableLogger:
    """Collects the scalars into ``scalars.parquet``, one row per slot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[dict[str, float]] = []

    def log(self, slot: int, values: Mapping[str, float]) -> None:
        """Keep a row."""
        kept = {name: value for name, value in values.items() if name not in _WALL_CLOCK}
        self._rows.append({"slot": slot, **kept})

    def close(self) -> None:
        """Write the table."""
        import pandas as pd

        pd.DataFrame(self._rows).to_parquet(self._folder / "scalars.parquet", index=False)


class TensorBoardLogger:
    """Writes a TensorBoard event file, step by step; needs no TensorFlow.

    Raises:
        UsageError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require_tensorboard()
        from tensorboard.summary import Writer

        self._writer = Writer(str(folder))

    def log(self, slot: int, values: Mapping[str, float]) -> None:
        """Write one point per scalar; numbers that are not finite are left out."""
        for name, value in values.items():
            if np.isfinite(value):
                self._writer.add_scalar(name, value, step=slot)

    def close(self) -> None:
        """Flush and close the file."""
        self._writer.close()


def require_tensorboard() -> None:
    """Refuse to go on without TensorBoard.

    Raises:
        UsageError: saying what to install.
    """
    load_extra("tensorboard.summary", "tensorboard", "logger=tensorboard")


def make_logger(name: str | None, folder: Path) -> Logger | None:
    """The logger of that name, writing into a folder; none for None."""
    if name is None:
        return None
    return TableLogger(folder) if name == "table" else TensorBoardLogger(folder)


def is_logged(name: str | None, folder: Path) -> bool:
    """Whether a finished run has left what the logger would write."""
    files = {"table": "scalars.parquet", "tensorboard": "events.out.tfevents.*"}
    return name is None or any(folder.glob(files[name]))
