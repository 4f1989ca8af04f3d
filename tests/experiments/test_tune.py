"""Tuning: an equal number of trials, the preset first, what was found as a preset, and one-line refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from experiments.cli import CONF
from experiments.figures import style
from experiments.search_space import Choices, Range, read_space
from experiments.settings import compose_settings
from experiments.tune import main, mean_cost, search
from serving.errors import UsageError

SMALL = ["slots=8", "runs=2", "workload=constant"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tuned(folder, *arguments):
    assert main([*arguments, *SMALL]) == 0
    (trials,) = folder.glob("**/*.csv")
    (preset,) = folder.glob("**/*_tuned.yaml")
    return trials.read_text(), preset


def test_a_search_leaves_its_trials_and_a_preset_that_plays_as_well_as_its_best_trial(folder, capsys):
    _, preset = tuned(folder, "agent=rrl", "trials=3")
    assert capsys.readouterr().out == f"{preset.relative_to(folder)}\n"
    trials = pd.read_csv(folder / "results/tuning/rrl.csv")
    settings = yaml.safe_load(preset.read_text())
    assert (settings["preset"], settings["settings"]) == ("rrl_tuned", "tuned")
    plain = compose_settings(["agent=rrl", "seed=9001", "hardware=admissible/inception_v3_20", *SMALL[::2]])
    again = [mean_cost(plain, settings, run) for run in (0, 1)]
    assert np.mean(again) == pytest.approx(trials.mean_cost.min(), rel=1e-5)
    assert f"mean cost {trials.mean_cost.min():.4f}" in preset.read_text()
    assert f"rrl as it stands: {trials.mean_cost[0]:.4f}" in preset.read_text()


def test_the_same_command_finds_the_same(folder):
    first, preset = tuned(folder, "agent=q_learning", "trials=3")
    found = preset.read_bytes()
    second, preset = tuned(folder, "agent=q_learning", "trials=3", "overwrite=1")
    assert (first, found) == (second, preset.read_bytes())


def test_what_was_found_before_is_not_lost(folder, capsys, monkeypatch):
    _, preset = tuned(folder, "agent=rrl", "trials=1")
    log = folder / "results" / "tuning" / "rrl.csv"
    before = log.read_bytes(), preset.read_bytes()
    with pytest.raises(SystemExit):
        main(["agent=rrl", "trials=2", "slots=10", "runs=1"])
    assert "rrl.csv is there already, expected overwrite=1 to replace it" in capsys.readouterr().err
    assert (log.read_bytes(), preset.read_bytes()) == before
    (folder / "file").write_text("")
    with pytest.raises(SystemExit):
        main(["agent=q_learning", "trials=2", "slots=10", "runs=1", "target=file"])
    assert "target=file: " in capsys.readouterr().err

    seen = iter([0.5, 0.25])
    monkeypatch.setattr("experiments.tune.mean_cost", lambda *_: next(seen, None) or interrupt())
    assert main(["agent=deeprm", "trials=9", "slots=10", "runs=1"]) == 130
    assert capsys.readouterr().err.endswith("interrupted; the trials so far are kept\n")
    assert list(pd.read_csv(folder / "results" / "tuning" / "deeprm.csv").mean_cost) == [0.5, 0.25]


def interrupt() -> float:
    raise KeyboardInterrupt


def test_the_tuned_preset_differs_from_the_untuned_only_in_what_was_searched(folder):
    _, preset = tuned(folder, "agent=rrl", "trials=2", "target=elsewhere")
    assert {path.name for path in (folder / "elsewhere").iterdir()} == {"rrl.csv", "rrl_tuned.yaml"}
    after, before = (yaml.safe_load(path.read_text()) for path in (preset, CONF / "agent" / "rrl.yaml"))
    changed = {key for key in after if after[key] != before.get(key)}
    searched = set(yaml.safe_load((CONF / "tuning" / "rrl.yaml").read_text()))
    assert changed <= searched | {"preset", "settings"}


def test_the_sampler_finds_the_bottom_of_a_bowl_and_starts_where_it_is_told_to():
    space = {"x": Range(0.0, 10.0), "kind": Choices(("good", "bad"))}
    done = list(
        search(
            space, {"x": 9.0, "kind": "bad"}, lambda v: (v["x"] - 3) ** 2 + 20 * (v["kind"] == "bad"), 40, 0
        )
    )
    assert done[0].values == {"x": 9.0, "kind": "bad"}
    best = min(done, key=lambda trial: trial.mean_cost)
    assert best.values["kind"] == "good"
    assert abs(best.values["x"] - 3) < 0.5
    assert all(one.values["x"] == float(f"{one.values['x']:.3g}") for one in done)


@pytest.mark.parametrize("path", sorted((CONF / "tuning").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_search_space_of_conf_is_of_five_or_six_settings_and_holds_its_preset(path: Path):
    preset = {"q_has_state": True} | compose_settings([f"agent={path.stem}"])["agent"]
    assert len(read_space(path, preset)) in (5, 6)


@pytest.mark.parametrize("path", sorted((CONF / "agent").glob("*_tuned.yaml")), ids=lambda path: path.stem)
def test_every_tuned_preset_says_the_command_that_found_it_and_is_the_best_of_its_trials(path: Path):
    name = path.stem.removesuffix("_tuned")
    header, settings = path.read_text(), yaml.safe_load(path.read_text())
    trials = pd.read_csv(CONF.parent / "results" / "tuning" / f"{name}.csv", keep_default_na=False)
    assert len(trials) == 30
    assert f"python -m experiments.tune agent={name} trials=30 runs=3 slots=500 seed=9001 " in header
    assert "hardware=admissible/inception_v3_20" in header
    best = trials.loc[trials.mean_cost.idxmin()]
    for key in trials.columns.drop(["trial", "mean_cost"]):
        assert str(best[key]) == str("null" if settings[key] is None else settings[key]) or float(
            best[key]
        ) == float(settings[key])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["agent=rlr"], "agent=rlr is not known, choose from ['aimd', 'capes'"),
        (["agent=random"], "agent=random: "),
        (["agent=rrl", "trials=0"], "trials=0, expected an integer >= 1"),
        (["agent=rrl", "trials=many"], "trials=many, expected int"),
        (["agent=rrl", "runs=0"], "runs=0, expected an integer >= 1"),
        (["agent=rrl", "slots=0"], "slots=0, expected an integer >= 1"),
        (["agent=rrl", "hardware.file=no.yaml"], "hardware.file=no.yaml: No such file"),
        (["agnet=rrl"], "agnet=rrl is not a setting, choose from ['agent', "),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(arguments, line, folder, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no search space"),
        ("[1", "expected YAML"),
        ("beta: {low: 1}", "beta: {'low': 1}, expected {choices"),
        ("beta: {low: 2, high: 1}", "low < high"),
        ("beta: {low: 0, high: 1, log: true}", "low > 0 with log"),
        ("beta: {low: 1, high: 2, lgo: true}", "expected {choices"),
        ("beta: {choices: []}", "expected {choices"),
        ("bate: {low: 1, high: 2}", "bate is not a setting of the agent, choose from ['beta'"),
        ("beta: {low: 1.0, high: 2.0}", "beta: the preset has 3, expected it within"),
        ("shared: {choices: [0, 1]}", "shared: the preset has True, expected it within"),
    ],
)
def test_a_bad_search_space_is_refused(text, word, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_space(path, {"beta": 3, "shared": True})
    assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_figures_show_a_tuned_agent_in_the_colour_of_the_published_one_right_after_the_untuned():
    assert style.colour("rrl_tuned") == style.colour("rrl_paper") != style.colour("rrl")
    assert style.colour("deeprm_tuned") == style.colour("deeprm")
    assert style.label("oracle_tuned") == f"{style.label('oracle')}, tuned"
    assert style.in_order(["q_learning", "rrl_tuned", "rrl_paper"]) == [
        "rrl_paper",
        "rrl_tuned",
        "q_learning",
    ]
