"""Moves in pressure at frozen composition: to the lowest threshold, or as far as one move may go.

At frozen composition everything is a function of n_b alone, so thresholds are roots in x = ln n_b. One candidate is
predicted from the slopes of all affinities and its root solved for; affinities at that trial density then show
whether another channel was passed, in which case the search goes back between the last quiet density and the trial.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk.conversion import Conversion
from gpucrust.engine.chunk.evaluate import View
from gpucrust.engine.chunk.state import ChunkState
from gpucrust.engine.fusion import Fusions, burn_conditions, ln_burn_time, ln_burn_time_slope
from gpucrust.engine.interface import Member, Settings
from gpucrust.physics import eos, pycno
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, THRESHOLD

MAX_DLNP = 0.01
"""Longest move in ln P, so that a channel that is open only for a while is not jumped over."""
TARGET_AFFINITY = 1.0001 * THRESHOLD
"""Affinity in MeV at which a search ends: just beyond the threshold, so that the channel is allowed there."""
TARGET_LN_TIME_RATIO = -1e-9
"""Logarithm of burn time over compression time at which a search ends: just short enough for the fusion to happen."""
TOLERANCE = 1e-10
"""Distance from TARGET_AFFINITY in MeV, or from TARGET_LN_TIME_RATIO, beyond which a search has passed the threshold
and goes back."""
ROOT_ITERATIONS = 5
"""Iterations of Newton's method for a threshold in ln n_b."""


class Crossings(NamedTuple):
    """How far all channels, and then all pairs, are from happening; flat arrays."""

    h: Array
    """Distance: positive before the threshold, negative beyond; in MeV, of pairs in ln(tau/t_acc)."""
    slope: Array
    """dh/dx, x = ln n_b."""
    ahead: Array
    """Whether a rise in density may meet the threshold."""
    passed: Array
    """Whether the threshold lies between the last quiet density and this one."""


def crossings_of(view: View, state: ChunkState, member: Member, settings: Settings) -> Crossings:
    """Distances to all thresholds.

    Slopes only serve to predict: the small change of the second-order term of the affinity is left out.
    """
    matter, n_b, mixture = settings.matter, state.n_b, view.mixture
    k = CHANNEL_K[:, None]
    n_half = n_b * jnp.maximum(state.stock.Y_n + k * view.amount / 2, 0.0)
    stiffness = eos.electron_stiffness(n_b * jnp.asarray(mixture.Y_e))
    slope = CHANNEL_DZ[:, None] * stiffness + k * eos.neutron_stiffness(n_half, matter)
    h, slope, possible = (view.g - TARGET_AFFINITY).ravel(), slope.ravel(), view.possible.ravel()
    if view.fusions is not None and view.ln_tau is not None:
        conditions = burn_conditions(n_b, mixture, jnp.sum(state.stock.Y))
        slope_P = eos.pressure_slope(n_b, mixture, matter) / state.P
        h = jnp.concatenate([h, view.ln_tau - jnp.log(state.P / member.g_mdot) - TARGET_LN_TIME_RATIO])
        slope = jnp.concatenate([slope, ln_burn_time_slope(view.fusions, conditions) - slope_P])
        possible = jnp.concatenate([possible, view.fusions.possible])
    # A fusion that costs energy never happens, however fast: it is told by its burn time having been short already
    # at the quiet density. The margin allows for the error of the linear prediction.
    width = jnp.log(n_b / state.n_b_quiet)
    between = state.searching & (h - 1.1 * slope * width > 0)
    return Crossings(h, slope, ahead=possible & (h > 0) & (slope < 0), passed=possible & between & (h < -TOLERANCE))


def pair_of(fusions: Fusions, pair: Array) -> Fusions:
    """What of the burn time of one pair is fixed at frozen composition."""
    return fusions._replace(
        constants=pycno.PairConstants(*(c[pair] for c in fusions.constants)),
        ln_Y1=fusions.ln_Y1[pair],
        ln_Y2=fusions.ln_Y2[pair],
        ln_offset=fusions.ln_offset[pair],
        ln_density=None if fusions.ln_density is None else fusions.ln_density[pair],
    )


def distance(
    x: Array, index: Array, view: View, state: ChunkState, member: Member, settings: Settings, conversion: Conversion
) -> Array:
    """Distance h of the channel or pair `index` (as in Crossings) from its threshold, at ln n_b = x."""
    n_channels, slots, matter = view.amount.size, state.stock.Y.shape[0], settings.matter
    flat = jnp.minimum(index, n_channels - 1)
    channel, slot = flat // slots, flat % slots
    dZ, k = jnp.asarray(CHANNEL_DZ)[channel], jnp.asarray(CHANNEL_K)[channel]
    n_b, mixture = jnp.exp(x), view.mixture
    dE, dz53, amount = state.stock.dE[channel, slot], view.dz53[channel, slot], view.amount[channel, slot]
    g = conversion.affinity(dE, dZ, k, dz53, amount, n_b, mixture, matter)
    if view.fusions is None:
        return g - TARGET_AFFINITY
    this = pair_of(view.fusions, jnp.maximum(index - n_channels, 0))
    ln_tau = ln_burn_time(this, burn_conditions(n_b, mixture, jnp.sum(state.stock.Y)), n_b)
    ln_time_ratio = ln_tau - jnp.log(eos.pressure(n_b, mixture, matter) / member.g_mdot)
    return jnp.where(index < n_channels, g - TARGET_AFFINITY, ln_time_ratio - TARGET_LN_TIME_RATIO)


def next_density(
    crossings: Crossings,
    back: Array,
    n_b_target: Array,
    view: View,
    state: ChunkState,
    member: Member,
    settings: Settings,
    conversion: Conversion,
) -> Array:
    """Density to try next, fm^-3: the lowest threshold foreseen up to n_b_target, else n_b_target itself.

    With `back` the lowest threshold between n_b_quiet and n_b; there n_b itself is returned when no root is found.
    """
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

    h = lambda x: distance(x, index, view, state, member, settings, conversion)  # noqa: E731
    root = jnp.clip(x + step[index], low, high)
    for _ in range(ROOT_ITERATIONS):
        value, slope = jax.jvp(h, (root,), (jnp.ones_like(root),))
        root = jnp.clip(root - value / slope, low, high)
    found = foreseen & (root > low) & (root < high)
    return jnp.where(found, jnp.exp(root), jnp.where(back, state.n_b, n_b_target))
