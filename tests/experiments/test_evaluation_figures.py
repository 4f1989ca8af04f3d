"""Fig. 11 to 15: which runs stand in a panel, and that what is drawn is what they say."""

import numpy as np
import pandas as pd
import pytest
from tests_support import finished_run, fits_in_print, run_here

from experiments.arms import arms
from experiments.figures import fig14, fig15, style, tails
from experiments.figures.conditions import Condition, compared
from experiments.results import finished_runs
from serving.errors import UsageError

HERE = Condition("here", "wiki", "inception_v3", "sim_cpu")


def made_up(folder, seed=0, preset="deeprm", **settings):
    named = {"workload": {"name": "wiki"}, "system": {"name": "sim_cpu"}, "hardware": {"name": "made_up"}}
    shared = {"slot_s": 120.0, "servers": 1, "load_seen": "previous", "objective": {"slo_s": 0.2}}
    agent = {"preset": preset} | settings.pop("agent", {})
    return finished_run(folder, seed, agent=agent, **(named | shared | settings))


def test_a_panel_holds_the_papers_agents_and_the_references(tmp_path):
    for preset in ("random", "oracle", "deeprm_tuned", "rrl_plus_paper"):
        made_up(tmp_path, preset=preset)
    made_up(tmp_path, preset="deeprm", workload={"name": "dynamic"})
    (panel,) = compared(tmp_path, "fig11", [HERE])
    assert list(panel.by_preset) == ["rrl_plus_paper", "deeprm_tuned", "oracle"]


def test_without_the_papers_agents_it_says_what_to_run(tmp_path):
    made_up(tmp_path, preset="oracle")
    with pytest.raises(style.NotYetComputedError, match="experiment=fig11 workload=wiki model"):
        compared(tmp_path, "fig11", [HERE])


def test_two_settings_of_an_agent_are_not_mixed(tmp_path):
    made_up(tmp_path)
    made_up(tmp_path, seed=1, agent={"decay": 0.5})
    with pytest.raises(UsageError, match=r"deeprm under here that differ in \['agent.decay'\]"):
        compared(tmp_path, "fig11", [HERE])


def test_agents_of_a_panel_met_the_same(tmp_path):
    made_up(tmp_path)
    made_up(tmp_path, preset="rrl_plus_paper", slots=50)
    with pytest.raises(UsageError, match="slots=100 for deeprm and 50 for others"):
        compared(tmp_path, "fig11", [HERE])


def test_a_lost_request_took_longer_than_any(tmp_path):
    run = made_up(tmp_path, latency_s=[0.1, 0.2, 0.3])
    slots = pd.read_parquet(run / "slots.parquet").assign(rejections=0, timeouts=0, errors=0)
    slots.loc[[3, 7], "rejections"] = [1, 2]
    slots.to_parquet(run / "slots.parquet")
    (arm,) = arms(finished_runs(tmp_path))
    curve = tails.ccdf(arm)
    above = curve.set_index("latency_s")["value"]
    assert above[above.index > 0.11].iloc[0] == pytest.approx(5 / 6)
    assert above[above.index > 0.21].iloc[0] == pytest.approx(4 / 6)
    assert above.min() == pytest.approx(above[above.index > 0.28].iloc[0])
    assert above.min() >= 3 / 6 - 1e-12


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two agents on every condition of both figures, 20 slots, two seeds, two servers instead of ten."""
    folder = tmp_path_factory.mktemp("evaluation")
    for experiment, figure in (("fig14", fig14), ("fig15", fig15)):
        servers = 2 if experiment == "fig14" else 1
        for condition in figure.CONDITIONS:
            for agent in ("rrl_plus_paper", "deeprm_tuned"):
                for seed in (0, 1):
                    run_here(
                        folder, f"experiment={experiment}", f"agent={agent}", f"seed={seed}", "slots=20",
                        f"model={condition.model}", f"system={condition.system}", f"servers={servers}",
                        "truth=false",
                    )  # fmt: skip
    style.apply()
    return folder


def rows_of(folder, preset, system):
    found = (run.table("slots") for run in finished_runs(folder) if run.config["agent"]["preset"] == preset)
    return [slots for slots in found if slots["system"].iloc[0] == system]


def test_fig14_draws_the_share_over_each_latency(runs, tmp_path):
    drawing = fig14.draw(runs / "fig14")
    assert fits_in_print(drawing)
    data = drawing.data
    assert set(map(tuple, data[["model", "system"]].to_numpy())) == {
        (one.model, one.system) for one in fig14.CONDITIONS
    }
    for _, curve in data.groupby(["model", "system", "preset"]):
        assert (np.diff(curve["value"]) <= 1e-12).all()
        assert (curve["low"] <= curve["value"]).all()
        assert (curve["value"] <= curve["high"]).all()
    shares = []
    for slots in rows_of(runs / "fig14", "rrl_plus_paper", "sim_gpu"):
        over = slots["slo_violations"].sum() + slots["rejections"].sum()
        shares.append(100 * over / (slots["completions"].sum() + slots["rejections"].sum()))
    assert f"Inception V3, GPU (235 ms): RRL Plus {np.mean(shares):.3g} %" in drawing.caption
    assert "2 servers, 2 seeds; without runs: DeepRM (Inception V3, CPU)" in drawing.caption
    assert {path.suffix for path in style.save(drawing, tmp_path)} == {".png", ".pdf", ".csv", ".txt"}


def test_fig15_draws_latency_and_use_of_each_processor(runs):
    drawing = fig15.draw(runs / "fig15")
    assert fits_in_print(drawing, style.WIDE_INCHES)
    data = drawing.data.set_index(["model", "system", "preset", "what"])
    measures = data.index.droplevel(["model", "preset"]).unique()
    assert set(measures) == {
        ("sim_cpu", "p95_latency_s"), ("sim_cpu", "cpu_utilisation"),
        ("sim_gpu", "p95_latency_s"), ("sim_gpu", "gpu_utilisation"),
    }  # fmt: skip
    slots = rows_of(runs / "fig15", "deeprm_tuned", "sim_gpu")
    for column in ("p95_latency_s", "gpu_utilisation"):
        drawn = data.loc[("inception_v3", "sim_gpu", "deeprm_tuned", column)]
        expected = np.mean([one[column].iloc[:13].mean() for one in slots])
        assert drawn["value"].iloc[0] == pytest.approx(expected)
    used = 100 * np.mean([one["gpu_utilisation"].mean() for one in slots])
    assert f"DeepRM, tuned {used:.0f} %" in drawing.caption.split("Inception V3, GPU")[-1]


def test_a_tuned_agent_looks_like_the_published_one_but_dashed():
    for published, tuned in [
        ("rrl_plus_paper", "rrl_plus_tuned"), ("capes_published", "capes_tuned"), ("deeprm", "deeprm_tuned"),
        ("rrl_paper", "rrl_tuned"), ("q_learning", "q_learning_tuned"),
    ]:  # fmt: skip
        assert style.colour(tuned) == style.colour(published)
        assert style.label(tuned) == f"{style.label(published)}, tuned"
        assert (style.dashes(published), style.dashes(tuned)) == ("-", "--")
    assert len(set(style.COLOURS.values())) == len(style.COLOURS)
