"""Figures, claims and report of a small sweep: all there, self-contained, and made from the runs."""

import csv
import re

import numpy as np
import pandas as pd
import pytest
from tests_support import SMALL

from experiments.convergence import first_passage, settles
from experiments.figures import fig04, style
from experiments.results import finished_runs, slots_of


@pytest.fixture(scope="module")
def drawn(world):
    world.program("figures", "fig=9")
    world.program("figures", "fig=11")
    return world.folder / "results" / "figures"


def test_every_figure_comes_as_picture_print_numbers_and_caption(drawn):
    for name in ("fig09", "fig11"):
        assert (drawn / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (drawn / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert len(pd.read_csv(drawn / f"{name}.csv")) > 0
        assert "2 seed(s)" in (drawn / f"{name}.txt").read_text()


def test_fig11_draws_the_mean_over_seeds_of_the_smoothed_cost(drawn, world):
    rows = slots_of(finished_runs(world.folder / "results/runs/fig11"))
    numbers = pd.read_csv(drawn / "fig11.csv")
    assert set(numbers["preset"]) == {"rrl", "oracle", "static_best", "random"}
    mine = rows[rows["preset"] == "random"].pivot_table(index="seed", columns="slot", values="cost")
    smoothed = mine.T.rolling(25, center=True, min_periods=1).mean().T.mean()
    drawn_cost = numbers[numbers["preset"] == "random"]["cost_s"]
    np.testing.assert_allclose(drawn_cost, smoothed, rtol=1e-4)


def test_fig09_draws_what_the_runs_say(drawn, world):
    numbers = pd.read_csv(drawn / "fig09.csv").set_index(["radius", "seed"])
    for run in finished_runs(world.folder / "results/runs/fig09"):
        gap = run.table("slots")["gap"].to_numpy()
        drawn_run = numbers.loc[(run.config["agent"]["radius"], run.config["seed"])]
        for column, expected in [("first_passage", first_passage(gap)), ("settled", settles(gap))]:
            assert drawn_run[column] == expected or (expected is None and np.isnan(drawn_run[column]))


def test_fig04_marks_the_cheapest_configuration_of_its_slice(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    style.apply()
    drawing = fig04.draw(world.folder, SMALL)
    assert set(drawing.data["intra_op_parallelism"]) == {2}
    assert len(drawing.data) == 9
    assert (drawing.data["cost_s"] > 0).all()


def test_without_results_a_figure_says_what_to_run(world, tmp_path):
    with pytest.raises(AssertionError, match="not yet computed, run: python -m experiments"):
        world.program("figures", "fig=11", f"runs={tmp_path}")


def test_a_single_run_is_drawn_with_its_optimum(world, tmp_path):
    run = finished_runs(world.folder / "results/runs/fig11")[0]
    world.program("figures", "fig=11", f"runs={run.folder}", f"target={tmp_path}")
    assert {path.name for path in tmp_path.glob("*.png")} == {f"fig11_{run.folder.name}.png"}


def test_runs_of_different_conditions_are_not_mixed_in_one_picture(world):
    with pytest.raises(AssertionError, match=r"several (workloads|runs of one preset)"):
        world.program("figures", "fig=11", f"runs={world.folder}/results/runs")


@pytest.fixture(scope="module")
def page(world, drawn):
    world.program("claims")
    world.program("report")
    return (world.folder / "results" / "report.html").read_text()


def test_the_report_is_one_page_without_network(page):
    assert page.count("data:image/png;base64,") == 2
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", page)
    assert "Verdicts:" in page


def test_the_report_lists_every_claim(page, world):
    with (world.folder / "results" / "claims.csv").open() as file:
        claims = list(csv.DictReader(file))
    assert len(claims) >= 65
    for claim in claims:
        assert claim["id"] in page
    assert {"not yet computed", "input"} <= {claim["verdict"] for claim in claims}


def test_the_report_shows_the_mean_cost_of_every_agent(page, world):
    rows = slots_of(finished_runs(world.folder / "results/runs/fig11"))
    for preset, cost in rows.groupby("preset")["cost"].mean().items():
        assert str(preset) in page
        assert f"{cost:.4g}" in page
