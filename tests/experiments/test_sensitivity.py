"""The sensitivity study: which runs it wants, how it finds them again, and what it says about them."""

import json
import signal
from itertools import product
from math import prod

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from tests_support import fail, finished_run

from experiments.claim_values.outcome import Missing, Refuted
from experiments.results import finished_runs
from experiments.sensitivity import __main__ as program
from experiments.sensitivity import arms, figure, judge, sweep
from experiments.sensitivity.arms import all_arms, overrides
from experiments.sensitivity.conditions import BASE, CONDITIONS, FIXED, PUBLISHED, TUNED
from experiments.sensitivity.headlines import HEADLINES, SAVING, STEADY, WIKI, Player, sooner, times_sooner
from experiments.settings import compose_settings
from experiments.sweep_commands import products

BY_NAME = {(condition.choice, condition.name): condition for condition in CONDITIONS}
SLOT, BETA = BY_NAME["slot length", "14 s"], BY_NAME["beta", "80"]
PLUS, CAPES, DEEPRM = PUBLISHED


def headline(heading, name, settings="published"):
    (found,) = (
        one for one in HEADLINES if (one.heading, one.name, one.settings) == (heading, name, settings)
    )
    return found


def expanded(one):
    """The runs of a sweep, as hydra reads it."""
    parsed = OverridesParser.create().parse_overrides(list(one))
    values = [
        list(each.sweep_string_iterator()) if each.is_sweep_override() else [each.get_value_element_as_str()]
        for each in parsed
    ]
    keys = [each.key_or_group for each in parsed]
    return [frozenset(zip(keys, row, strict=True)) for row in product(*values)]


def test_the_sweeps_are_the_arms_and_nothing_else():
    wanted = all_arms(CONDITIONS)
    sweeps = products(wanted)
    runs = [run for one in sweeps for run in expanded(one)]
    assert len(runs) == len(set(runs)) == len(wanted)
    assert set(runs) == {run for arm in wanted for run in expanded(arm)}
    assert len(sweeps) < 40


def test_sweeps_that_differ_in_two_settings_are_not_merged():
    given = [("a=1", "b=1"), ("a=2", "b=2"), ("a=1", "b=2")]
    assert sum(prod(each.count(",") + 1 for each in one) for one in products(given)) == 3


def test_a_choice_of_one_agent_leaves_its_competitors_as_they_are():
    assert overrides(WIKI, Player(CAPES), BETA) == overrides(WIKI, Player(CAPES), BASE)
    assert "agent.beta=80.0" in overrides(WIKI, Player(PLUS), BETA)
    tuned = headline("cost below CAPES", "WiKi", "tuned")
    assert not tuned.judged_under(BETA)
    assert tuned.judged_under(SLOT)
    assert tuned.judged_under(BASE)


def test_what_costs_utilisation_alone_is_varied_where_that_is_measured():
    idle = BY_NAME["busy-waiting", "none"]
    assert "hardware.models.inception_resnet_v2.spinning=0.0" in overrides(SAVING, Player(PLUS), idle)
    judged = {one.heading for one in HEADLINES if one.judged_under(idle)}
    assert judged == {"CPU saved"}


@pytest.mark.parametrize("condition", CONDITIONS[1:], ids=lambda one: f"{one.choice}: {one.name}")
def test_every_condition_is_a_setting_that_differs_from_the_base(condition):
    preset = condition.concerns[0] if condition.concerns else PLUS
    world = next(one for one in (WIKI, SAVING) if one.varies(condition))
    changed, base = (judge._settings(overrides(world, Player(preset), one)) for one in (condition, BASE))
    assert changed != base


def test_the_radii_are_varied_with_what_is_rrls_own():
    speed = headline("radius 1 on 0", "settles")
    assert "agent.beta=80.0" in overrides(STEADY, speed.ours, BETA)
    assert {"agent.radius=1.0", "agent.gamma=0.5"} < set(
        overrides(STEADY, speed.ours, BY_NAME["discount", "0.5"])
    )


@pytest.fixture
def few(monkeypatch):
    """Three conditions, so that few settings are composed."""
    monkeypatch.setattr(judge, "CONDITIONS", (BASE, SLOT, BETA))


def play(folder, world, player, condition, seeds=3, **made_up):
    """Runs with the settings of an arm and made-up rows."""
    arm = overrides(world, player, condition, ("slots=60",))
    for seed in range(seeds):
        run = finished_run(folder, seed, experiment="sensitivity", slots=60, arm=arm, **made_up)
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["config"] = compose_settings([*arm, f"seed={seed}"])
        (run / "manifest.json").write_text(json.dumps(manifest))


