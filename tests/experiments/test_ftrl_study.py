"""The study of optimizers on a small world: complete, repeatable, and read back by the claim."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests_support import SMALL

from experiments.claim_values.evidence import Evidence
from experiments.claim_values.optimizers import adam_over_ftrl
from experiments.claim_values.outcome import Measured, Missing
from experiments.settings import compose_settings
from experiments.studies import ftrl
from experiments.studies.ftrl_figure import FEW, adam_and_ftrl, at_the_edge, draw


@pytest.mark.slow
def test_the_study_measures_every_variant_and_leaves_what_the_claim_reads(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    monkeypatch.setattr(
        ftrl,
        "RATES",
        {"authors": {"ftrl": (0.7,), "adam": (0.01,)}, "scaled": {"ftrl": (0.1,), "adam": (0.01,)}},
    )
    monkeypatch.setattr(ftrl, "SLOTS", 400)
    assert isinstance(adam_over_ftrl(Evidence([])), Missing)
    assert ftrl.main(["seeds=2", "steps=200", "workers=1"], SMALL) == 0
    data = pd.read_csv("results/figures/ftrl.csv")
    assert len(data) == (3 + 1 + 1 + 1 + 1) * len(ftrl.SAMPLES) * 2
    assert np.isfinite(data["error"]).all()
    centred = data[data["optimizer"] == "ftrl_centred"].groupby("samples")["error"].mean()
    assert centred.loc[300] < centred.loc[10]
    assert adam_and_ftrl(data).shape == (2, 2)
    assert isinstance(adam_over_ftrl(Evidence([])), Measured)


def test_lines_are_means_at_the_rate_whose_mean_is_least_and_an_edge_is_told():
    # Over seeds: rate 0.1 has the least median (0.1), rate 0.7 the least mean.
    by_rate = {0.01: (0.9, 0.9, 0.9), 0.1: (0.1, 0.1, 2.8), 0.7: (0.5, 0.6, 0.4), 2.0: (0.8, 0.8, 0.8)}
    data = pd.DataFrame([
        {"setup": setup, "optimizer": "ftrl", "learning_rate": rate, "initial_accumulator": 0.1,
         "samples": samples, "seed": seed, "error": error}
        for setup in ("authors", "scaled")
        for rate, errors in by_rate.items() for samples in (10, FEW) for seed, error in enumerate(errors)
    ])  # fmt: skip
    left, right = draw(data, 1).figure.axes[:2]
    np.testing.assert_allclose(left.lines[0].get_ydata(), [50, 50])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [90, 100, 50, 80])
    assert at_the_edge(data) == []
    assert at_the_edge(data[data["learning_rate"] < 2.0]) == [
        f"FTRL with {samples} samples ({setup})"
        for setup in ("the authors' set-up", "set-up of rrl_nn")
        for samples in (10, FEW)
    ]


def test_the_rates_that_we_use_are_among_those_tried():
    for preset, setup in (("rrl_code", "authors"), ("rrl_nn", "scaled")):
        settings = compose_settings([f"agent={preset}"])["agent"]["estimator_settings"]
        assert settings["learning_rate"] in ftrl.RATES[setup]["ftrl"]
    assert {len(rates) for setup in ftrl.RATES.values() for rates in setup.values()} == {7}


def test_each_optimizer_is_taken_at_its_best_learning_rate(tmp_path):
    rows = [
        {"setup": "authors", "optimizer": name, "learning_rate": rate, "initial_accumulator": accumulator,
         "samples": FEW, "seed": seed, "error": error * (1 + seed)}
        for name, rate, accumulator, error in [
            ("ftrl", 0.1, 0.1, 0.5), ("ftrl", 0.7, 0.1, 0.2), ("ftrl", 0.7, 1.0, 0.01),
            ("adam", 0.01, None, 0.3), ("adam", 0.1, None, 0.8),
        ]
        for seed in (1, 0)
    ]  # fmt: skip
    data = pd.DataFrame(rows)
    np.testing.assert_allclose(adam_and_ftrl(data), [[0.3, 0.2], [0.6, 0.4]])
    data.to_csv(tmp_path / "ftrl.csv")
    assert adam_over_ftrl(Evidence([], tmp_path)).estimate.value == pytest.approx(1.5)
    whole = (tmp_path / "ftrl.csv").read_text()
    for damaged in ("", "garbage\n1,2\n", whole[:60]):
        (tmp_path / "ftrl.csv").write_text(damaged)
        said = adam_over_ftrl(Evidence([], tmp_path))
        assert isinstance(said, Missing)
        assert "ftrl.csv is damaged" in said.reason


def test_no_process_at_all_is_refused(capsys):
    with pytest.raises(SystemExit):
        ftrl.main(["workers=0"])
    assert capsys.readouterr().err.startswith("workers=0, expected a number of processes")
