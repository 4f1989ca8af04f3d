"""Figures, claims and report of a small sweep: all there, self-contained, and made from the runs."""

import csv
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.colors import to_rgb
from scipy.stats import spearmanr
from tests_support import SMALL, fail, finished_run, fits_in_print

from experiments import surface
from experiments.convergence import first_passage, settles
from experiments.figures import fig02, fig03, fig04, fig05, fig09, fig10, fig11, own_runs, style
from experiments.figures.__main__ import DRAW, main
from experiments.results import finished_runs, slots_of
from experiments.settings import compose_settings
from experiments.truth import cost_table, read_arrays
from serving.configuration import cpu_space
from serving.errors import UsageError


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
        assert "2 seeds" in (drawn / f"{name}.txt").read_text()


def test_fig11_draws_the_mean_over_seeds_of_the_smoothed_cost(drawn, world):
    rows = slots_of(finished_runs(world.folder / "results/runs/fig11"))
    numbers = pd.read_csv(drawn / "fig11.csv")
    assert set(numbers["preset"]) == {"rrl_plus_paper", "deeprm", "oracle"}
    mine = rows[(rows["preset"] == "deeprm") & (rows["workload"] == "dynamic")]
    per_seed = mine.pivot_table(index="seed", columns="slot", values="cost")
    smoothed = per_seed.T.rolling(25, center=True, min_periods=1).mean().T.mean()
    drawn_lines = numbers[(numbers["preset"] == "deeprm") & (numbers["workload"] == "dynamic")]
    np.testing.assert_allclose(drawn_lines["value"], smoothed[::10], rtol=1e-4)
    assert (drawn_lines["minute"] == 2 * smoothed.index[::10]).all()


def test_fig09_draws_what_the_runs_say(drawn, world):
    numbers = pd.read_csv(drawn / "fig09.csv").set_index(["radius", "seed"])
    for run in finished_runs(world.folder / "results/runs/fig09"):
        gap = run.table("slots")["gap"].to_numpy()
        drawn_run = numbers.loc[(run.config["agent"]["radius"], run.config["seed"])]
        for column, expected in [("first_passage", first_passage(gap)), ("settled", settles(gap))]:
            assert drawn_run[column] == expected or (expected is None and np.isnan(drawn_run[column]))
    summary = pd.read_csv(drawn / "fig09.csv").query("what != 'run'").set_index(["radius", "what"])
    for radius, runs in numbers.query("what == 'run'").groupby("radius"):
        low, middle, high = (summary.loc[(radius, what), "mean_cost_s"] for what in ("low", "median", "high"))
        np.testing.assert_allclose([low, high], [runs["mean_cost_s"].min(), runs["mean_cost_s"].max()])
        assert middle == pytest.approx(runs["mean_cost_s"].median(), rel=1e-5)


def test_fig09_counts_never_as_longer_than_any_run_in_medians_and_intervals():
    known = dict.fromkeys(
        ("first_passage", "settled", "prediction_error", "q_star_distance", "mean_cost_s"), 1.0
    )
    times = {0.0: [None, None, None, 40.0], 1.0: [30.0, 50.0, 60.0, None], 2.0: [10.0] * 4}
    runs = pd.DataFrame([
        {"gamma": 0.0, "radius": radius, "seed": seed, "slots": 99, "conv_q": time} | known
        for radius, all_seeds in times.items()
        for seed, time in enumerate(all_seeds)
    ])  # fmt: skip
    found = fig09.medians(runs).set_index(["radius", "what"])["conv_q"].unstack()
    np.testing.assert_allclose(found["median"], [np.inf, 55, 10])
    np.testing.assert_allclose(found["low"], [40, 30, 10])
    np.testing.assert_allclose(found["high"], [np.inf, np.inf, 10])
    drawing = fig09.drawing(runs)
    assert len(drawing.data) == 12 + 9
    bars = [bar.get_segments() for bar in drawing.figure.axes[0].collections if hasattr(bar, "get_segments")]
    assert np.concatenate(bars[0])[:, 1].max() == pytest.approx(99 * 1.3)


def test_fig09_draws_no_line_across_a_radius_whose_median_is_never():
    columns = ("conv_q", "first_passage", "prediction_error", "q_star_distance", "mean_cost_s")
    known = dict.fromkeys(columns, 30.0)
    runs = pd.DataFrame([
        {"gamma": 0.0, "radius": radius, "seed": seed, "slots": 99, "settled": time} | known
        for radius, time in ((0.0, 50.0), (1.0, None), (2.0, 40.0))
        for seed in range(3)
    ])  # fmt: skip
    (line,) = (one for one in fig09.drawing(runs).figure.axes[0].lines if one.get_label() == "gap: settled")
    np.testing.assert_allclose(line.get_ydata(), [50, np.nan, 40])


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
    assert not re.findall(r"(?:src|href)=['\"](?!data:|#)", page)
    assert "claims listed" in page


