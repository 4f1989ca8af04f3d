"""Claims that need no run of an agent: from exhaustive tables, the workload, the estimator."""

from pathlib import Path

import numpy as np
import pytest
from claim_runs import judged
from tests_support import SMALL

from experiments.claim_values import delta, markov
from experiments.claim_values.evidence import Evidence
from experiments.claim_values.outcome import Missing
from experiments.settings import compose_settings
from experiments.truth import table_path


@pytest.fixture
def random_table(tmp_path, monkeypatch):
    """A table of random costs where the claims look for it; the costs by load and flat index."""
    monkeypatch.chdir(tmp_path)
    cost = np.random.default_rng(0).lognormal(size=(3, 1331))
    cost[2] = cost[1]  # at 16 as at 14
    write_table(cost)
    return dict(zip((1, 14), cost[:2], strict=True))


def write_table(cost):
    """A table of these costs at 1, 14 and 16 requests/s."""
    arrays = dict.fromkeys(("capped", "p95_latency_s", "mean_latency_s", "utilisation"), np.zeros((3, 1331)))
    arrays |= {"load_rps": np.array([1.0, 14.0, 16.0]), "cost": cost, "standard_error": 0.01 * cost}
    path = table_path(compose_settings(["experiment=fig02"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


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


def test_the_same_order_at_two_loads_is_no_change(random_table):
    said = judged(Path(), "C071")
    assert abs(float(said.value)) < 0.001
    assert "100 % are among the best tenth" in said.reason


def test_another_order_at_a_load_apart_is_a_change(random_table):
    write_table(np.array([random_table[1], random_table[14], random_table[14] ** -3.0]))
    said = judged(Path(), "C071")
    assert float(said.value) == pytest.approx(2, abs=0.01)  # 15, halfway, has the reverse order
    assert said.verdict == "reproduced"


def test_a_second_load_helps_only_where_the_load_remembers_more_than_one():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(4000)
    one, two = np.zeros(4000), np.zeros(4000)
    for at in range(2, 4000):
        one[at] = 0.8 * one[at - 1] + noise[at]
        two[at] = 0.3 * two[at - 1] + 0.6 * two[at - 2] + noise[at]
    assert markov.prediction_error(one, 2) == pytest.approx(markov.prediction_error(one, 1), rel=0.01)
    assert markov.prediction_error(two, 2) == pytest.approx(1, rel=0.05)  # the noise
    # An AR(2) seen as AR(1): the error's variance grows by 1 / (1 - second coefficient squared).
    assert markov.prediction_error(two, 1) == pytest.approx(1 / np.sqrt(1 - 0.6**2), rel=0.05)


def test_the_gain_of_a_second_load_on_wiki(monkeypatch):
    monkeypatch.setattr(markov, "SEEDS", 2)
    monkeypatch.setattr(markov, "SLOTS", 100)
    said = markov.gain_of_a_second_load(Evidence([]))
    assert said == markov.gain_of_a_second_load(Evidence([]))
    assert said.estimate.seeds == 2


def test_the_relative_error_is_a_median_over_the_region():
    assert delta.relative_error(np.array([1.0, 3.0, 9.0]), np.array([2.0, 2.0, 3.0])) == 0.5


@pytest.mark.slow
def test_the_error_of_the_network_is_kept(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    overrides = [*SMALL, "agent.estimator_settings.steps=2"]
    first = delta.network_over_constant(Evidence([]), overrides, seeds=2, slots=10)
    assert first.estimate.seeds == 2
    (kept,) = Path("results/tables").glob("estimator_*.npy")
    monkeypatch.setattr(delta, "_errors", None)  # not asked again
    assert delta.network_over_constant(Evidence([]), overrides, seeds=2, slots=10) == first
    kept.write_text("damaged")
    with pytest.raises(TypeError):
        delta.network_over_constant(Evidence([]), overrides, seeds=2, slots=10)
    assert isinstance(delta.network_over_constant(Evidence([]), [*SMALL, "table.load_rps=[9,10]"]), Missing)
