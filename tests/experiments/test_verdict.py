"""The rule of verdicts at its edges, and what is said where a claim is not reproduced."""

import math

import pytest

from experiments.verdict import bound_verdict, came_out, verdict


@pytest.mark.parametrize(
    ("paper", "unit", "estimate", "expected"),
    [
        # percentages: +- 10 points
        ("75.2", "%", (70, 66, 80), "reproduced"),
        ("75.2", "%", (40, 30, 66), "reproduced"),  # overlaps 65.2 .. 85.2
        ("75.2", "%", (40, 30, 65), "partly"),
        ("75.2", "%", (95, 90, 99), "partly"),
        ("75.2", "%", (60, -1, 90), "not reproduced"),  # no effect is not excluded
        ("75.2", "%", (-40, -60, -20), "not reproduced"),  # wrong sign
        ("15.31", "%", (6, 5.3, 7), "reproduced"),
        ("15.31", "%", (3, 0, 6), "not reproduced"),
        # ratios: +- 25 %
        ("5", "x", (3.1, 2, 3.76), "reproduced"),
        ("5", "x", (3.1, 2, 3.74), "partly"),
        ("5", "x", (7, 6.3, 8), "partly"),
        ("5", "x", (1.2, 0.9, 5), "not reproduced"),
        ("5", "x", (0.5, 0.4, 0.6), "not reproduced"),
        ("10", "x", (20, 9, math.inf), "reproduced"),
        (">8", "x", (30, 20, 40), "reproduced"),
        (">8", "x", (5, 4, 6), "reproduced"),
        (">8", "x", (5, 4, 5.9), "partly"),
        # a direction without a number
        (">1", "x", (1.3, 1.1, 1.5), "reproduced"),
        (">1", "x", (1.3, 0.9, 1.5), "not reproduced"),
        ("<1", "x", (0.8, 0.7, 0.9), "reproduced"),
        ("<1", "x", (1.2, 1.1, 1.3), "not reproduced"),
        (">0", "points", (0.4, 0.2, 0.6), "reproduced"),
        # no difference
        ("1", "x", (1, 1, 1), "reproduced"),
        ("1", "x", (1.2, 0.9, 1.6), "partly"),
        ("1", "x", (2, 1.5, 3), "not reproduced"),
        ("~0", "%", (3, -6, 9), "reproduced"),
        ("~0", "%", (20, 11, 30), "not reproduced"),
        # absolute
        ("150", "min", (200, 180, 220), "reproduced"),
        ("150", "min", (300, 190, 400), "not reproduced"),
        (">2000", "min", (1400, 1300, 1500), "reproduced"),
        (">2000", "min", (1000, 900, 1499), "not reproduced"),
        ("100", "% of slots", (85, 80, 90), "reproduced"),
        ("100", "% of slots", (85, 80, 89), "not reproduced"),
    ],
)
def test_verdicts(paper, unit, estimate, expected):
    assert verdict(paper, unit, *estimate) == expected


@pytest.mark.parametrize("estimate", [(math.nan, 0, 1), (1, 2, 0), (1, math.nan, 2)])
def test_no_verdict_on_nonsense(estimate):
    with pytest.raises(ValueError, match="no verdict"):
        verdict("5", "x", *estimate)


@pytest.mark.parametrize(
    ("paper", "unit", "bound", "low", "expected"),
    [
        (">8", "x", 6.0, 2.0, "reproduced"),  # the band of "more than 8" begins at 6
        (">8", "x", 5.9, 2.0, "partly"),
        (">8", "x", 13.0, 1.0, "not reproduced"),  # no effect is not excluded
        ("10", "x", 9.0, 8.0, "partly"),  # how much more is not known
        ("17.54", "%", 20.0, 5.0, "partly"),
        ("17.54", "%", 20.0, -1.0, "not reproduced"),
        (">2000", "min", 1500.0, 1500.0, "reproduced"),
        (">2000", "min", 1499.0, 1499.0, None),
        ("1400", "min", 2000.0, 2000.0, "not reproduced"),
        ("1400", "min", 1700.0, 1700.0, None),  # 1750 would still do
    ],
)
def test_verdicts_on_lower_bounds(paper, unit, bound, low, expected):
    assert bound_verdict(paper, unit, bound, low) == expected


@pytest.mark.parametrize(
    ("paper", "unit", "estimate", "words"),
    [
        ("75.2", "%", (70, 66, 80), ""),
        (
            "75.2",
            "%",
            (40, 30, 50),
            "the direction holds, the size does not: 40 % (30 to 50) instead of 75.2",
        ),
        ("75.2", "%", (-40, -60, -20), "the opposite came out: -40 % (-60 to -20)"),
        ("75.2", "%", (5, -6, 20), "no difference is not excluded: 5 % (-6 to 20)"),
        ("~0", "%", (20, 11, 30), "instead 20 % (11 to 30), outside -10 to 10"),
        ("~0", "%", (8, 1, 15), "instead 8 % (1 to 15), not all within -10 to 10"),
        ("150", "min", (300, 190, 400), "instead 300 min (190 to 400), which is outside 112.5 to 187.5"),
    ],
)
def test_what_came_out_instead(paper, unit, estimate, words):
    assert came_out(paper, unit, verdict(paper, unit, *estimate), *estimate) == words
