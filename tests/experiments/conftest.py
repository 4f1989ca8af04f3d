"""A small world: 27 configurations, a table of three loads, and the runs of both sweeps in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support import SMALL

AGENTS = "rrl_plus_paper,deeprm,random,static_best,oracle"
ROOT = Path(__file__).resolve().parents[2]


class World:
    """Runs the programs of experiments/ with results in a folder of their own."""

    def __init__(self, folder):
        self.folder = folder

    def program(self, name, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", f"experiments.{name}", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    made.program("truth", "experiment=fig04", *SMALL)
    sweep = ["--multirun", *SMALL, "seed=0,1", "slots=60"]
    made.program("run", *sweep, "experiment=fig09", "agent.radius=0,1", "agent.gamma=0")
    made.program("run", *sweep, "experiment=fig11", "workload=wiki,dynamic", f"agent={AGENTS}")
    return made
