"""Whole pieces of simulation, small: what the lines of the benchmark say is what was done."""

from experiments.bench_simulator import overload_us, run_once, table_line


def test_the_table_has_every_cell():
    line = table_line([14.0], 200)
    assert line["cells"] == 1331
    assert line["wall_s"] > 0


def test_overload_and_run_are_timed():
    assert all(us > 0 for us in overload_us((0.5, 2.0), rounds=1).values())
    cpu_s, peak_mib = run_once(5, trace=True)
    assert cpu_s > 0
    assert peak_mib > 0
