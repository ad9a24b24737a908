"""Reduced evolutions: of each, all that its members' part of a result is made from.

Members that share an evolution differ by g and mdot apart from their product, and these enter as factors. So an
evolution is reduced to a few numbers, its layers, and, if they are wanted, its profiles and compositions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ReducedEvolutions:
    """n evolutions, one entry each along the first axis; those that failed have NaN."""

    status: np.ndarray
    """(n,) int8, a `Status`."""
    summary: np.ndarray
    """(n, columns of `SummaryColumns`)."""
    layer_count: np.ndarray
    """(n,) layers out of diffusion equilibrium."""
    layers: np.ndarray
    """(sum of layer_count, columns of `LayerColumns`), those of one evolution after those of another."""
    profiles: np.ndarray | None = None
    """(n, columns of `ProfileColumns`, pressures)."""
    nuclides: np.ndarray | None = None
    """(n, pressures, slots) codes."""
    abundances: np.ndarray | None = None
    """(n, pressures, slots) nuclei per baryon."""

    def __len__(self) -> int:
        return len(self.status)


def concatenate(parts: Sequence[ReducedEvolutions]) -> ReducedEvolutions:
    """The evolutions of one part after those of another."""
    arrays = {f.name: [getattr(part, f.name) for part in parts] for f in fields(ReducedEvolutions)}
    joined: dict[str, Any] = {name: None if x[0] is None else np.concatenate(x) for name, x in arrays.items()}
    return ReducedEvolutions(**joined)


def take(reduced: ReducedEvolutions, rows: np.ndarray) -> ReducedEvolutions:
    """Some of the evolutions, in the order of `rows`."""
    ends = np.cumsum(reduced.layer_count)
    counts = reduced.layer_count[rows]
    own = np.repeat(ends[rows] - np.cumsum(counts), counts) + np.arange(counts.sum())
    chosen: dict[str, Any] = {
        f.name: None if (x := getattr(reduced, f.name)) is None else x[rows]
        for f in fields(ReducedEvolutions)
        if f.name != "layers"
    }
    return ReducedEvolutions(**chosen, layers=reduced.layers[own])
