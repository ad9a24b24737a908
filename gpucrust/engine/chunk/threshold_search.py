"""Moves in pressure at frozen composition: to the lowest threshold, or as far as one move may go.

At frozen composition everything is a function of n_b alone, so thresholds are roots in x = ln n_b. One candidate is
predicted from the slopes of all affinities and its root solved for; affinities at that trial density then show
whether another channel was passed, in which case the search goes back between the last quiet density and the trial.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk.state import ChunkState
from gpucrust.engine.fusion import Fusions, burn_conditions, ln_burn_time, ln_burn_time_slope
from gpucrust.engine.interface import Member, Settings
from gpucrust.physics import eos, pycno
from gpucrust.physics.eos import Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, THRESHOLD

MAX_DLNP = 0.01
"""No move is longer, so that a channel that is open only for a while is not jumped over."""
LANDING, LN_LANDING = 1.0001 * THRESHOLD, -1e-9
"""A search ends where the affinity is LANDING, MeV, or ln(tau/t_acc) of a fusion LN_LANDING: just inside."""
TOLERANCE = 1e-10
"""Further inside than this (MeV, or in ln tau), and a threshold has been passed."""
ROOT_ITERATIONS = 5


class Crossings(NamedTuple):
    """How far all channels and fusions are from happening: h > 0 before, h < 0 behind the threshold; flat arrays."""

    h: Array
    slope: Array  # dh/dx
    ahead: Array  # thresholds that a rise in density may meet
    passed: Array  # thresholds that lie between the last quiet density and this one


def crossings_of(
    g: Array,
    amount: Array,
    possible: Array,
    state: ChunkState,
    mixture: Mixture,
    fusions: Fusions | None,
    ln_tau: Array | None,
    member: Member,
    settings: Settings,
) -> Crossings:
    """Distances to all thresholds from the affinities g (12, slots) and burn times ln_tau (pairs,).

    Slopes only serve to predict: the small change of the second-order term of the affinity is left out.
    """
    matter, n_b = settings.matter, state.n_b
    k = CHANNEL_K[:, None]
    n_half = n_b * jnp.maximum(state.stock.Y_n + k * amount / 2, 0.0)
    stiffness = eos.electron_stiffness(n_b * jnp.asarray(mixture.Y_e))
    slope = CHANNEL_DZ[:, None] * stiffness + k * eos.neutron_stiffness(n_half, matter)
    h, slope, possible = (g - LANDING).ravel(), slope.ravel(), possible.ravel()
    if fusions is not None and ln_tau is not None:
        conditions = burn_conditions(n_b, mixture, jnp.sum(state.stock.Y))
        slope_P = eos.pressure_slope(n_b, mixture, matter) / state.P
        h = jnp.concatenate([h, ln_tau - jnp.log(state.P / member.g_mdot) - LN_LANDING])
        slope = jnp.concatenate([slope, ln_burn_time_slope(fusions, conditions) - slope_P])
        possible = jnp.concatenate([possible, fusions.possible])
    # A fusion that costs energy never happens, however fast: it is told by its burn time having been short already
    # at the quiet density. The margin allows for the error of the linear prediction.
    width = jnp.log(n_b / state.n_b_quiet)
    between = state.searching & (h - 1.1 * slope * width > 0)
    return Crossings(h, slope, ahead=possible & (h > 0) & (slope < 0), passed=possible & between & (h < -TOLERANCE))


def next_density(
    crossings: Crossings,
    back: Array,
    n_b_target: Array,
    affinity: Callable[..., Array],
    amount: Array,
    dz53: Array,
    state: ChunkState,
    mixture: Mixture,
    fusions: Fusions | None,
    member: Member,
    settings: Settings,
) -> Array:
    """Density to try next, fm^-3: the lowest threshold foreseen up to n_b_target, else n_b_target itself.

    With `back` the lowest threshold between n_b_quiet and n_b; there n_b itself is returned when no root is found.
    """
    matter = settings.matter
    x = jnp.log(state.n_b)
    low = jnp.where(back, jnp.log(state.n_b_quiet), x)
    high = jnp.where(back, x, jnp.log(n_b_target))

    falling = crossings.slope < 0
    eligible = jnp.where(back, crossings.passed, crossings.ahead)
    # a channel that was passed although it rises again is looked for half-way
    step = jnp.where(falling, -crossings.h / jnp.where(falling, crossings.slope, -1.0), (low - high) / 2)
    step = jnp.where(eligible, step, jnp.inf)
    index = jnp.argmin(step)
    foreseen = back | (x + step[index] < high)

    n_channels, slots = amount.size, state.stock.Y.shape[0]
    flat = jnp.minimum(index, n_channels - 1)
    channel, slot = flat // slots, flat % slots
    dZ, k = jnp.asarray(CHANNEL_DZ)[channel], jnp.asarray(CHANNEL_K)[channel]

    def distance(x: Array) -> Array:
        n_b = jnp.exp(x)
        g = affinity(
            state.stock.dE[channel, slot], dZ, k, dz53[channel, slot], amount[channel, slot], n_b, mixture, matter
        )
        if fusions is None:
            return g - LANDING
        pair = jnp.maximum(index - n_channels, 0)
        this = fusions._replace(
            constants=pycno.PairConstants(*(c[pair] for c in fusions.constants)),
            ln_Y1=fusions.ln_Y1[pair],
            ln_Y2=fusions.ln_Y2[pair],
            ln_offset=fusions.ln_offset[pair],
            ln_density=None if fusions.ln_density is None else fusions.ln_density[pair],
        )
        ln_tau = ln_burn_time(this, burn_conditions(n_b, mixture, jnp.sum(state.stock.Y)), n_b)
        ln_ratio = ln_tau - jnp.log(eos.pressure(n_b, mixture, matter) / member.g_mdot)
        return jnp.where(index < n_channels, g - LANDING, ln_ratio - LN_LANDING)

    root = jnp.clip(x + step[index], low, high)
    for _ in range(ROOT_ITERATIONS):
        value, slope = jax.jvp(distance, (root,), (jnp.ones_like(root),))
        root = jnp.clip(root - value / slope, low, high)
    found = foreseen & (root > low) & (root < high)
    return jnp.where(found, jnp.exp(root), jnp.where(back, state.n_b, n_b_target))
