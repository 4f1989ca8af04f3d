"""The table of measured windows: a row is added as each window ends: an interruption loses one at most."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm  # type: ignore[import-untyped]

from experiments.calibration.plan import Window
from serving.configuration import Configuration
from serving.errors import UsageError
from serving.measurement import SlotMeasurement

_QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
_BATCHES = 10
_MIDDLE = (0.025, 0.975)  # what is beyond is strangers' doing more often than the model's
_DOUBTS = ("late", "shared", "faulted")


@dataclass(frozen=True)
class WindowTable:
    """A CSV file of windows.

    Attributes:
        file: where it is; need not exist yet.
        knobs: names of the knobs, the first columns.
    """

    file: Path
    knobs: Sequence[str]

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row and see it onto the disk.

        Raises:
            UsageError: if the rows before have other columns.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._mend(",".join(row))
        text = pd.DataFrame([row]).to_csv(index=False, header=not self.file.exists(), float_format="%.6g")
        with self.file.open("a") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())

    def read(self) -> pd.DataFrame:
        """All whole rows; none if the file is not there.

        Raises:
            UsageError: if it cannot be read, or is a table of something else.
        """
        columns = [*self.knobs, "mode", "level", "seed", "attempt", "flags"]
        if not self.file.exists():
            return pd.DataFrame(columns=columns)
        try:
            content = self.file.read_text()
            whole = content[: content.rfind("\n") + 1]  # the last row's writing may have been interrupted
            if not whole and columns[0].startswith(content.partition(",")[0]):
                return pd.DataFrame(columns=columns)
            rows = pd.read_csv(io.StringIO(whole or content), keep_default_na=True)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"{self.file}: {reason}, expected a table of windows") from None
        if not set(columns) <= set(rows.columns):
            raise UsageError(
                f"{self.file}: columns {list(rows.columns)}, expected {columns} and more: "
                "a profile of the same knobs"
            )
        rows["flags"] = rows["flags"].astype(object).fillna("")
        return rows

    def _mend(self, header: str) -> None:
        """Cut off a row whose writing was interrupted, of a table with this header alone."""
        if not self.file.exists():
            return
        content = self.file.read_bytes()
        whole = content.rfind(b"\n") + 1
        found = content.partition(b"\n")[0].decode(errors="replace")
        if found != header if whole else not header.startswith(found):
            raise UsageError(f"{self.file}: made by another version: name another file, or remove it")
        if whole == 0:
            self.file.unlink()
        elif whole < len(content):
            os.truncate(self.file, whole)

    def refuse_others(self, **told: Any) -> None:
        """See that all rows were measured on this machine and in this way, and can stand beside new ones.

        Args:
            told: values of columns.

        Raises:
            UsageError: if a row has another one.
        """
        rows = self.read()
        for name, value in told.items():
            others = rows[rows[name] != value] if name in rows else rows[:0]
            if len(others):
                raise UsageError(
                    f"{self.file}: {name}={others[name].iloc[0]} in rows that are there, expected {value} as now: "
                    "name another file, or remove it"
                )

    def attempts(self, window: Window, seed: int) -> pd.DataFrame:
        """The rows of a window with the requests of a seed."""
        rows = self.read()
        mine = (rows["mode"] == window.mode) & np.isclose(rows["level"].astype(float), window.level)
        mine &= rows["seed"] == seed
        for knob, value in zip(self.knobs, window.configuration, strict=True):
            mine &= rows[knob] == value
        return rows[mine]

    def throughput_rps(self, configuration: Configuration) -> float | None:
        """The highest that was measured in closed loops of a configuration."""
        rows = self.read()
        mine = rows["mode"] == "closed"
        for knob, value in zip(self.knobs, configuration, strict=True):
            mine &= rows[knob] == value
        return float(rows.loc[mine, "throughput_rps"].max()) if mine.any() else None


def is_clean(rows: pd.DataFrame) -> pd.Series:
    """Which windows nobody disturbed."""
    return ~rows["flags"].str.split().map(lambda raised: any(one in raised for one in _DOUBTS)).astype(bool)


def kept(rows: pd.DataFrame, knobs: Sequence[str]) -> pd.DataFrame:
    """One row per window: of its attempts the least disturbed, and among those the last."""
    ranked = rows.assign(_clean=is_clean(rows)).sort_values(["_clean", "attempt"], kind="stable")
    best = ranked.drop_duplicates([*knobs, "mode", "level", "seed"], keep="last")
    return best.drop(columns="_clean").sort_index()


def summary(
    measured: SlotMeasurement, window_s: float, cores: int, size: NDArray[np.float64] | None = None
) -> dict[str, Any]:
    """What a row says of a measurement; latencies in seconds.

    Args:
        measured: with raw latencies.
        window_s: length of the window.
        cores: of the machine.
        size: sizes of the requests in the order of the latencies, where that is known.
    """
    latency_s = measured.latency_s if measured.latency_s is not None else np.empty(0)
    host = measured.host
    done = max(1, measured.completions)
    busy = measured.cpu_utilisation or measured.gpu_utilisation or 0.0  # of a simulated machine
    cpu_s = host.server_cpu_s if host else busy * cores * window_s
    return {
        "window_s": window_s,
        "arrivals": measured.arrivals,
        "completions": measured.completions,
        "lost": measured.lost,
        "throughput_rps": measured.completions / window_s,
        "mean_latency_s": measured.mean_latency_s,
        "mean_error_s": batch_error(latency_s),
        **{f"p{100 * q:.0f}_latency_s": _quantile(latency_s, q) for q in _QUANTILES},
        **service_spread(latency_s, size),
        "cpu_s_per_request": cpu_s / done,
        "cpu_utilisation": measured.cpu_utilisation,
        "lateness_p99_s": host.lateness_p99_s if host else None,
        "others_cpu_s": host.other_cpu_s if host else None,
        "flags": " ".join(measured.flags),
    }


def batch_error(latency_s: NDArray[np.float64]) -> float:
    """Standard error of the mean of latencies that depend on each other, from the means of ten stretches."""
    if len(latency_s) < 2 * _BATCHES:
        return float("nan")
    means = [part.mean() for part in np.array_split(latency_s, _BATCHES)]
    return float(np.std(means, ddof=1) / np.sqrt(_BATCHES))


def service_spread(
    latency_s: NDArray[np.float64], size: NDArray[np.float64] | None = None
) -> dict[str, float]:
    """How latencies differ from request to request, by least squares on log latency.

    Returns:
        ``size_share``: share of the latency of a request of size 1 that is proportional to size; NaN where
        sizes are unknown or all alike. ``log_spread``: standard deviation of the logarithm of latency, what
        sizes explain taken away: the slope of its order statistics against those of a normal distribution.
    """
    if len(latency_s) < 2 * _BATCHES:
        return {"size_share": float("nan"), "log_spread": float("nan")}
    expected_s, share = np.full(len(latency_s), latency_s.mean()), float("nan")
    if size is not None and np.ptp(size) > 0:
        slope, intercept = np.polyfit(size, latency_s, 1, w=1 / latency_s)
        expected_s = np.maximum(intercept + slope * size, 0.1 * latency_s.min())
        share = float(np.clip(slope / (intercept + slope), 0, 1))
    ordered = np.sort(np.log(latency_s / expected_s))
    place = (np.arange(len(ordered)) + 0.5) / len(ordered)
    middle = (place > _MIDDLE[0]) & (place < _MIDDLE[1])
    spread = np.polyfit(norm.ppf(place[middle]), ordered[middle], 1)[0]
    return {"size_share": share, "log_spread": float(spread)}


def _quantile(latency_s: NDArray[np.float64], share: float) -> float:
    return float(np.quantile(latency_s, share)) if len(latency_s) else float("nan")
