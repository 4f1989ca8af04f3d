from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.claim_values import COMPUTE
from experiments.claims import judge, main, read_catalogue
from experiments.results import finished_runs
from experiments.settings import compose_settings
from experiments.truth import table_path
from experiments.verdict import PaperValue, verdict


@pytest.mark.parametrize(
    ("paper", "unit", "estimate", "expected"),
    [
        # percentages: +- 10 points
        ("75.2", "%", (70, 66, 80), "reproduced"),
        ("75.2", "%", (40, 30, 66), "reproduced"),  # overlaps 65.2 .. 85.2
        ("75.2", "%", (40, 30, 65), "partly"),
        ("75.2", "%", (95, 90, 99), "partly"),
        ("75.2", "%", (60, -1, 90), "not reproduced"),  # no effect is not excluded
        ("75.2", "%", (-40, -60, -20), "not reproduced"),  # wrong sign
        ("15.31", "%", (6, 5.3, 7), "reproduced"),
        ("15.31", "%", (3, 0, 6), "not reproduced"),
        # ratios: +- 25 %
        ("5", "x", (3.1, 2, 3.76), "reproduced"),
        ("5", "x", (3.1, 2, 3.74), "partly"),
        ("5", "x", (7, 6.3, 8), "partly"),
        ("5", "x", (1.2, 0.9, 5), "not reproduced"),
        ("5", "x", (0.5, 0.4, 0.6), "not reproduced"),
        ("10", "x", (20, 9, math.inf), "reproduced"),
        (">8", "x", (30, 20, 40), "reproduced"),
        (">8", "x", (5, 4, 6), "reproduced"),
        (">8", "x", (5, 4, 5.9), "partly"),
        # a direction without a number
        (">1", "x", (1.3, 1.1, 1.5), "reproduced"),
        (">1", "x", (1.3, 0.9, 1.5), "not reproduced"),
        ("<1", "x", (0.8, 0.7, 0.9), "reproduced"),
        ("<1", "x", (1.2, 1.1, 1.3), "not reproduced"),
        (">0", "points", (0.4, 0.2, 0.6), "reproduced"),
        # no difference
        ("1", "x", (1, 1, 1), "reproduced"),
        ("1", "x", (1.2, 0.9, 1.6), "partly"),
        ("1", "x", (2, 1.5, 3), "not reproduced"),
        ("~0", "%", (3, -6, 9), "reproduced"),
        ("~0", "%", (20, 11, 30), "not reproduced"),
        # absolute
        ("150", "min", (200, 180, 220), "reproduced"),
        ("150", "min", (300, 190, 400), "not reproduced"),
        (">2000", "min", (1400, 1300, 1500), "reproduced"),
        (">2000", "min", (1000, 900, 1499), "not reproduced"),
        ("100", "% of slots", (85, 80, 90), "reproduced"),
        ("100", "% of slots", (85, 80, 89), "not reproduced"),
    ],
)
def test_verdicts(paper, unit, estimate, expected):
    assert verdict(paper, unit, *estimate) == expected


@pytest.mark.parametrize("estimate", [(math.nan, 0, 1), (1, 2, 0), (1, math.nan, 2)])
def test_no_verdict_on_nonsense(estimate):
    with pytest.raises(ValueError, match="no verdict"):
        verdict("5", "x", *estimate)


def test_the_catalogue_is_whole():
    claims = {claim.id: claim for claim in read_catalogue()}
    assert list(claims) == [f"C{number:03d}" for number in range(1, len(claims) + 1)]
    assert len(claims) >= 73
    plain = {"input", "theory", "computed", "not testable here"}
    for claim in claims.values():
        if claim.type == "computed":
            PaperValue.parse(claim.paper_value)
            assert claim.unit
        elif claim.type.startswith("duplicate of "):
            original = claims[claim.type.removeprefix("duplicate of ")]
            assert original.type == "computed"
            assert (original.paper_value, original.unit) == (claim.paper_value, claim.unit)
            assert (original.subject, original.baseline) == (claim.subject, claim.baseline)
        else:
            assert claim.type in plain
            assert claim.note or claim.type == "theory"
    assert all(claims[claim_id].type == "computed" for claim_id in COMPUTE)


SLOTS = 400