def test_the_report_lists_every_claim(page, world):
    with (world.folder / "results" / "claims.csv").open() as file:
        claims = list(csv.DictReader(file))
    assert len(claims) >= 65
    for claim in claims:
        assert claim["id"] in page
    assert {"not yet computed", "input"} <= {claim["verdict"] for claim in claims}


def test_the_report_shows_the_mean_cost_of_every_agent(page, world):
    rows = slots_of(finished_runs(world.folder / "results/runs/fig11"))
    for (_, preset), cost in rows.groupby(["workload", "preset"])["cost"].mean().items():
        assert str(preset) in page
        assert f"{cost:.3g}" in page or f"{cost:.4g}" in page  # in a table of experiments.compare, or without


@pytest.fixture(scope="module")
def here(world):
    """In the small world, with the shared look; overrides for tables of the loads that figures read."""
    style.apply()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world.folder)
        yield [*SMALL, "table.load_rps=[1,14]"]


def computed(experiment, overrides):
    """The arrays of a recipe's table, computed where they are missing."""
    plain = compose_settings([f"experiment={experiment}", *overrides])
    assert cost_table(plain) is not None
    return plain, read_arrays(plain)


def test_fig02_compares_with_sequential_execution(here):
    plain, arrays = computed("fig02", here)
    data = fig02.draw(None, here).data.set_index(["measure", "knob", "value"])["speed_up"]
    space = cpu_space(2, 0)
    cost = arrays["cost"][0]
    expected = cost[space.index((1, 1, 1))] / cost[space.index((1, 1, 2))]
    assert data["latency_at_1_rps", "intra-op", 2] == expected > 1
    for measure in ("latency_at_1_rps", "saturated_throughput"):
        assert (data[measure].xs(1, level="value") == 1).all()
    # Saturated, (2, 1, 1) serves two at once: twice as much, less what the profile's memory contention costs.
    contention = plain["hardware"]["models"]["inception_v3"]["memory_contention"]
    assert data["saturated_throughput", "request", 2] == pytest.approx(2 / (1 + contention))


@pytest.mark.parametrize("zero_distance", ["raw", "effective"])
def test_pairs_are_those_of_the_space(zero_distance):
    space = cpu_space(3, 0, 3)
    cost = np.random.default_rng(0).lognormal(size=space.size)
    distance, ratio = surface.pair_distances(space, zero_distance), surface.pair_ratios(cost)
    for pair, (first, second) in enumerate(combinations(range(space.size), 2)):
        assert distance[pair] == space.distances(first, "euclidean", zero_distance)[second]
        assert ratio[pair] == pytest.approx(max(cost[first] / cost[second], cost[second] / cost[first]))


@pytest.mark.parametrize("ties", [3, 1000])
def test_rank_correlation_is_spearmans(ties):
    rng = np.random.default_rng(ties)
    one, other = rng.integers(0, ties, 200), rng.normal(size=200)
    other += one
    assert surface.rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)


def test_fig03_counts_every_pair_once_and_keeps_steps_to_the_defaults_apart(here):
    _, arrays = computed("fig03", here)
    drawing = fig03.draw(None, here)
    for _, bins in drawing.data.groupby("zero_distance"):
        assert bins["pairs"].sum() == 27 * 26 / 2
        assert (np.diff(bins[["p10_ratio", "p25_ratio", "p50_ratio", "p75_ratio", "p90_ratio"]]) >= 0).all()
    cost = arrays["cost"][1].reshape(3, 3, 3)
    steps = [np.diff(np.log(cost), axis=axis).take(1, axis) for axis in range(3)]
    inner = np.abs(np.concatenate(steps)).ravel()
    assert f"of the {len(inner)} single steps" in drawing.caption
    assert f"at most {np.expm1(np.median(inner)):.0%} and" in drawing.caption


