"""The choice of the radius: candidates, expected improvement, the posterior, and what it does with them."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import multivariate_normal, norm

from agents.radius import BayesianRadius, lattice_radii
from agents.radius_gp import Hyperparameters, Samples, fit, posterior
from agents.radius_improvement import log_expected_improvement
from serving.configuration import ConfigurationSpace, Knob, cpu_space
from serving.errors import UsageError

RADII = np.sqrt([0, 1, 2, 3, 4, 5, 6, 8, 9, 12])


def fed(samples, seed=0, radii=RADII, **settings):
    """A chooser that has chosen and been told as often as there are samples."""
    chooser = BayesianRadius(radii, np.random.default_rng(seed), **settings)
    chosen = []
    for sample in samples:
        chosen.append(chooser.choose())
        chooser.observe(chosen[-1], sample(chosen[-1]) if callable(sample) else sample)
    return chooser, chosen


def test_candidates_are_the_distances_that_occur():
    np.testing.assert_allclose(lattice_radii(cpu_space(3, 1)), RADII, atol=1e-8)
    np.testing.assert_allclose(lattice_radii(cpu_space(10), 2.0), RADII[:5], atol=1e-8)
    np.testing.assert_allclose(lattice_radii(cpu_space(10), 4, metric="manhattan"), range(5))
    half = ConfigurationSpace((Knob("threads", (0, 1, 2, 3), zero_means=2),))
    np.testing.assert_allclose(lattice_radii(half, zero_distance="effective"), [0, 1, 2])
    odd = ConfigurationSpace((Knob("size", (0, 1, 2, 4), zero_means=3),))  # 0 stands half-way from 2 to 4
    np.testing.assert_allclose(lattice_radii(odd, zero_distance="effective"), [0, 0.5, 1, 1.5, 2])


def test_every_candidate_is_a_different_region_and_none_is_missing():
    space = cpu_space(4)
    sizes = [
        tuple(len(space.region(centre, radius)) for centre in range(space.size))
        for radius in lattice_radii(space)
    ]
    assert len(set(sizes)) == len(sizes)
    between = {tuple(len(space.region(c, r)) for c in range(space.size)) for r in np.arange(0, 6, 0.05)}
    assert between <= set(sizes)


@settings(max_examples=30, deadline=None)
@given(mean=st.floats(-3, 3), deviation=st.floats(0.05, 3), best=st.floats(-3, 3), margin=st.floats(0, 1))
def test_expected_improvement_is_the_integral_it_stands_for(mean, deviation, best, margin):
    target = best - margin
    integral, _ = quad(
        lambda r: (target - r) * norm.pdf(r, mean, deviation),
        min(target, mean) - 12 * deviation,
        target,
        points=sorted({min(mean, target), target}),
    )
    value = np.exp(log_expected_improvement(np.array([mean]), np.array([deviation]), best, margin))
    np.testing.assert_allclose(value, integral, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("z", [-0.5, -1.0, -1.01, -5.0, -37.0, -300.0, -999.0, -1001.0, -1e5])
def test_far_below_the_incumbent_it_still_tells_radii_apart(z):
    # log of the integral of Phi from -infinity to z, taken relative to Phi(z) so that it does not underflow
    relative, _ = quad(lambda v: np.exp(log_ndtr(z - v) - log_ndtr(z)), 0, 40 / max(1, -z))
    value = log_expected_improvement(np.array([-z]), np.array([1.0]), 0.0)
    np.testing.assert_allclose(value, log_ndtr(z) + np.log(relative), rtol=1e-6)


def test_without_uncertainty_it_is_the_gain():
    value = log_expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.5)
    np.testing.assert_allclose(np.exp(value), [1.5, 0.0])


@pytest.mark.parametrize(("number", "window"), [(9, None), (60, None), (60, 25)])
def test_the_posterior_is_that_of_all_raw_samples(number, window):
    import GPy

    rng = np.random.default_rng(number)
    chooser, chosen = fed([lambda r: 0.2 + 0.05 * r + 0.1 * rng.standard_normal()] * number, window=window)
    kept = slice(None) if window is None else slice(-window, None)
    x = np.array(chosen)[kept, None]
    y = np.array(chooser.state_dict()["value"])[:, None]
    assert len(y) == min(number, window or number)
    prior = chooser.prior
    model = GPy.models.GPRegression(
        x, y - prior.mean, GPy.kern.Matern52(1, prior.signal, prior.length_scale), noise_var=prior.noise
    )
    mean, variance = model.predict_noiseless(RADII[:, None])
    ours, deviation = chooser.belief()
    np.testing.assert_allclose(ours, mean[:, 0] + prior.mean, rtol=1e-6)
    np.testing.assert_allclose(deviation, np.sqrt(variance[:, 0]), rtol=1e-4)
    exact = _raw_posterior(prior, x[:, 0], y[:, 0])  # GPy adds 1e-8 to the diagonal; this does not
    np.testing.assert_allclose(ours, exact[0], rtol=1e-9)
    np.testing.assert_allclose(deviation, exact[1], rtol=1e-7)


def _raw_posterior(prior, x, y):
    everything = prior.covariance(np.concatenate([RADII, x]))
    k = len(RADII)
    seen = everything[k:, k:] + prior.noise * np.eye(len(x))
    weights = np.linalg.solve(seen, everything[k:, :k])
    variance = np.diag(everything[:k, :k]) - (everything[k:, :k] * weights).sum(axis=0)
    return prior.mean + (y - prior.mean) @ weights, np.sqrt(variance)


def test_between_two_fits_the_hyperparameters_stay():
    rng = np.random.default_rng(1)
    chooser, _ = fed([])
    fits = []
    for number in range(1, 310):
        before = chooser.prior
        chooser.observe(chooser.choose(), rng.random())
        if chooser.prior is not before:
            fits.append(number)
    assert fits == [1, 2, 4, 8, 16, 32, 64, 100, 200, 300]


def test_the_fit_is_the_most_likely_for_the_raw_samples():
    rng = np.random.default_rng(5)
    chosen = rng.integers(len(RADII), size=200)
    value = 3 + np.sin(RADII[chosen]) + 0.3 * rng.standard_normal(200)
    found = fit(RADII, Samples.of(chosen, value))
    assert found.noise == pytest.approx(0.09, rel=0.3)
    assert found.mean == pytest.approx(value.mean())

    def log_likelihood(signal, length_scale):
        prior = Hyperparameters(found.mean, signal, length_scale, found.noise)
        covariance = prior.covariance(RADII[chosen]) + prior.noise * np.eye(200)
        return multivariate_normal(np.full(200, prior.mean), covariance).logpdf(value)

    best = log_likelihood(found.signal, found.length_scale)
    for factor in (0.8, 1.25):
        assert log_likelihood(found.signal * factor, found.length_scale) < best
        assert log_likelihood(found.signal, found.length_scale * factor) < best


@pytest.mark.parametrize(("incumbent", "share"), [("best_sample", 0.6), ("posterior_mean", 0.9)])
def test_it_settles_where_the_cost_is_lowest_whatever_the_unit(incumbent, share):
    # Against its luckiest sample even the best radius looks bad, so best_sample goes on exploring.
    def chosen(unit):
        rng = np.random.default_rng(2)
        cost = lambda r: unit * (1 + 0.3 * (r - 2) ** 2 + 0.1 * rng.standard_normal())  # noqa: E731
        return fed([cost] * 130, incumbent=incumbent)[1]

    in_seconds = chosen(1.0)
    assert (abs(np.array(in_seconds[-50:]) - 2) < 0.5).mean() > share  # 4 of the 10 candidates lie there
    assert chosen(2.0**-10) == in_seconds
    assert chosen(2.0**20) == in_seconds


@pytest.mark.parametrize(
    "samples",
    [
        [0.2] * 130,
        [0.0] * 20,
        [1e12] * 20,
        [0.1, 1e9] * 40,
        [1e-12] * 5 + [1e12] * 5,
        [5.0] + [0.1] * 40,
    ],
    ids=["constant", "zero", "huge", "alternating", "jump", "one outlier"],
)
@pytest.mark.parametrize("incumbent", ["best_sample", "posterior_mean"])
def test_odd_costs_do_no_harm(samples, incumbent):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chooser, chosen = fed(samples, incumbent=incumbent)
    assert set(chosen) <= set(RADII)
    assert np.isfinite(chooser.belief()).all()


def test_one_candidate_is_always_chosen():
    _, chosen = fed([0.3, 0.2, 0.9] * 10, radii=[2.0])
    assert set(chosen) == {2.0}


def test_of_equals_the_smallest_is_chosen():
    chooser, chosen = fed([1.0] * 1, radii=[0.0, 1.0, 2.0], initial=[1])
    assert chosen == [1.0]
    mean, deviation = chooser.belief()
    assert (mean[0], deviation[0]) == (mean[2], deviation[2])
    assert chooser.choose() == 0.0


def test_initial_radii_come_first_in_random_order_as_the_largest_candidate_up_to_each():
    choosers = [BayesianRadius(RADII, np.random.default_rng(seed)) for seed in range(40)]
    orders = {tuple(chooser.choose() for _ in range(4)) for chooser in choosers}
    expected = sorted([0.0, 1.0, 3.0, np.sqrt(12)])
    assert all(sorted(order) == expected for order in orders)
    assert len(orders) > 10
    assert fed([1.0], initial=[])[1] == [3.0]


def test_samples_outside_the_window_are_forgotten():
    chooser, _ = fed([])
    for number in range(30):
        chooser.observe(RADII[number % 3], 9.0)
    windowed, _ = fed([], window=10)
    for number in range(30):
        windowed.observe(RADII[number % 3], 9.0 if number < 20 else 1.0)
    assert chooser.samples().count.sum() == 30
    assert windowed.samples().count.sum() == 10
    np.testing.assert_array_equal(windowed.samples().mean, 1.0)


def test_a_saved_chooser_goes_on_as_if_never_stopped():
    def cost(radius):
        return 1 + (radius - 1.5) ** 2

    for before in (0, 2, 11):
        chooser, _ = fed([cost] * before, window=20)
        other = BayesianRadius(RADII, np.random.default_rng(77), window=20)
        other.load_state_dict(pickle.loads(pickle.dumps(chooser.state_dict())))
        for _ in range(30):
            radius = chooser.choose()
            assert other.choose() == radius
            for each in (chooser, other):
                each.observe(radius, cost(radius))
        assert str(other.diagnostics()) == str(chooser.diagnostics())


def test_the_global_generator_is_left_alone():
    np.random.seed(3)  # noqa: NPY002 - GPy and its optimiser could draw from it
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rng = np.random.default_rng(0)
    fed([lambda r: r + rng.random()] * 40)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_posterior_far_from_samples_is_the_prior():
    prior = Hyperparameters(mean=2.0, signal=0.5, length_scale=0.3, noise=0.1)
    radii = np.array([0.0, 100.0])
    samples = Samples.of(np.array([0, 0]), np.array([5.0, 6.0]))
    mean, deviation = posterior(prior, prior.covariance(radii), samples)
    assert mean[1] == pytest.approx(2.0)
    assert deviation[1] == pytest.approx(np.sqrt(0.5))
    assert mean[0] == pytest.approx(2 + (5.5 - 2) * 0.5 / (0.5 + 0.05))
    assert deviation[0] == pytest.approx(np.sqrt(0.5 - 0.25 / 0.55))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"radii": []}, "radii=.*expected distinct ascending"),
        ({"radii": [1.0, 0.0]}, "radii=.*expected distinct ascending"),
        ({"radii": [-1.0]}, r"radii=\[-1\.0\], expected a list of finite numbers >= 0"),
        ({"radii": 3}, "radii=3, expected a list of finite numbers >= 0"),
        ({"radii": "3"}, "radii=3, expected a list of finite numbers >= 0"),
        ({"radii": ["a"]}, r"radii=\['a'\], expected a list of finite numbers >= 0"),
        ({"initial": [-1]}, r"initial_radii=\[-1\], expected a list of finite numbers >= 0"),
        ({"margin": -0.1}, "margin=-0.1, expected a finite number >= 0"),
        ({"incumbent": "luck"}, r"incumbent='luck', choose from \['best_sample', 'posterior_mean'\]"),
        ({"window": 0}, "window=0"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(bad, says):
    with pytest.raises(UsageError, match=says) as caught:
        BayesianRadius(**({"radii": RADII, "rng": np.random.default_rng(0)} | bad))
    assert "\n" not in str(caught.value)
