"""The docs' diagrams: drawn by the code that stands here, and shown by a page."""

import re
from pathlib import Path

import pytest

from experiments.diagrams import regions
from experiments.diagrams.__main__ import DRAW, main
from serving.configuration import ConfigurationSpace, Knob

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diagrams")
    assert main([f"target={folder}"]) == 0
    return folder


@pytest.mark.parametrize("name", DRAW)
def test_drawing_again_gives_the_committed_file(drawn, name):
    again = (drawn / f"{name}.svg").read_bytes()
    assert again == (DOCS / "diagrams" / f"{name}.svg").read_bytes(), "run python -m experiments.diagrams"


def test_every_diagram_is_shown_in_the_docs(drawn):
    shown = set(re.findall(r"!\[[^\]]{20,}\]\(diagrams/(\w+)\.svg\)", (DOCS / "paper.md").read_text()))
    assert shown == set(DRAW) == {path.stem for path in drawn.iterdir()}
    assert shown == {path.stem for path in (DOCS / "diagrams").iterdir()}


def test_regions_know_more_than_points():
    space = ConfigurationSpace(tuple(Knob(name, tuple(range(11))) for name in "ab"))
    points, discs = regions.learned(space, 0.0), regions.learned(space, 2.0)
    assert (points > 0).sum() == 5
    assert discs[space.index((1, 8))] == 1
    assert discs[space.index((1, 6))] == pytest.approx(1 / 3)
    assert discs[space.index((3, 9))] == 0  # the root of 5 away
