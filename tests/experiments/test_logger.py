"""The diagnostics logger: off by default, changes no row and no run_id."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.logger import is_logged, make_logger, scalars
from experiments.settings import compose_settings
from serving.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
HAS_TENSORBOARD = importlib.util.find_spec("tensorboard") is not None


def run(tmp_path, *overrides):
    return subprocess.run(
        [
            *(sys.executable, "-m", "experiments.run", "truth=false", "progress=false", "slots=12"),
            *(f"output_dir={tmp_path}/runs", *overrides),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_scalars_keep_numbers_and_sum_up_arrays():
    found = scalars(
        {
            "radius": 3, "epsilon": np.float32(0.5), "on": True, "q": np.array([[4.0, 1.0], [3.0, 0.0]]),
            "name": "rrl", "nothing": None, "table": {"a": 1}, "empty": np.empty(0), "words": np.array(["a"]),
        }
    )  # fmt: skip
    assert np.isnan([found.pop(f"empty_{one}") for one in ("min", "mean", "max")]).all()
    assert found == {"radius": 3.0, "epsilon": 0.5, "on": 1.0, "q_min": 0.0, "q_mean": 2.0, "q_max": 4.0}


def test_a_table_holds_the_scalars_and_leaves_rows_and_run_id_alone(tmp_path):
    plain = Path(run(tmp_path / "plain", "logger=null").stdout.strip())
    logged = Path(run(tmp_path / "logged", "logger=table").stdout.strip())
    assert plain.name == logged.name
    assert not (plain / "scalars.parquet").exists()
    rows = [pd.read_parquet(folder / "slots.parquet") for folder in (plain, logged)]
    pd.testing.assert_frame_equal(*rows, check_exact=True)
    table = pd.read_parquet(logged / "scalars.parquet")
    assert table["slot"].tolist() == list(range(12))
    assert {"q_min", "q_mean", "q_max", "radius", "entropy", "alpha", "cost"} <= set(table.columns)
    np.testing.assert_array_equal(table["cost"], rows[1]["cost"])
    assert (table["entropy"] >= 0).all()


def test_a_finished_run_is_run_again_if_the_log_asked_for_is_missing(tmp_path):
    first = Path(run(tmp_path).stdout.strip())
    assert is_logged(None, first)
    assert not is_logged("table", first)
    second = Path(run(tmp_path, "logger=table").stdout.strip())
    assert second == first
    written = (second / "scalars.parquet").stat().st_mtime_ns
    run(tmp_path, "logger=table")
    run(tmp_path)
    assert (second / "scalars.parquet").stat().st_mtime_ns == written


def test_an_unknown_logger_is_refused():
    with pytest.raises(UsageError, match=r"logger=csv, choose from \['null', 'table', 'tensorboard'\]"):
        compose_settings(["logger=csv"])


@pytest.mark.skipif(HAS_TENSORBOARD, reason="TensorBoard is installed")
def test_without_tensorboard_one_line_says_what_to_install(tmp_path):
    done = run(tmp_path, "logger=tensorboard")
    assert done.returncode == 2
    assert done.stderr == "logger=tensorboard needs tensorboard: pip install -e '.[tensorboard]'\n"
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="needs the extra: pip install -e '.[tensorboard]'")
def test_tensorboard_reads_back_what_was_logged(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = make_logger("tensorboard", tmp_path)
    for slot in range(5):
        logger.log(slot, {"cost": 0.5 * slot, "loss": float("nan") if slot < 2 else 1.0, "act_s": 0.1})
    logger.close()
    assert is_logged("tensorboard", tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    read = {
        tag: [(one.step, one.tensor_proto.float_val[0]) for one in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }
    assert read["cost"] == [(slot, 0.5 * slot) for slot in range(5)]
    assert [slot for slot, _ in read["loss"]] == [2, 3, 4]