def write_run(
    folder: Path, seed: int, radius: float, settled: int | None, preset: str = "rrl_paper", **config: Any
) -> None:
    """A finished fig09 run whose Q settles after so many slots (None: it moves to the end)."""
    name = f"{preset}_{radius}_{seed}_{len(config)}"
    run = folder / "fig09" / name
    run.mkdir(parents=True)
    if settled is None:
        distance = np.linspace(1.0, 0.0, SLOTS)
    else:
        distance = np.where(np.arange(SLOTS) < settled - 1, 0.5, 0.01)
    slots = {"slot": np.arange(SLOTS), "seed": seed, "gap": 1.0, "cost": 0.1}
    pd.DataFrame(slots).to_parquet(run / "slots.parquet")
    diagnostics = {"slot": np.arange(SLOTS), "q_distance": distance}
    pd.DataFrame(diagnostics).to_parquet(run / "diagnostics.parquet")
    settings = {
        "seed": seed, "slots": SLOTS, "experiment_name": "fig09", "model": {"name": "inception_v3"},
        "agent": {"preset": preset, "radius": radius, "gamma": 0.0}, **config,
    }  # fmt: skip
    manifest = {"status": "finished", "seed": seed, "config": settings}
    (run / "manifest.json").write_text(json.dumps(manifest))


def judged(folder: Path, claim_id: str):
    claims = {claim.id: claim for claim in read_catalogue()}
    return judge(claims[claim_id], finished_runs(folder))


def test_speed_ups_are_ratios_of_medians(tmp_path):
    for seed in range(11):
        write_run(tmp_path, seed, 0, 100 + seed)  # median 105
        write_run(tmp_path, seed, 1, 21)
        write_run(tmp_path, seed, 2, 70)
    said = judged(tmp_path, "C015")
    assert (said.value, said.seeds, said.verdict) == ("5", "11", "reproduced")
    assert 4.7 < float(said.interval_low) <= 5 <= float(said.interval_high) < 5.3
    assert judged(tmp_path, "C014").verdict == "partly"  # 1.5 x, paper 10 x


def test_too_few_seeds_give_a_value_and_no_verdict(tmp_path):
    for seed in range(9):
        write_run(tmp_path, seed, 0, 100)
        write_run(tmp_path, seed, 1, 20)
    said = judged(tmp_path, "C015")
    assert (said.value, said.verdict) == ("5", "not yet computed")
    assert "10 seeds" in said.reason


def test_never_is_not_the_run_length(tmp_path):
    for seed in range(10):
        write_run(tmp_path, seed, 0, None if seed < 4 else 100)
        write_run(tmp_path, seed, 1, 20)
        write_run(tmp_path, seed, 2, None)
    said = judged(tmp_path, "C015")
    assert said.value == "5"
    assert said.interval_high == "inf"
    assert "radius 0: 6 of 10 seeds settled" in said.reason
    other = judged(tmp_path, "C014")
    assert (other.value, other.verdict) == ("", "not reproduced")
    assert "most seeds never settled with the larger radius" in other.reason


def test_a_median_of_never_is_a_lower_bound_in_words(tmp_path):
    for seed in range(10):
        write_run(tmp_path, seed, 0, None)
        write_run(tmp_path, seed, 1, 20)
    said = judged(tmp_path, "C015")
    assert said.value == ""
    assert "the ratio is above 10 " in said.reason  # half of 400 slots over 20


def test_runs_under_other_settings_are_left_out_and_named(tmp_path):
    for seed in range(10):
        write_run(tmp_path, seed, 0, 100)
        write_run(tmp_path, seed, 1, 20)
    for seed in range(10, 14):
        write_run(tmp_path, seed, 0, 20, load_bins=1)
        write_run(tmp_path, seed, 1, 20, load_bins=1)
    said = judged(tmp_path, "C015")
    assert (said.value, said.seeds) == ("5", "10")
    assert "8 fig09 runs under other settings left out" in said.reason


def test_radius_zero_against_q_learning(tmp_path):
    for seed in range(10):
        write_run(tmp_path, seed, 0, 100 + seed)
    assert "agent=q_learning" in judged(tmp_path, "C016").reason
    for seed in range(10):
        write_run(tmp_path, seed, 0, 100 + seed, preset="q_learning")
    said = judged(tmp_path, "C016")
    assert (said.value, said.interval_low, said.interval_high, said.verdict) == ("1", "1", "1", "reproduced")


