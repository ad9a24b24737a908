"""How a sweep is cut: portions of evolutions that are computed together, blocks of members that are written together.

Messages and options call a portion a chunk, as stores do; in the engine a chunk is an amount of a reaction.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Block = tuple[slice, ...]
"""A range of each of AXES that is contiguous in the order of members."""


@dataclass(frozen=True)
class Portions:
    """Evolutions that are computed, and saved, together."""

    n: int
    """Evolutions of all portions."""
    size: int
    """Evolutions of one, but perhaps the last."""

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def __getitem__(self, k: int) -> np.ndarray:
        """Numbers of the evolutions of portion k."""
        if not 0 <= k < len(self):
            raise IndexError(k)
        return np.arange(k * self.size, min((k + 1) * self.size, self.n))


def blocks(shape: tuple[int, ...], most: int) -> Iterator[Block]:
    """Blocks of at most `most` entries of an array, each contiguous in C order, which together make it up in order."""
    if math.prod(shape) <= most:
        yield tuple(slice(0, n) for n in shape)
        return
    whole = math.prod(shape[1:])  # entries of one index of the first axis
    if whole > most:
        for i in range(shape[0]):
            for rest in blocks(shape[1:], most):
                yield (slice(i, i + 1), *rest)
        return
    step = most // whole
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])), *(slice(0, n) for n in shape[1:]))
