"""The WiKi workload: its generator against the published shape, and replay."""

import itertools

import numpy as np
import pytest
from workload_worlds import FIRST_HOUR, PER_MINUTE, REAL, made_minutes, real_trace

from serving.errors import UsageError
from workloads.traces.load import load_trace
from workloads.traces.statistics import minute_residual, rate_statistics
from workloads.wiki import Wiki
from workloads.wiki_rate import wiki_rate

# Of the real per-minute trace, as published with it (features.json), and how far a generator may be off.
PUBLISHED = {
    "cv": (0.269, 0.02),
    "p999_over_mean": (1.55, 0.12),
    "p001_over_mean": (0.522, 0.03),
    "hour_change_std": (0.085, 0.006),
    "residual_std": (0.0076, 0.0008),
    "residual_acf1": (0.524, 0.13),  # the fitted model's own is 0.62-0.65
}
TRACE_MINUTES, TRACE_START_H = 17464, 44 + 11 / 60  # Tuesday 20:10:43 UTC


def generated(seed: int, minutes: int = TRACE_MINUTES, preset: str = "calm", start_h: float = TRACE_START_H):
    rates = wiki_rate(1.0, preset, start_h, np.random.default_rng(seed))
    return np.fromiter(itertools.islice(rates, minutes), float)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_generator_has_the_published_statistics(seed, name):
    value, tolerance = PUBLISHED[name]
    assert getattr(rate_statistics(generated(seed)), name) == pytest.approx(value, abs=tolerance)


def test_the_statistics_of_the_real_trace_are_the_published_ones():
    found = rate_statistics(load_trace(real_trace(PER_MINUTE)).rate_rps)
    assert found.cv == pytest.approx(0.269, abs=0.0005)
    assert found.p999_over_mean == pytest.approx(1.55, abs=0.005)
    assert found.p001_over_mean == pytest.approx(0.522, abs=0.0005)
    assert found.hour_change_std == pytest.approx(0.085, abs=0.0005)
    assert found.residual_std == pytest.approx(0.0076, abs=0.0001)
    assert found.residual_acf1 == pytest.approx(0.524, abs=0.03)  # how outliers were cut is not published
    assert found.spikes_per_day == pytest.approx(1.24, abs=0.01)


def test_the_generator_resembles_the_real_trace_hour_by_hour():
    real = load_trace(real_trace(PER_MINUTE)).rate_rps
    made = np.mean([generated(seed) for seed in range(5)], axis=0)
    hours = TRACE_MINUTES // 60
    real_hour, made_hour = (
        rate[: hours * 60].reshape(hours, 60).mean(axis=1) / rate.mean() for rate in (real, made)
    )
    assert np.corrcoef(real_hour, made_hour)[0, 1] > 0.97
    assert np.abs(real_hour - made_hour).mean() < 0.05


def test_statistics_of_known_series():
    rng = np.random.default_rng(0)
    white = rate_statistics(100 * np.exp(0.01 * rng.standard_normal(50_000)))
    assert white.cv == pytest.approx(0.01, rel=0.05)
    assert white.residual_std == pytest.approx(0.01, rel=0.05)
    assert white.hour_change_std == pytest.approx(0.01 * np.sqrt(2), rel=0.05)
    assert white.residual_acf1 == pytest.approx(0.0, abs=0.03)
    assert white.spikes_per_day == 0
    noise = np.zeros(50_000)
    for i in range(1, len(noise)):
        noise[i] = 0.6 * noise[i - 1] + 0.005 * rng.standard_normal()
    assert rate_statistics(np.exp(noise)).residual_acf1 == pytest.approx(0.6, abs=0.06)
    spiky = np.full(14_400, 5.0)
    spiky[np.arange(500, 14_400, 1440)] *= 1.2
    assert rate_statistics(spiky + 0.001 * rng.standard_normal(14_400)).spikes_per_day == pytest.approx(
        1.0, rel=0.01
    )


