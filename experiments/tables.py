"""The tables of a run, as pandas frames ready for parquet; results/README.md describes the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from experiments.loop import RunRecord
from serving.cost_table import CostTable


def slots_table(record: RunRecord, labels: dict[str, Any]) -> pd.DataFrame:
    """One row per slot, behind the labels of the run; everything in it is deterministic."""
    rows = pd.DataFrame([labels | row for row in record.rows])
    never_measured = rows.columns[rows.isna().all()]
    return rows.astype(dict.fromkeys(never_measured, "float64"))


def timings_table(record: RunRecord) -> pd.DataFrame:
    """One row per slot: wall-clock seconds."""
    return pd.DataFrame(record.timings)


def histogram_table(record: RunRecord) -> pd.DataFrame:
    """One row per slot and non-empty latency bin (bins of ``serving.histogram``)."""
    counts = np.array(record.histograms)
    row, latency_bin = np.nonzero(counts)
    slots = np.array([one["slot"] for one in record.rows])
    return pd.DataFrame({"slot": slots[row], "bin": latency_bin, "count": counts[row, latency_bin]})


def diagnostics_table(record: RunRecord, table: CostTable | None) -> pd.DataFrame:
    """How far the agent's Q values are from where they end and from the truth, one row per slot.

    Columns: ``q_distance`` = ||Q_t - Q_end|| / ||Q_end||; with a cost table also ``q_star_distance`` =
    ||Q_t - Q*|| / ||Q*||, Q* = L + gamma / (1 - gamma) min L for the noise-free cost L at the slot's load,
    and ``prediction_error`` = median over configurations of |l - L| / L, l = Q - gamma min Q.
    """
    q = np.array(record.estimates)
    columns: dict[str, Any] = {
        "slot": [row["slot"] for row in record.rows],
        "q_distance": np.linalg.norm(q - q[-1], axis=1) / np.linalg.norm(q[-1]),
    }
    if table is not None:
        gamma = record.discount
        truth = np.array([table.at(row["true_load_rps"]) for row in record.rows])
        q_star = truth + gamma / (1 - gamma) * truth.min(axis=1, keepdims=True)
        implied = q - gamma * q.min(axis=1, keepdims=True)
        columns["q_star_distance"] = np.linalg.norm(q - q_star, axis=1) / np.linalg.norm(q_star, axis=1)
        columns["prediction_error"] = np.median(np.abs(implied - truth) / truth, axis=1)
    return pd.DataFrame(columns)
