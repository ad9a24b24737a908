"""What is done for many lists at once is what NumPy does for each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucrust.profiles import ragged


@pytest.fixture(params=range(20))
def lists(request):
    """Increasing numbers, some on the grid 0, 1, ... 9 and some beyond it; one to six in each of five lists."""
    draw = np.random.default_rng(request.param)
    return [np.sort(np.round(draw.uniform(0, 11, draw.integers(1, 7)), draw.integers(0, 3))) for _ in range(5)]


def flat(lists):
    return np.concatenate(lists), np.repeat(np.arange(len(lists)), [len(x) for x in lists])


def test_the_latest_entry_at_every_grid_point(lists):
    values, owner = flat(lists)
    grid = np.arange(10)
    found = ragged.latest(owner, np.searchsorted(grid, values), len(lists), len(grid))
    first = ragged.starts_of(owner, len(lists))[:-1, None]
    expected = [np.maximum(np.searchsorted(x, grid, side="right") - 1, 0) for x in lists]
    np.testing.assert_array_equal(found - first, expected)


def test_interpolation_is_that_of_numpy(lists):
    lists = [np.unique(x) for x in lists]
    xp, owner = flat(lists)
    fp = np.random.default_rng(0).normal(size=len(xp))
    starts = ragged.starts_of(owner, len(lists))
    x = np.linspace(-1, 12, 53)  # beyond both ends too
    for i, own in enumerate(lists):
        ends = np.full(len(x), starts[i]), np.full(len(x), starts[i + 1] - 1)
        place = starts[i] + np.searchsorted(own, x, side="right") - 1
        expected = np.interp(x, own, fp[starts[i] : starts[i + 1]])
        np.testing.assert_allclose(ragged.interpolate(x, xp, fp, place, *ends), expected, rtol=0, atol=1e-14)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=8))
def test_reductions_of_ranges(ranges):
    values = np.random.default_rng(1).normal(size=12)
    begin, end = np.array(ranges, int).reshape(-1, 2).T
    found = ragged.reduce_ranges(np.minimum, values, begin, end, np.inf)
    np.testing.assert_array_equal(found, [values[a:b].min(initial=np.inf) for a, b in ranges])


@given(st.lists(st.integers(0, 5), max_size=8))
def test_counting_within_lists(counts):
    found = ragged.counted(np.array(counts, int))
    np.testing.assert_array_equal(found, [i for n in counts for i in range(n)])