def test_unfinished_runs_do_not_count(tmp_path):
    write_run(tmp_path, 0, 0, 100)
    manifest = next(tmp_path.glob("**/manifest.json"))
    manifest.write_text(manifest.read_text().replace("finished", "running"))
    assert "no finished run" in judged(tmp_path, "C014").reason


def write_rrl_plus(folder: Path, experiment: str, seed: int, latency_s: list[float]) -> None:
    """A finished run of RRL Plus under WiKi with these latencies."""
    run = folder / experiment / str(seed)
    run.mkdir(parents=True)
    pd.DataFrame({"mean_latency_s": latency_s}).to_parquet(run / "slots.parquet")
    config = {
        "seed": seed, "model": {"name": "inception_v3"}, "workload": {"name": "wiki"},
        "agent": {"preset": "rrl_plus"},
    }  # fmt: skip
    (run / "manifest.json").write_text(json.dumps({"status": "finished", "seed": seed, "config": config}))


def test_variance_on_gpu_over_that_on_cpu(tmp_path):
    for seed in range(10):
        write_rrl_plus(tmp_path, "fig11", seed, [1.0, 2.0, 3.0])
    assert "experiment=fig13" in judged(tmp_path, "C068").reason
    for seed in range(10):
        write_rrl_plus(tmp_path, "fig13", seed, [0.0, 0.2, math.nan, 0.4])  # twice the spread over its mean
    said = judged(tmp_path, "C068")
    assert (said.value, said.verdict) == ("4", "reproduced")


@pytest.fixture
def random_table(tmp_path, monkeypatch):
    """A table of random costs where the claims look for it; the costs by load and flat index."""
    monkeypatch.chdir(tmp_path)
    cost = np.random.default_rng(0).lognormal(size=(2, 1331))
    arrays = dict.fromkeys(("capped", "p95_latency_s", "mean_latency_s", "utilisation"), np.zeros((2, 1331)))
    arrays |= {"load_rps": np.array([1.0, 14.0]), "cost": cost, "standard_error": 0.01 * cost}
    path = table_path(compose_settings(["experiment=fig02"]))
    path.parent.mkdir(parents=True)
    np.savez(path, **arrays)
    return dict(zip((1, 14), cost, strict=True))


def test_a_claim_from_an_exhaustive_table_needs_no_seeds(random_table):
    said = judged(Path(), "C066")
    expected = random_table[1][-1] / random_table[1].min()  # the last is (10, 10, 10)
    assert float(said.value) == pytest.approx(expected, rel=1e-3)
    assert (said.seeds, said.verdict) == ("", "reproduced")
    # Two cells of 1 % each: their ratio has 1.4 %, the interval 1.96 times that to each side.
    assert float(said.interval_high) == pytest.approx(expected * (1 + 1.96 * 0.0141), rel=0.01)


def test_no_rank_correlation_where_cost_is_noise(random_table):
    said = judged(Path(), "C067")
    assert abs(float(said.value)) < 0.02
    assert float(said.interval_low) < float(said.value) < float(said.interval_high)


def test_claims_of_tables_that_are_missing_say_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for claim, experiment in (("C066", "fig02"), ("C067", "fig03")):
        assert f"python -m experiments.truth experiment={experiment}" in judged(tmp_path, claim).reason


def test_the_program_writes_every_claim(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)  # away from the tables of this checkout
    for seed in range(10):
        write_run(tmp_path / "runs", seed, 0, 100)
        write_run(tmp_path / "runs", seed, 1, 20)
    target = tmp_path / "out" / "claims.csv"
    assert main([f"output_dir={tmp_path / 'runs'}", f"target={target}"]) == 0
    with target.open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert list(rows) == [claim.id for claim in read_catalogue()]
    assert (rows["C015"]["value"], rows["C015"]["verdict"]) == ("5", "reproduced")
    assert rows["C002"]["verdict"] == "duplicate of C026"
    assert rows["C022"]["verdict"] == "not yet computed"
    assert "CAPES" in rows["C022"]["reason"]
    assert [path.name for path in target.parent.iterdir()] == ["claims.csv"]
    printed = capsys.readouterr().out
    assert "1 reproduced" in printed
    assert printed.count("\n") == 1


def test_a_wrong_folder_or_setting_is_one_line_and_exit_code_2(tmp_path, capsys):
    for wrong in (f"output_dir={tmp_path / 'none'}", "outputs=here"):
        with pytest.raises(SystemExit) as stopped:
            main([wrong, f"target={tmp_path / 'claims.csv'}"])
        assert stopped.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())
