"""The conditions and agents of the evidence beyond the paper, and the commands that make its runs."""

from pathlib import Path

import numpy as np
import pytest

from experiments.beyond import sweep
from experiments.beyond.conditions import AGENTS, CASES, LEARNERS, PREPARED
from experiments.build import profile_of, read_yaml
from experiments.cli import CONF
from experiments.results import Run
from experiments.settings import compose_settings


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_what_is_asked_for_is_what_is_counted_and_has_a_bounded_queue(case):
    plain = compose_settings(case.overrides(case.agents[0]))
    assert case.condition.holds(Run(None, {"config": plain}))
    assert plain["system"]["boundary"] == "bounded"
    assert compose_settings(case.overrides("oracle"))["truth"]
    assert case.unseen == plain["experiment_name"].startswith("general_")


@pytest.mark.parametrize("there", [True, False])
def test_the_commands_make_every_run_once_and_tables_first(there, capsys, monkeypatch):
    monkeypatch.setattr(sweep, "find_spec", lambda _: there or None)
    assert sweep.main(["seeds=3"]) == 0
    told = capsys.readouterr()
    assert ("sb3_dqn, sb3_ppo: they need pip install" in told.err) != there
    lines = told.out.splitlines()
    first = next(place for place, line in enumerate(lines) if "experiments.run" in line)
    assert all("experiments.truth" in line for line in lines[:first])
    arms_of = [
        np.prod([len(word.partition("=")[2].split(",")) for word in line.split() if not word.startswith("'")])
        for line in lines[first:]
    ]
    assert sum(arms_of) == sum(len(case.agents) for case in CASES) - (0 if there else 2 * len(CASES))
    assert all("'seed=range(0,3)'" in line for line in lines[first:])
    assert "packrat" not in " ".join(line for line in lines if "sim_gpu" in line)
    (told,) = (line for line in lines if "fig14" in line and "truth=true" in line and "sim_gpu" in line)
    assert "agent=oracle,static_best" in told or "agent=static_best,oracle" in told


@pytest.mark.parametrize(("only", "named"), [("gp,magic", "only=magic"), (",", "only= is not")])
def test_an_agent_that_is_not_one_is_refused(only, named, capsys):
    with pytest.raises(SystemExit):
        sweep.main([f"only={only}"])
    assert named in capsys.readouterr().err


def test_spaces_between_agents_are_none(capsys):
    assert sweep.main(["only=gp, oracle", "seeds=1"]) == 0
    assert "agent=gp" in capsys.readouterr().out


def test_every_agent_is_a_preset_and_yardsticks_are_not_judged():
    assert not {"oracle", "static_best", "tf_default"} & set(LEARNERS)
    assert set(LEARNERS) < set(AGENTS)
    assert {PREPARED.get(one, one) for one in AGENTS} <= {
        path.stem for path in (CONF / "agent").glob("*.yaml")
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_who_is_prepared_learns_on_a_machine_that_no_condition_runs_on(case):
    plain = compose_settings(case.overrides("gp_prepared"))
    assert plain["agent"] == compose_settings(case.overrides("gp"))["agent"] | {"preset": "gp_prepared"}
    other = read_yaml(Path(plain["pretrain"]["file"]), "pretrain.file")
    service = plain["model"]["name"] + ("_gpu" if case.condition.system == "sim_gpu" else "")
    assert other["name"] == f"{service}_20"
    assert service.removesuffix("_gpu") in other["models"]
    assert profile_of(plain)["name"] != other["name"]
    tabled = compose_settings(case.overrides("gp_tables_prepared"))
    assert tabled["pretrain"]["table"] is True
    machines = [read_yaml(Path(file), "pretrain.file") for file in tabled["pretrain"]["file"]]
    assert len({machine["name"] for machine in machines}) == 8
    name = plain["model"]["name"]
    assert profile_of(plain)["models"][name] not in [machine["models"][name] for machine in machines]
