"""The tables of a run, written while it goes on; results/README.md describes the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.loop import SlotRecord
from serving.cost_table import CostTable

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetWriter

_CHUNK = 1000  # slots held in memory


class RunTables:
    """Writes slots, timings, histogram and, where kept, latencies to parquet files, some slots at a time.

    Memory is the same however long the run.

    Args:
        folder: where the files go.
        labels: columns that are the same in every row of slots.parquet.
    """

    def __init__(self, folder: Path, labels: Mapping[str, Any]) -> None:
        self._folder = folder
        self._labels = dict(labels)
        self._records: list[SlotRecord] = []
        self._writers: dict[str, ParquetWriter] = {}

    def add(self, record: SlotRecord) -> None:
        """Keep one slot."""
        self._records.append(record)
        if len(self._records) == _CHUNK:
            self._flush()

    def close(self) -> None:
        """Write what is left, and close the files."""
        self._flush()
        for writer in self._writers.values():
            writer.close()

    def _flush(self) -> None:
        if not self._records:
            return
        measured = {name: [record.row[name] for record in self._records] for name in self._records[0].row}
        rows = pd.DataFrame(self._labels | measured)
        self._write("slots", rows)
        self._write("timings", pd.DataFrame([record.timing for record in self._records]))
        slots = rows["slot"].to_numpy()
        counts = np.array([record.histogram for record in self._records])
        row, latency_bin = np.nonzero(counts)
        columns = {"slot": slots[row], "bin": latency_bin, "count": counts[row, latency_bin]}
        self._write("histogram", pd.DataFrame(columns))
        latencies_s = [record.latency_s for record in self._records if record.latency_s is not None]
        if latencies_s:
            of_slot = np.repeat(slots, [len(latency_s) for latency_s in latencies_s])
            self._write(
                "latencies", pd.DataFrame({"slot": of_slot, "latency_s": np.concatenate(latencies_s)})
            )
        self._records.clear()

    def _write(self, name: str, frame: pd.DataFrame) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        never_measured = frame.columns[frame.isna().all()]
        frame = frame.astype(dict.fromkeys(never_measured, "float64"))
        writer = self._writers.get(name)
        table = pa.Table.from_pandas(frame, schema=writer and writer.schema, preserve_index=False)
        if writer is None:
            writer = self._writers[name] = pq.ParquetWriter(self._folder / f"{name}.parquet", table.schema)
        writer.write_table(table)


def diagnostics_table(
    estimates: Sequence[NDArray[np.float64]],
    true_load_rps: Sequence[float],
    gamma: float,
    table: CostTable | None,
) -> pd.DataFrame:
    """How far the agent's Q values are from where they end and from the truth, one row per slot.

    Columns: ``q_distance`` = ||Q_t - Q_end|| / ||Q_end||; with a cost table also ``q_star_distance`` =
    ||Q_t - Q*|| / ||Q*||, Q* = L + gamma / (1 - gamma) min L for the noise-free cost L at the slot's load,
    and ``prediction_error`` = median over configurations of |l - L| / L, l = Q - gamma min Q.

    Args:
        estimates: the agent's Q values of the current load after every slot.
        true_load_rps: mean load of every slot.
        gamma: the agent's discount, which Q values contain.
        table: the truth, where there is one.
    """
    q = np.array(estimates)
    columns: dict[str, Any] = {
        "slot": np.arange(len(q)),
        "q_distance": np.linalg.norm(q - q[-1], axis=1) / np.linalg.norm(q[-1]),
    }
    if table is not None:
        loads_rps, of_slot = np.unique(true_load_rps, return_inverse=True)
        truth = np.array([table.at(load) for load in loads_rps])[of_slot]
        q_star = truth + gamma / (1 - gamma) * truth.min(axis=1, keepdims=True)
        implied = q - gamma * q.min(axis=1, keepdims=True)
        columns["q_star_distance"] = np.linalg.norm(q - q_star, axis=1) / np.linalg.norm(q_star, axis=1)
        columns["prediction_error"] = np.median(np.abs(implied - truth) / truth, axis=1)
    return pd.DataFrame(columns)