def judged(folder):
    table = judge.judge(finished_runs(folder), ("slots=60",))
    return table.set_index(["condition", "comparison", "where", "settings"]).sort_index()


def test_claims_are_judged_under_the_conditions_of_their_runs(few, tmp_path):
    for player, condition, cost in [
        (PLUS, BASE, 0.3), (CAPES, BASE, 1.0), (PLUS, SLOT, 0.5), (CAPES, SLOT, 0.4), (PLUS, BETA, 0.9),
        (TUNED[0], BASE, 0.1),
    ]:  # fmt: skip
        play(tmp_path, WIKI, Player(player), condition, cost=cost)
    table = judged(tmp_path)
    of_capes = table.xs(("cost below CAPES", "WiKi", "published"), level=(1, 2, 3))
    assert of_capes["value"].to_dict() == pytest.approx({"base": 70.0, "14 s": -25.0, "80": 10.0})
    assert of_capes["verdict"].to_dict() == {"base": "reproduced", "14 s": "not reproduced", "80": "partly"}
    assert set(of_capes["seeds"]) == {3}
    other = table.loc[("base", "cost below CAPES", "WiKi", "tuned")]
    assert other["verdict"] == "not computable"
    assert "experiments.sensitivity.sweep" in other["reason"]
    assert table.loc[("base", "cost below CAPES", "Dynamic", "published"), "verdict"] == "not computable"
    play(tmp_path, WIKI, Player(TUNED[1]), BASE, cost=0.2, seeds=1)
    other = judged(tmp_path).loc[("base", "cost below CAPES", "WiKi", "tuned")]
    assert (other["verdict"], other["seeds"]) == ("not computable", 0)
    assert other["reason"].startswith("1 seed, an interval needs 2")


def test_what_never_settles_has_no_number(few, tmp_path):
    for condition, ours, others in [(BASE, 30, 100), (SLOT, 100, 30), (BETA, 100, 100)]:
        for player, slots in ((PLUS, ours), (FIXED, others)):
            gap = np.where(np.arange(60) < slots - 25, 1e9, 1.0)
            play(tmp_path, WIKI, Player(player), condition, gap=gap)
    settles = judged(tmp_path).xs(("against RRL, radius 3", "settles, WiKi", "published"), level=(1, 2, 3))
    assert settles["value"].isna().all()
    assert settles["verdict"].to_dict() == {
        "base": "not computable", "14 s": "not reproduced", "80": "not reproduced"
    }  # fmt: skip
    assert "ours settles" in settles.loc["base", "reason"]


def test_a_ratio_of_times_that_are_both_never_is_not_known():
    never = np.full((3, 2), np.inf)
    assert isinstance(times_sooner(never), Missing)
    assert isinstance(sooner(never), Refuted)
    assert times_sooner(np.array([[100.0, 500.0]] * 3)).value == pytest.approx(5.0)
    assert sooner(np.array([[80.0, 100.0]] * 3)).value == pytest.approx(20.0)


def row(condition, verdict, value, comparison="cost below CAPES"):
    labels = {"choice": "" if condition == "base" else "hardware profile", "condition": condition}
    labels |= {"comparison": comparison, "where": "WiKi", "settings": "published", "claim": "C022"}
    return labels | {"paper_value": "70.1", "unit": "%", "value": value, "verdict": verdict}


def test_the_summary_counts_what_could_be_judged():
    verdicts = {"base": "reproduced", "a": "partly", "b": "not reproduced", "c": "not computable"}
    (line,) = judge.summary(pd.DataFrame([row(name, verdict, 1.0) for name, verdict in verdicts.items()]))
    assert line.startswith("cost below CAPES, WiKi (published): holds in 1 of 3 conditions, in part in 1")
    assert "(1 not computable); in 1 of 3 hardware profiles" in line


def test_the_figure_has_a_coloured_cell_for_every_row_of_the_table():
    verdicts = [
        ("base", "reproduced", 70.0),
        ("a", "not reproduced", np.nan),
        ("b", "not computable", np.nan),
    ]
    table = pd.DataFrame([row(*one) for one in [*verdicts, ("c", "partly", -4321.0)]])
    drawing = figure.draw(table, "Two seeds.")
    (axes,) = drawing.figure.axes
    said = [text.get_text() for text in axes.texts]
    assert {"70", "never", "\N{EN DASH}", "<-999", "1/3"} <= set(said)
    assert len({patch.get_facecolor() for patch in axes.patches}) == len(axes.patches) == 4
    pd.testing.assert_frame_equal(drawing.data, table)