@pytest.mark.parametrize("preset", ["calm", "spiky"])
def test_the_mean_of_weeks_is_the_mean_asked_for(preset):
    weeks = [generated(seed, 10_080, preset, 0.0).mean() for seed in range(12)]
    assert np.mean(weeks) == pytest.approx(1.0, abs=0.01)


def test_the_spiky_preset_adds_its_spikes_to_the_calm_one():
    seeds, days = range(4), 20
    excess = []
    for seed in seeds:
        calm, spiky = (generated(seed, days * 1440, preset) for preset in ("calm", "spiky"))
        ratio = spiky / calm
        excess.append(ratio / ratio.min() - 1)
    excess = np.array(excess)
    starts = np.count_nonzero((excess[:, 1:] > 0.2) & (excess[:, :-1] <= 0.2)) / (len(seeds) * days)
    assert 0.5 <= starts <= 1.0
    assert 0.3 < excess.max() < 2.5
    assert np.mean(excess > 0.05) < 0.05  # gone again within half an hour or so


def test_calm_spikes_are_rare_and_small():
    residual = np.concatenate([minute_residual(generated(seed)) for seed in range(3)])
    days = len(residual) / 1440
    large = np.count_nonzero((residual[1:] > 0.10) & (residual[:-1] <= 0.10)) / days
    assert 0.02 < large < 0.5  # 0.16 a day in the trace


def test_weeks_start_on_monday_midnight():
    monday = Wiki(compression=14.4, slot_s=100.0)  # 24 min per slot: 60 slots a day
    loads = np.array([slot.true_load_rps for slot in monday.slots(0, 7 * 60)]).reshape(7, 60)
    days = loads.mean(axis=1)
    assert days[5] == days.min()  # Saturday is the quietest day
    assert days[:3].min() > days[5:].max()
    hour = loads.mean(axis=0)
    assert 4 <= np.argmin(hour) * 0.4 <= 7  # night in UTC: five to six o'clock
    assert 13 <= np.argmax(hour) * 0.4 <= 17
    noon = next(iter(Wiki(start_h=12.0).slots(0, 1))).true_load_rps
    midnight = next(iter(Wiki().slots(0, 1))).true_load_rps
    assert noon > 1.1 * midnight


def test_a_trace_is_replayed_bin_by_bin_at_the_mean_asked_for(tmp_path):
    counts = [600, 1200, 1800, 600, 1200, 600]
    trace = made_minutes(tmp_path / "six.csv", counts)
    slots = list(Wiki(trace=str(trace), mean_rps=8.0).slots(0, 3))
    expected = np.array(counts).reshape(3, 2).mean(axis=1) / 1000 * 8.0
    assert [slot.true_load_rps for slot in slots] == pytest.approx(expected)
    assert np.mean([slot.true_load_rps for slot in slots]) == pytest.approx(8.0)


@pytest.mark.parametrize(("compression", "available"), [(1.0, 3), (0.5, 6), (3.0, 1), (14.4, 0)])
def test_a_run_longer_than_the_trace_says_how_long_it_is(tmp_path, compression, available):
    trace = made_minutes(tmp_path / "six.csv", [600] * 6)
    workload = Wiki(trace=str(trace), compression=compression)
    assert len(list(workload.slots(0, available))) == available
    with pytest.raises(
        UsageError, match=f"slots={available + 1}: must be at most {available},.*workload.repeat=true"
    ):
        workload.slots(0, available + 1)


def test_a_repeated_trace_starts_again_where_it_ends(tmp_path):
    trace = made_minutes(tmp_path / "three.csv", [600, 1200, 1800])
    slots = list(Wiki(trace=str(trace), mean_rps=20.0, repeat=True, slot_s=60.0).slots(0, 8))
    assert [slot.true_load_rps for slot in slots] == pytest.approx([10, 20, 30, 10, 20, 30, 10, 20])


