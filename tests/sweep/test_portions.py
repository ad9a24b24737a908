"""How sweeps are cut: whatever the size of a part, the parts make up the whole."""

import numpy as np
import pytest

from gpucrust.sweep.portions import Portions, blocks


@pytest.mark.parametrize("most", [1, 2, 3, 7, 24, 30, 119, 120, 1000])
def test_blocks_make_up_the_whole_in_order(most):
    shape = (2, 3, 1, 4, 5)
    numbers = np.arange(120).reshape(shape)
    parts = [numbers[block].ravel() for block in blocks(shape, most)]
    np.testing.assert_array_equal(np.concatenate(parts), numbers.ravel())
    assert max(len(part) for part in parts) == len(parts[0]) <= most


@pytest.mark.parametrize(("n", "size"), [(700, 64), (64, 64), (1, 8)])
def test_portions_make_up_all_evolutions(n, size):
    portions = Portions(n, size)
    parts = [portions[k] for k in range(len(portions))]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))
    assert all(len(part) == size for part in parts[:-1])
    for k in (-1, len(portions)):
        with pytest.raises(IndexError):
            portions[k]
