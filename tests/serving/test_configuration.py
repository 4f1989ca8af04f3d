"""The geometry of configuration spaces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.configuration import ConfigurationSpace, Knob, cpu_space
from serving.errors import UsageError

SPACE = cpu_space()


def test_paper_space_has_1331_configurations():
    assert SPACE.size == 11**3
    assert SPACE.index((5, 5, 5)) == (11**3 - 1) // 2


@given(st.integers(0, SPACE.size - 1))
def test_index_and_configuration_are_inverse(index):
    assert SPACE.index(SPACE.configurations[index]) == index


# Points of the integer lattice within a radius: a fact of number theory, not of this code.
@pytest.mark.parametrize(
    ("radius", "count"),
    [(0, 1), (1, 7), (2**0.5, 19), (3**0.5, 27), (2, 33), (5**0.5, 57), (6**0.5, 81), (8**0.5, 93), (3, 123)],
)
def test_interior_regions_are_lattice_balls(radius, count):
    assert len(SPACE.region(SPACE.index((5, 5, 5)), radius)) == count


@given(st.integers(0, SPACE.size - 1), st.integers(0, SPACE.size - 1))
def test_distance_is_a_symmetric_norm_of_index_differences(a, b):
    difference = np.abs(SPACE.values[a] - SPACE.values[b])
    assert SPACE.distances(a)[b] == pytest.approx(np.sqrt((difference**2).sum()))
    assert SPACE.distances(b)[a] == pytest.approx(SPACE.distances(a)[b])
    assert SPACE.distances(a, metric="manhattan")[b] == difference.sum()
    assert SPACE.distances(a, metric="chebyshev")[b] == difference.max()


def test_distance_counts_grid_steps_not_values():
    space = ConfigurationSpace((Knob("batch_timeout_us", (0, 10, 1000, 100_000)),))
    assert space.distances(0).tolist() == [0, 1, 2, 3]


def test_effective_zero_stands_where_the_system_default_is():
    space = cpu_space(system_default=4)
    default = space.index((1, 0, 0))
    assert space.distances(default, zero_distance="effective")[space.index((1, 4, 4))] == 0
    assert space.distances(default)[space.index((1, 4, 4))] == pytest.approx(np.sqrt(32))


def test_radius_zero_is_the_configuration_itself_even_at_effective_distance_zero():
    space = cpu_space()
    default = space.index((0, 0, 0))
    assert space.distances(default, zero_distance="effective")[space.index((10, 10, 10))] == 0
    assert space.region(default, 0, zero_distance="effective").tolist() == [default]


def test_default_beyond_the_grid_is_clamped_to_its_end():
    knob = Knob("inter_op_parallelism", (0, 1, 2, 3), zero_means=16)
    assert knob.effective_positions.tolist() == [3, 1, 2, 3]


@pytest.mark.parametrize("values", [(), (1, 1), (2, 1)])
def test_knob_values_must_ascend(values):
    with pytest.raises(UsageError, match="ascending"):
        Knob("k", values)


def test_errors_name_the_choices():
    with pytest.raises(UsageError, match=r"configuration=\(99, 1, 1\).*request_parallelism in \[0, 1"):
        SPACE.index((99, 1, 1))
    with pytest.raises(UsageError, match=r"metric='cosine'.*chebyshev"):
        SPACE.distances(0, metric="cosine")
    with pytest.raises(UsageError, match=r"zero_distance='half'.*effective"):
        SPACE.distances(0, zero_distance="half")