def test_a_choice_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        sweep.main(["only=weather"])
    assert "only=weather is not a choice, choose from ['hardware profile'" in capsys.readouterr().err


def test_without_runs_the_study_says_what_to_run_and_what_failed(few, tmp_path, capsys):
    fail(tmp_path, "sensitivity", "abc")
    assert program.main([f"output_dir={tmp_path}", f"target={tmp_path}"]) == 1
    err = capsys.readouterr().err
    assert "without runs that failed: 1 of sensitivity" in err
    assert err.endswith("experiments.sensitivity.sweep run=1\n")
    also = "also=slots=60 truth=false"
    assert program.main([f"output_dir={tmp_path}", f"target={tmp_path}", also]) == 1
    assert capsys.readouterr().err.endswith(f"experiments.sensitivity.sweep run=1 '{also}'\n")
    assert [path.name for path in tmp_path.iterdir()] == ["sensitivity"]


def test_a_wrong_setting_of_all_sweeps_is_told_once(capfd):
    options = ["run=1", "seeds=1", "launcher=basic", "only=beta"]
    assert sweep.main([*options, "also=sluts=40"]) == 2
    first, told, failed = capfd.readouterr().err.splitlines()
    assert first.startswith("command 1 of ")
    assert "sluts" in told
    assert failed.startswith("failed: python -m experiments.run --multirun")
    with pytest.raises(SystemExit) as stopped:
        sweep.main(["run=2"])
    assert stopped.value.code == 2
    assert capfd.readouterr().err == "run=2, expected 0 or 1\n"


def test_a_sweep_that_is_killed_or_fails_stops_no_other_and_is_told(monkeypatch, capfd):
    killed = ["-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    failing, good = ["-c", "raise SystemExit(1)"], ["-c", "pass"]
    for first in (killed, failing):
        monkeypatch.setattr(sweep, "commands", lambda *_, one=first: [one, good])
        assert sweep.main(["run=1"]) == 1
        err = capfd.readouterr().err
        assert "command 2 of 2" in err
        assert err.count("failed: ") == 1


def test_an_interrupted_study_says_one_line_and_waits_for_its_sweep(monkeypatch, tmp_path, capfd):
    sweeper = tmp_path / "sweeper.py"
    sweeper.write_text(
        "import os, pathlib, signal, sys, time\n"
        "try:\n"
        "    os.kill(os.getppid(), signal.SIGINT)\n"
        "    time.sleep(30)\n"
        "except KeyboardInterrupt:\n"
        "    time.sleep(0.5)\n"
        "    pathlib.Path(sys.argv[1]).touch()\n"
    )
    monkeypatch.setattr(sweep, "commands", lambda *_: [[str(sweeper), str(tmp_path / "wound_up")]] * 2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run beside others
    try:
        assert sweep.main(["run=1"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "wound_up").exists()
    assert capfd.readouterr().err.splitlines() == [
        "command 1 of 2",
        "interrupted: the same command goes on from here",
    ]


@pytest.mark.slow
def test_the_study_from_its_sweep_to_its_figure(few, monkeypatch, tmp_path, capsys):
    speed = headline("radius 1 on 0", "settles")
    for module in (arms, judge):
        monkeypatch.setattr(module, "HEADLINES", (speed,))
    also = f"also=slots=60 system.grid_maximum=2 progress=false output_dir={tmp_path}"
    assert sweep.main(["run=1", "seeds=2", "launcher=basic", "only=beta", also]) == 0
    assert len(finished_runs(tmp_path / "sensitivity")) == 2 * 2 * len(
        [one for one in CONDITIONS if one.choice in ("", "beta")]
    )
    assert program.main([f"output_dir={tmp_path}", f"target={tmp_path / 'drawn'}", also]) == 0
    written = pd.read_csv(tmp_path / "drawn/sensitivity.csv")
    assert set(written["condition"]) == {"base", "14 s", "80"}
    assert written.set_index("condition").loc["14 s", "verdict"] == "not computable"
    assert (tmp_path / "drawn/figures/sensitivity.png").read_bytes().startswith(b"\x89PNG")
    assert "radius 1 on 0, settles" in (tmp_path / "drawn/sensitivity.md").read_text()
