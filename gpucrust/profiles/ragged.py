"""Lists of different lengths, one after the other in flat arrays: what NumPy does for one, for all of them at once.

`owner` is the list that an entry belongs to, increasing. Results do not depend on which lists are at hand together.
"""

import numpy as np


def starts_of(owner: np.ndarray, n: int) -> np.ndarray:
    """Where each of n lists begins, and the last ends: (n + 1,)."""
    return np.searchsorted(owner, np.arange(n + 1))


def counted(counts: np.ndarray) -> np.ndarray:
    """0, 1, ... within each list of so many entries."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def latest(owner: np.ndarray, rank: np.ndarray, n: int, grid: int) -> np.ndarray:
    """The last entry of list i at or before grid point j, (n, grid); the first where there is none before.

    rank: index of the first grid point at or beyond an entry, 0 to `grid`, increasing within a list; none is empty.
    """
    counts = np.bincount(owner * (grid + 1) + rank, minlength=n * (grid + 1))
    last = np.cumsum(counts).reshape(n, grid + 1)[:, :grid] - 1
    return np.maximum(last, starts_of(owner, n)[:-1, None])


def interpolate(
    x: np.ndarray, xp: np.ndarray, fp: np.ndarray, place: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """`numpy.interp` at x, each in its own list xp[first..last]; place: the last entry with xp <= x, if in the list."""
    left = np.clip(place, first, last)
    right = np.minimum(left + 1, last)
    width = xp[right] - xp[left]
    slope = np.divide(fp[right] - fp[left], width, out=np.zeros_like(width), where=width > 0)
    return slope * np.maximum(x - xp[left], 0.0) + fp[left]


def reduce_ranges(ufunc: np.ufunc, values: np.ndarray, begin: np.ndarray, end: np.ndarray, empty: float) -> np.ndarray:
    """ufunc over values[begin:end] of each range; `empty` where it holds nothing."""
    ranges = np.stack([begin, np.maximum(begin, end)], axis=1).ravel()
    return np.where(end > begin, ufunc.reduceat(np.append(values, empty), ranges)[::2], empty)
