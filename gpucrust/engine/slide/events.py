"""Where moves end early: at thresholds, and where something changes abruptly.

Both places are found to `settings.landed`, in ln P: thresholds by secants (`crossing`); where the packet of a slide
takes another cascade, or a fusion that was fast already comes to release energy, by bisection.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Settings

AFFINITY_PER_LN_P = 20.0
"""Change of an affinity with ln P, MeV, roughly, and of ln(tau/t_acc): makes of the tolerance of pressures,
`settings.landed`, one of thresholds."""
BACK_AND_FORTH = 1e-6
"""Length of a move in ln P within which a cascade that changes is taken to change back and forth: where is then not
looked for."""
SHORT_MOVE = 1 / 16
"""Part of the longest move by which a slide goes on where its cascade changes back and forth."""


class Bisection(NamedTuple):
    """The pressures between which something changes on a move; a pytree of scalars, but for the cascade."""

    low: Array
    """Pressure up to which nothing changes, MeV fm^-3."""
    high: Array
    """Pressure at which something has changed, MeV fm^-3; inf where nothing was seen to."""
    given_up: Array
    """Whether it is not looked for."""
    cascade: Array | None
    """(CASCADE_MEMORY,) links of the packet at `low`, where they are remembered."""


def new_bisection(P: Array, cascade: Array | None) -> Bisection:
    """On a move that begins at P; cascade: of its packet there."""
    return Bisection(P, jnp.array(jnp.inf), jnp.array(False), cascade)


def narrow(
    bisection: Bisection,
    P: Array,
    P_trial: Array,
    P_short: Array,
    differs: Array,
    cascade: Array | None,
    settings: Settings,
) -> tuple[Bisection, Array, Array]:
    """The bisection after a trial from P to P_trial: (bisection, whether another trial is needed, its pressure).

    differs: something has changed there; P_short: end of a short move; cascade: of the packet at the trial.
    """
    low, high = jnp.where(differs, bisection.low, P_trial), jnp.where(differs, P_trial, bisection.high)
    closed = jnp.log(high / low) <= settings.landed
    at_once = differs & closed & (jnp.log(high / P) < jnp.maximum(BACK_AND_FORTH, settings.landed))
    again = ~bisection.given_up & (at_once | (jnp.isfinite(high) & ~(differs & closed)))
    middle = jnp.where(closed, high, jnp.sqrt(low * high))
    P_next = jnp.where(at_once, P_short, middle)
    if bisection.cascade is not None and cascade is not None:
        cascade = jnp.where(differs, bisection.cascade, cascade)
    return Bisection(low, high, bisection.given_up | at_once, cascade), again, P_next
