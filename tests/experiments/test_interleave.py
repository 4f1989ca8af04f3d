"""Runs that take turns on one system, and are taken up again where they were interrupted."""

import pickle

import pandas as pd
import pytest

from experiments import interleave as interleaving
from experiments.interleave import interleave, main
from experiments.settings import compose_settings, jobs
from serving.errors import UsageError

SMALL = [
    "system.grid_minimum=1", "system.grid_maximum=3", "workload=constant", "workload.mean_rps=6", "slots=7",
    "truth=false", "progress=false",
]  # fmt: skip


MADE = []


class Watched:
    """A simulated system that notes who asks for what, and can be interrupted."""

    def __init__(self, system, patience=None):
        self._system, self._patience = system, patience
        self.served, self.resets, self.closed = [], 0, False
        self.name, self.space = system.name, system.space
        MADE.append(self)

    def reset(self, seed):
        self.resets += 1
        self._system.reset(seed)

    def serve(self, configuration, slot):
        if len(self.served) == self._patience:
            raise KeyboardInterrupt
        self.served.append(slot.index)
        return self._system.serve(configuration, slot)

    def close(self):
        self.closed = True


@pytest.fixture
def watched(monkeypatch):
    """Systems made by ``interleave``; set ``patience`` to be interrupted after so many slots."""
    build = interleaving.build_system
    MADE.clear()
    settings = {"patience": None}
    monkeypatch.setattr(interleaving, "build_system", lambda plain: Watched(build(plain), **settings))
    return settings


def runs(folder, *overrides):
    given = ["agent=rrl,q_learning", *SMALL, f"output_dir={folder}", *overrides]
    return [compose_settings(job) for job in jobs(given)]


def rows(folders):
    return [pd.read_parquet(folder / "slots.parquet") for folder in folders]


def test_lists_of_values_are_combined_and_lists_in_brackets_are_not():
    assert jobs(["agent=a,b", "x=[1,2]", "seed=range(0,2)"]) == [
        ["agent=a", "x=[1,2]", "seed=0"],
        ["agent=a", "x=[1,2]", "seed=1"],
        ["agent=b", "x=[1,2]", "seed=0"],
        ["agent=b", "x=[1,2]", "seed=1"],
    ]
    with pytest.raises(UsageError):
        jobs(["agent=[1"])


def test_runs_take_turns_on_one_system_that_is_emptied_in_between(tmp_path, watched):
    folders = interleave(runs(tmp_path), turn=3)
    (system,) = MADE
    assert system.served == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 6]
    assert system.resets >= 6
    assert system.closed
    first, second = rows(folders)
    assert list(first["slot"]) == list(second["slot"]) == list(range(7))
    assert list(first["arrivals"]) == list(second["arrivals"])
    assert [set(first["agent"]), set(second["agent"])] == [{"RRLAgent"}, {"RRLAgent"}]
    assert list(first["preset"].unique()) == ["rrl"]


@pytest.mark.parametrize(
    ("patience", "learning"), [(3, "inline"), (5, "inline"), (10, "inline"), (9, "background")]
)
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, watched, patience, learning):
    said = f"learning={learning}"
    whole = interleave(runs(tmp_path / "whole", said), turn=3)
    watched["patience"] = patience
    with pytest.raises(KeyboardInterrupt):
        interleave(runs(tmp_path / "broken", said), turn=3)
    assert MADE[-1].closed
    assert all(kept.stat().st_size for kept in (tmp_path / "broken").glob("**/*.slots"))
    watched["patience"] = None
    broken = interleave(runs(tmp_path / "broken", said), turn=3)
    assert len(MADE[-1].served) == 14 - patience
    for one, other in zip(rows(whole), rows(broken), strict=True):
        at_turns = patience % 3 == 0 or None  # in mid-turn, what the simulator held is lost
        columns = ["slot", "arrivals", *(["mean_latency_s", "request_parallelism"] if at_turns else [])]
        pd.testing.assert_frame_equal(one[columns], other[columns])
    assert not list((tmp_path / "broken").glob("**/*.slots"))
    served = len(MADE[-1].served)
    interleave(runs(tmp_path / "broken", said), turn=3)
    assert MADE[-1].served == [], f"finished runs were run again, after {served}"


def test_an_entry_that_was_not_written_to_its_end_is_served_again(tmp_path, watched):
    watched["patience"] = 4
    with pytest.raises(KeyboardInterrupt):
        interleave(runs(tmp_path), turn=10)
    (kept,) = tmp_path.glob("*/*.slots")
    kept.write_bytes(kept.read_bytes()[:-20])
    watched["patience"] = None
    interleave(runs(tmp_path), turn=10)
    assert MADE[-1].served == [3, 4, 5, 6, *range(7)]


def test_what_was_kept_of_another_program_is_refused(tmp_path, watched):
    watched["patience"] = 4
    with pytest.raises(KeyboardInterrupt):
        interleave(runs(tmp_path), turn=3)
    kept = next(tmp_path.glob("*/*.slots"))
    configuration, *rest = pickle.loads(kept.read_bytes())
    kept.write_bytes(pickle.dumps(((99, *configuration[1:]), *rest)))
    watched["patience"] = None
    with pytest.raises(UsageError, match=r"slot \d was served under .* the code has changed"):
        interleave(runs(tmp_path), turn=3)
    interleave(runs(tmp_path, "fresh=true"), turn=3)


def test_systems_set_otherwise_are_systems_of_their_own(tmp_path, watched):
    interleave([*runs(tmp_path), *runs(tmp_path, "system.queue_limit=7")], turn=4)
    assert len(MADE) == 2
    assert [len(system.served) for system in MADE] == [14, 14]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["turn=0"], "turn=0, expected an integer >= 1"),
        (["agent=rrl,nobody"], "agent=nobody is not known"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, arguments, line):
    assert main([*SMALL, f"output_dir={tmp_path}", *arguments]) == 2
    assert line in capsys.readouterr().err


def test_agents_learn_between_slots_unless_told_otherwise_also_on_real_servers(monkeypatch):
    asked = []
    monkeypatch.setattr(interleaving, "interleave", lambda settings, _: asked.extend(settings) or [])
    for said in ([], ["learning=background"]):
        assert main(["system=testbed", "truth=false", *said]) == 0
    assert [plain["learning"] for plain in asked] == ["inline", "background"]
