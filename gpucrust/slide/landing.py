"""Where moves end: at thresholds, and where the packet of a slide comes to take another way.

Both places are found to `settings.landed`, in ln P: thresholds by secants (`view.crossing`). A net changes abruptly, so
a move along which it has changed is bisected.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.stepper import Settings

PER_LN_P = 20.0
"""MeV: what an affinity changes by with ln P, about; ln(tau/t_acc) too."""
AT_ONCE = 1e-6
"""In ln P: a packet that takes another way sooner than this changes back and forth, and is let go on."""
PART = 16
"""The part of a step that it goes on by."""


class Search(NamedTuple):
    """For the place on a move where its net changes; scalars, but way."""

    low: Array  # the net is the same up to this pressure
    high: Array  # and another at this one; inf where none was seen
    lets_go: Array  # nothing is searched for
    way: Array | None = None  # (WAY,) of the packet at the start, where ways are remembered


def no_search(P: Array, way: Array | None = None) -> Search:
    """Of a move that begins at P."""
    return Search(P, jnp.array(jnp.inf), jnp.array(False), way)


def narrow(
    search: Search, P: Array, P_trial: Array, P_goal: Array, differs: Array, settings: Settings
) -> tuple[Search, Array, Array]:
    """The search after a trial from P to P_trial: (search, whether another is needed, its pressure).

    differs: the net is another one there; P_goal: where the move was to end.
    """
    low, high = jnp.where(differs, search.low, P_trial), jnp.where(differs, P_trial, search.high)
    closed = jnp.log(high / low) <= settings.landed
    at_once = differs & closed & (jnp.log(high / P) < jnp.maximum(AT_ONCE, settings.landed))
    again = ~search.lets_go & (at_once | (jnp.isfinite(high) & ~(differs & closed)))
    middle = jnp.where(closed, high, jnp.sqrt(low * high))
    P_next = jnp.where(at_once, P * (P_goal / P) ** (1 / PART), middle)
    return Search(low, high, search.lets_go | at_once, search.way), again, P_next


def parting(way: Array, other: Array) -> Array:
    """The first deeds, (2,), in which two ways of a packet differ; 0 for none."""
    place = jnp.argmax(way != other)
    return jnp.stack([way[place], other[place]])