def test_fig05_draws_both_grids_at_batch_size_50(here, tmp_path):
    profile = {"fixed_s": 0.01, "request_s": 0.005, "contention": 0.8, "kernel_share": 0.8}
    hardware = {"name": "a_gpu", "processor": "gpu", "unbatched_requests": 40}
    (tmp_path / "gpu.yaml").write_text(yaml.safe_dump(hardware | {"models": {"inception_v3": profile}}))
    overrides = ["hardware=paper_cpu", f"hardware.file={tmp_path}/gpu.yaml", "progress=false"]
    overrides += ["system.batch_threads=[0,1,4]", "system.batch_timeout_us=[0,30000]"]
    overrides += ["system.batch_size=[8,50]", "table.relative_error=0.05"]
    for experiment in ("fig05", "fig05_code"):
        computed(experiment, overrides)
    drawing = fig05.draw(None, overrides)
    assert set(drawing.data["grid"]) == {"fig05", "fig05_code"}
    assert set(drawing.data["batch_size"]) == {50}
    assert set(drawing.data["load_rps"]) == {61}
    assert len(drawing.data) == 2 * 3 * 2
    assert "a_gpu" in drawing.caption
    assert fits_in_print(drawing)


@pytest.mark.parametrize("figure", [fig02, fig03, fig04])
def test_a_figure_of_a_table_fits_in_the_papers_column(figure, here):
    computed(figure.__name__[-5:], here)
    assert fits_in_print(figure.draw(None, here))


@pytest.mark.parametrize("figure", [fig09, fig11])
def test_a_figure_of_runs_fits_in_the_papers_column(figure, here, world):
    drawing = figure.draw(world.folder / "results/runs" / figure.__name__[-5:])
    assert fits_in_print(drawing)
    titles = [axes.get_title(loc="left") for axes in drawing.figure.axes]
    assert [title[:4] for title in titles] == [f"({letter}) " for letter in "abcdef"[: len(titles)]]


def test_fig10_tells_radii_apart_and_fits_in_the_papers_column(here, tmp_path):
    for radius in (0.0, 1.0, 2.0, 3.0, 5.0):
        agent = {"preset": "rrl_paper", "radius": radius}
        finished_run(tmp_path, 0, cost=0.1 + radius, experiment="fig10", agent=agent)
    agent = {"preset": "rrl_plus_paper", "credit": "same_slot"}
    finished_run(tmp_path, 0, experiment="fig10", agent=agent)
    drawing = fig10.draw(tmp_path)
    assert fits_in_print(drawing)
    colours = np.array([to_rgb(line.get_color()) for line in drawing.figure.axes[0].lines])
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2)[np.triu_indices(len(colours), 1)]
    assert apart.min() > 0.2
    assert "(a) Cost per slot" in drawing.caption


def test_runs_of_ones_own_fit_in_the_papers_column(here, world):
    first = finished_runs(world.folder / "results/runs/fig11")[0]
    assert fits_in_print(own_runs.draw(first.folder))


def test_a_load_that_the_table_lacks_is_named(here):
    computed("fig04", here)
    with pytest.raises(UsageError, match=r"table.load_rps=\[1.0, 14.0\], expected the load 7 of fig04"):
        surface.read_surface("fig04", 7.0, here)


def test_runs_that_failed_are_told_of_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fail(tmp_path / "runs", "fig10", "abc")
    fail(tmp_path / "runs", "fig12", "def")
    fail(tmp_path / "runs", "agents", "ghi")  # no figure's
    main([f"output_dir={tmp_path / 'runs'}"])
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "failed" in one]
    assert "failed: 1 of fig10, 1 of fig12 (" in line
    main([f"output_dir={tmp_path / 'runs'}", "fig=9"])
    assert "failed" not in capsys.readouterr().err


def test_a_figure_that_is_refused_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    def refuses(runs):
        raise UsageError(f"{runs} has runs that differ in ['slots'], expected one setting")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(DRAW, "fig09", refuses)
    for agent in (
        {"preset": "rrl_paper", "radius": 1.0},
        {"preset": "rrl_plus_paper", "credit": "same_slot"},
    ):
        finished_run(tmp_path / "runs", 0, experiment="fig10", agent=agent)
    assert main([f"output_dir={tmp_path / 'runs'}", f"target={tmp_path / 'drawn'}"]) == 2
    assert "fig09: " in capsys.readouterr().err
    assert (tmp_path / "drawn" / "fig10.png").exists()


def test_runs_that_cannot_be_read_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    damaged = finished_run(tmp_path / "runs", 0, experiment="fig09")
    (damaged / "slots.parquet").write_text("PAR1 and no more")
    assert main([f"output_dir={tmp_path / 'runs'}", "fig=9"]) == 1
    assert f"{damaged}: left out, " in capsys.readouterr().err
