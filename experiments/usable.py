"""Which of the folders below results/runs are runs that can be read, and what is wrong with the others."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.arms import CHANGE_NO_ROW
from experiments.records import is_finished, read_manifest
from experiments.results import Run, files_below

_COLUMNS = {
    "slot", "objective", "true_load_rps", "mean_latency_s", "completions", "rejections", "timeouts", "errors",
    "slo_violations", "cpu_utilisation", "gpu_utilisation", "backlog_start", "backlog_end", "cost", "gap",
}  # fmt: skip


def usable_runs(folder: Path) -> tuple[list[Run], list[str]]:
    """Every finished run at or below a folder, and one line for each that is damaged or not ours.

    The runs are in order of their settings and seeds, whatever their folders are called. Unfinished runs are
    passed over without a line: they are somebody's work in progress.
    """
    runs: list[Run] = []
    complaints: list[str] = []
    for path in files_below(folder, "manifest.json"):
        manifest = read_manifest(path.parent)
        if manifest is not None and manifest.get("status") != "finished":
            continue
        wrong = _wrong(path.parent, manifest)
        if wrong:
            complaints.append(f"{path.parent}: left out, {wrong}")
        else:
            runs.append(Run(path.parent, manifest or {}))
    return sorted(runs, key=_content), complaints


def tell_unusable(complaints: Iterable[str]) -> None:
    """Say on stderr which runs are left out, a line each."""
    for line in complaints:
        print(line, file=sys.stderr)


def _wrong(folder: Path, manifest: Mapping[str, Any] | None) -> str:
    """What makes it useless; empty for a run that can be read."""
    if manifest is None or not isinstance(manifest.get("files", {}), dict):
        return "manifest.json is damaged"
    config = manifest.get("config")
    if not isinstance(config, dict) or not _ours(config):
        return "its settings are not those of a run of this project"
    if not is_finished(folder):
        return "its files are not as the run wrote them: remove it, and run it again"
    try:
        import pyarrow.parquet as pq

        columns = set(pq.read_schema(folder / "slots.parquet").names)
    except (OSError, ValueError):  # pyarrow's own errors are ValueErrors
        return "slots.parquet cannot be read: remove it, and run it again"
    missing = sorted(_COLUMNS - columns)
    return f"slots.parquet has no {', '.join(missing)}: remove it, and run it again" if missing else ""


def _ours(config: Mapping[str, Any]) -> bool:
    named = all(
        isinstance(config.get(group), dict) and "name" in config[group] for group in ("model", "workload")
    )
    groups = all(isinstance(config.get(group), dict) for group in ("agent", "system", "objective"))
    numbers = all(isinstance(config.get(key), int | float) for key in ("seed", "slots", "slot_s"))
    return named and groups and numbers and isinstance(config.get("experiment_name"), str)


def _content(run: Run) -> str:
    kept = {key: value for key, value in run.config.items() if key not in CHANGE_NO_ROW}
    identity = [run.config["experiment_name"], kept, run.config["seed"]]
    return json.dumps(identity, sort_keys=True, default=str)