def test_compression_shortens_the_time_and_keeps_the_rate(tmp_path):
    trace = made_minutes(tmp_path / "day.csv", [600 + 10 * (i % 60) for i in range(1440)])
    plain = Wiki(trace=str(trace), slot_s=120.0 * 14.4)
    compressed = Wiki(trace=str(trace), compression=14.4)
    assert len(list(compressed.slots(0, 50))) == 50
    for a, b in zip(plain.slots(0, 50), compressed.slots(0, 50), strict=True):
        assert a.true_load_rps == pytest.approx(b.true_load_rps)
    made = Wiki(compression=14.4)
    loads = [slot.true_load_rps for slot in made.slots(0, 100)]  # a whole day
    assert max(loads) > 1.8 * min(loads)


def test_a_bad_trace_is_refused_before_the_first_slot(tmp_path):
    with pytest.raises(UsageError, match=r"workload.trace=.*No such file"):
        Wiki(trace=str(tmp_path / "missing.csv")).slots(0, 1)


def test_day_and_night_of_the_real_trace_are_where_they_belong():
    series = load_trace(real_trace(PER_MINUTE))
    assert f"{series.start:%Y-%m-%d %H:%M:%S %z}" == "2007-09-18 20:10:43 +0000"
    assert len(series.rate_rps) == TRACE_MINUTES
    assert series.mean_rps == pytest.approx(2285.3, abs=0.05)
    hour = ((np.arange(TRACE_MINUTES) + 0.5) / 60 + 20 + 10 / 60 + 43 / 3600) % 24
    profile = [series.rate_rps[hour.astype(int) == h].mean() / series.mean_rps for h in range(24)]
    assert profile[5] == pytest.approx(0.623, abs=0.01)
    assert profile[15] == pytest.approx(1.348, abs=0.01)
    assert (int(np.argmin(profile)), int(np.argmax(profile))) == (5, 15)


def test_the_real_trace_is_replayed_at_eleven_requests_per_second():
    workload = Wiki(trace=str(real_trace(PER_MINUTE)))
    slots = list(workload.slots(0, 8732))  # all of it
    loads = np.array([slot.true_load_rps for slot in slots])
    assert loads.mean() == pytest.approx(11.0, rel=1e-6)
    assert 16.5 < np.percentile(loads, 99) < 17.5
    arrived = sum(len(slot.arrival_s) for slot in slots)
    assert arrived == pytest.approx(11.0 * 8732 * 120, abs=4 * np.sqrt(arrived))
    assert workload.max_load_rps == 22.0
    with pytest.raises(UsageError, match="at most 8732"):
        workload.slots(0, 8733)


def test_the_first_hour_agrees_in_both_real_files():
    fine, minutes = load_trace(real_trace(FIRST_HOUR)), load_trace(real_trace(PER_MINUTE))
    assert fine.rate_rps.sum() * fine.bin_s == 10_569_541
    per_minute = fine.rate_rps[: 6000 * 60].reshape(60, 6000).mean(axis=1)
    assert per_minute == pytest.approx(minutes.rate_rps[:60], rel=0.02)
    assert per_minute.mean() / minutes.rate_rps[:60].mean() == pytest.approx(0.994, abs=0.001)


@pytest.mark.filterwarnings("ignore:.*have no data")
def test_every_real_file_loads():
    files = sorted(REAL.glob("*.gz"))
    if not files:
        pytest.skip("the real traces are not here: they are not part of the repository")
    series = {path.name: load_trace(path) for path in files}
    assert all(np.all(one.rate_rps >= 0) and one.mean_rps > 0 for one in series.values())
    hourly = series["wikimedia_total_hourly_2008-2013.csv.gz"]
    assert (len(hourly.rate_rps), hourly.filled_bins) == (47_479, 424 + 138)
    assert hourly.rate_rps.min() > 0
    assert len(series["wikibench_39h_68s_en.txt.gz"].rate_rps) == 2066 - 2
