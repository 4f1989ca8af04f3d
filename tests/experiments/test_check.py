"""Every setting is checked against the type of its default, and against what makes sense."""

import pytest

from experiments.build import build_env
from experiments.settings import compose_settings
from serving.errors import UsageError


def test_the_defaults_and_every_recipe_pass():
    for overrides in (
        [],
        ["experiment=fig04"],
        ["experiment=fig09"],
        ["experiment=fig11"],
        ["experiment=rrl_code"],
    ):
        assert compose_settings(overrides)["slots"] >= 1


def test_the_recipe_of_the_authors_script_shows_the_load_that_is_about_to_come():
    # It takes the load from its schedule, chooses at it, and learns the latency under it: no slot late.
    plain = compose_settings(["experiment=rrl_code", "truth=false"])
    env = build_env(plain)
    _, info = env.reset(seed=0)
    (first,) = env.workload.slots(0, 1)
    assert info["observation"].load_rps == first.load_rps


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("agent.radius=abc", "agent.radius=abc, expected a number"),
        ("agent.pin_observed=maybe", "agent.pin_observed=maybe, expected true or false"),
        ("agent.metric={}", r"agent.metric=\{\}, expected a word"),
        ("agent.gamma={a:1}", "agent.gamma.a=1, expected agent.gamma to be a number"),
        ("agent.beta=inf", "agent.beta=inf, expected finite numbers"),
        ("objective.penalty_s=nan", "objective.penalty_s=nan, expected finite numbers"),
        ("workload.mean_rps=1e300", r"workload.mean_rps=1e\+300, expected finite numbers"),
        ("workload.repeat=maybe", "workload.repeat=maybe, expected true or false"),
        ("workload.sizes.cv=wide", "workload.sizes.cv=wide, expected a number"),
        ("workload.name=", "workload.name=, expected a word"),
        ("workload.trace=3", "workload.trace=3, expected a file or null"),
        ("system.queue_limit=2.5", "system.queue_limit=2.5, expected an integer"),
        ("system.keep_latencies=3", "system.keep_latencies=3, expected true or false"),
        ("hardware.file=3", "hardware.file=3, expected a file or null"),
        ("hardware.cores=many", "hardware.cores=many, expected an integer"),
        ("seed=true", "seed=True, expected an integer"),
        ("seed=99999999999999999999", "seed=99999999999999999999, expected finite numbers"),
        ("load_bins=100000000", "load_bins=100000000, expected an integer of at most 10000"),
        ("servers=100000000", "servers=100000000, expected an integer of at most 1000"),
        ("servers=0", "servers=0, expected an integer >= 1"),
        ("experiment_name=../../x", "experiment_name=../../x, expected letters"),
        ("experiment_name=null", "experiment_name=None, expected a word"),
        ("output_dir=", "output_dir=, expected a word"),
        ("table.load_rps=[14]", r"table.load_rps=\[14\], expected two or more"),
        ("table.load_rps=14", "table.load_rps=14, expected a list of numbers"),
        ("table.relative_error=2", r"table.relative_error=2, expected a number in \(0, 1\)"),
        ("table.most_batches=3", r"table.most_batches=3, expected 4\.\.10000"),
        ("table.most_batches=2.5", r"table.most_batches=2.5, expected an integer"),
        ("table.workers=0", "table.workers=0, expected a number of processes"),
        ("learning=later", r"learning=later, choose from \['background', 'inline'\]"),
        ("drain_rule=1", "drain_rule=1, expected true, false or null"),
        ("drain_rule=carry", "drain_rule=carry, expected true, false or null"),
        ("drain_backlog=-1", "drain_backlog=-1, expected an integer >= 0"),
        ("agent=rlr", r"agent=rlr is not known, choose from .*'custom'"),
        ("+foo=1", r"foo is not a setting of a run, choose from \['agent', "),
        ("sede=1", "sede is not a setting of a run, choose from .*'seed'"),
    ],
)
def test_nonsense_is_named(override, message):
    with pytest.raises(UsageError, match=message):
        compose_settings([override])


def test_a_list_of_configurations_is_checked_like_its_default():
    plain = compose_settings(["agent=rrl_code", "agent.warm_up=[[1,2,3]]"])
    assert plain["agent"]["warm_up"] == [[1, 2, 3]]
    for wrong in ("[5]", "[[a]]", "5"):
        with pytest.raises(UsageError, match=r"agent\.warm_up=.*, expected a list of lists of numbers"):
            compose_settings(["agent=rrl_code", f"agent.warm_up={wrong}"])
