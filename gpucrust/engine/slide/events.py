"""Where moves end: at thresholds, and where something comes to be abruptly otherwise.

Both places are found to `settings.landed`, in ln P: thresholds by secants (`view.crossing`); where the packet of a
slide takes another way, or a fusion that was fast already comes to release energy, by bisection.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Settings

PER_LN_P = 20.0
"""MeV: what an affinity changes by with ln P, about; ln(tau/t_acc) too."""
AT_ONCE = 1e-6
"""In ln P: what changes sooner than this changes back and forth, and is let go on."""
PART = 1 / 16
"""Of a step: what it goes on by."""


class Search(NamedTuple):
    """For the place on a move where things change; scalars, but way."""

    low: Array  # nothing changes up to this pressure
    high: Array  # something has at this one; inf where nothing was seen to
    lets_go: Array  # nothing is searched for
    way: Array | None  # (WAY,) of the packet at `low`, where ways are remembered


def new_search(P: Array, way: Array | None) -> Search:
    """Of a move that begins at P; way: of its packet there."""
    return Search(P, jnp.array(jnp.inf), jnp.array(False), way)


def narrow(
    search: Search, P: Array, P_trial: Array, P_part: Array, differs: Array, way: Array | None, settings: Settings
) -> tuple[Search, Array, Array]:
    """The search after a trial from P to P_trial: (search, whether another is needed, its pressure).

    differs: something has changed there; P_part: where a move ends that is let go on; way: of its packet at the trial.
    """
    low, high = jnp.where(differs, search.low, P_trial), jnp.where(differs, P_trial, search.high)
    closed = jnp.log(high / low) <= settings.landed
    at_once = differs & closed & (jnp.log(high / P) < jnp.maximum(AT_ONCE, settings.landed))
    again = ~search.lets_go & (at_once | (jnp.isfinite(high) & ~(differs & closed)))
    middle = jnp.where(closed, high, jnp.sqrt(low * high))
    P_next = jnp.where(at_once, P_part, middle)
    way = None if search.way is None or way is None else jnp.where(differs, search.way, way)
    return Search(low, high, search.lets_go | at_once, way), again, P_next


def parting(way: Array, other: Array) -> Array:
    """The first deeds, (2,), in which two ways of a packet differ; 0 for none."""
    place = jnp.argmax(way != other)
    return jnp.stack([way[place], other[place]])
