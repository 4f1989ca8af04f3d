"""The benchmark of the agents prints one line per preset."""

import json

import pytest

from experiments import bench
from experiments.bench_agents import main, measure, presets

KEYS = ["benchmark", "cpu_s_per_1000_decisions", "act_ms", "learn_ms", "late_ms"]


def test_every_chosen_agent_has_a_line_whose_parts_fit_into_the_whole(capsys):
    assert main("random,rrl", slots=30, warm_up=2) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["benchmark"] for line in lines] == ["agent_random", "agent_rrl"]
    for line in lines:
        assert list(line) == KEYS
        # ms per slot are s per 1000 slots
        assert 0 < line["act_ms"] + line["learn_ms"] <= line["cpu_s_per_1000_decisions"] + 0.001


def test_presets_are_those_of_conf_without_the_users_own():
    assert {"capes", "rrl", "oracle"} <= set(presets())
    assert "custom" not in presets()


def test_an_agent_without_its_table_is_left_out_with_a_line(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where no table is cached
    assert main("oracle", slots=3, warm_up=1) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("agent_oracle: left out: ")


def test_an_unknown_agent_is_refused_in_one_line(capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(["agents=rrl,rlr"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(
        "agents=rrl,rlr: rlr not known, choose from ['all', 'aimd', 'capes'"
    )


@pytest.mark.slow
def test_a_learning_agent_spends_most_of_its_time_learning():
    line = measure("capes", slots=45, warm_up=2)
    assert line["benchmark"] == "agent_capes"
    assert line["learn_ms"] > line["act_ms"] > 0
