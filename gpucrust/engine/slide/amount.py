"""How far a net of reactions goes: the amount that leaves its trigger marginal at a given pressure.

Unknowns are x = ln n_b and the amount d; equations are P(x, d) = P and h(x, d) = 0, h being the trigger's affinity or,
for a fusion, ln(tau/t_acc). At constant pressure the affinity is a function of d alone (the Gibbs-Duhem relation
leaves one degree of freedom), negative while the trigger goes on; its root is bracketed by 0 and the amount that the
stock allows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.fusion import burn_conditions
from gpucrust.physics import eos, pycno
from gpucrust.physics.eos import Matter
from gpucrust.physics.potentials import Potentials, Sums, potentials_of

DENSITY_ITERATIONS = 3
"""Iterations of Newton's method for the density at which a composition has a pressure, from that of another near it."""
ROOT_ITERATIONS = 4
"""Iterations of Newton's method for density and amount together in one step of the engine; a trial may take several."""
SOLVED_P = 1e-11
"""Error of ln P below which a trial is solved."""
SOLVED_H = 1e-8
"""Error of h, in MeV or in ln(tau/t_acc), below which a trial is solved."""
LONGEST_STEP = 0.3
"""Largest change of ln n_b in one iteration of Newton's method."""


class Threshold(NamedTuple):
    """What h of a reaction follows from, its distance from its threshold; a pytree of scalars, or as said."""

    fusion: Array
    """Whether it is a fusion; else a channel."""
    dE: Array
    """Energy of the channel, MeV."""
    dZ: Array
    """Change of the charge number by the channel."""
    k: Array
    """Neutrons set free by the channel."""
    dz53: Array
    """Change of Z^(5/3) by the channel."""
    pair: pycno.PairConstants
    """Constants of the fusing pair."""
    ln_offset: Array
    """ln 1/2 for identical nuclei, less the logarithm of the factor on all fusion rates."""
    Y: Array
    """(2,) abundances of the parents."""
    net_Y: Array
    """(2,) change of these abundances by one unit of the net."""
    ln_g_mdot: Array
    """ln of g times mdot in MeV fm^-3 s^-1."""


class Solution(NamedTuple):
    """Where a net goes; a pytree of scalars."""

    P: Array
    """Pressure, MeV fm^-3."""
    x: Array
    """ln of the baryon density in fm^-3."""
    d: Array
    """Units of the net, per baryon."""
    root: Array
    """Whether the trigger is marginal there; else the amount was given, or is all there is."""


def ln_P_and_h(x: Array, d: Array, threshold: Threshold, start: Sums, net: Sums, matter: Matter) -> tuple[Array, Array]:
    """(ln P, h) at ln n_b = x after d of the net."""
    t, n_b, sums = threshold, jnp.exp(x), start.plus(net, d)
    ln_P = jnp.log(eos.pressure(n_b, sums.mixture, matter))
    at: Potentials = potentials_of(n_b, sums, matter)
    g = t.dE + t.dZ * at.mu_e + t.k * at.mu_n + t.dz53 * at.ell
    ln_Y1, ln_Y2 = jnp.log(jnp.maximum(t.Y + d * t.net_Y, 1e-300))
    conditions = burn_conditions(n_b, sums.mixture, sums.Y)
    ln_tau = t.ln_offset + pycno.ln_burn_time(t.pair, conditions, ln_Y1, ln_Y2, jnp.log(sums.Y), n_b)
    return ln_P, jnp.where(t.fusion, ln_tau - ln_P + t.ln_g_mdot, g)


def density_after(P: Array, d: Array, x: Array, start: Sums, net: Sums, matter: Matter) -> Array:
    """ln n_b at P after d of the net, from the guess x."""
    mixture = start.plus(net, d).mixture
    return jnp.log(eos.density_at_pressure(P, mixture, matter, jnp.exp(x), DENSITY_ITERATIONS))


def improve(
    x: Array,
    d: Array,
    low: Array,
    high: Array,
    used_up: Array,
    ln_P_goal: Array,
    threshold: Threshold,
    start: Sums,
    net: Sums,
    matter: Matter,
) -> tuple[Array, Array, Array, Array]:
    """One iteration of Newton's method for (x, d), with the root between `low` and `high`; d stays where it is used up.

    Where d is used up, x is sought at which h = 0.
    """
    f = lambda x, d: ln_P_and_h(x, d, threshold, start, net, matter)  # noqa: E731
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    (ln_P, h), (P_x, h_x) = jax.jvp(f, (x, d), (one, zero))
    P_d, h_d = jax.jvp(f, (x, d), (zero, one))[1]
    # along the curve of constant pressure
    h_there = h + h_x * (ln_P_goal - ln_P) / P_x
    slope = h_d - h_x * P_d / P_x
    low, high = jnp.where(h_there < 0, d, low), jnp.where(h_there < 0, high, d)
    newton = d - h_there / slope
    regular = slope > 0  # not where the net still drives its trigger on
    good = (newton >= low) & (newton <= high) & regular
    d_new = jnp.where(good, newton, jnp.where((newton < 0) & (d > 0) & regular, 0.0, (low + high) / 2))
    d_new = jnp.where(used_up, d, d_new)
    dx = jnp.where(used_up, -h / h_x, (ln_P_goal - ln_P - P_d * (d_new - d)) / P_x)
    return x + jnp.clip(dx, -LONGEST_STEP, LONGEST_STEP), d_new, low, high


def solve(
    P: Array,
    x: Array,
    d: Array,
    reacts: Array,
    moves: Array,
    given: Array,
    d_max: Array,
    threshold: Threshold,
    start: Sums,
    net: Sums,
    matter: Matter,
) -> Solution:
    """The amount of a net, up to d_max, after which its trigger is marginal at P (MeV fm^-3), from the guess (x, d).

    Not `reacts`: nothing does. If d_max is used up while the trigger would still go on (or is `given` as the amount),
    the whole of it goes; on a move, to the pressure where the trigger is marginal just then. A few iterations are made;
    whether they were enough shows in the errors of P and h.
    """
    d_max = jnp.where(reacts, d_max, 0.0)
    x_all = density_after(P, d_max, x, start, net, matter)
    _, h_all = ln_P_and_h(x_all, d_max, threshold, start, net, matter)
    used_up = reacts & ((h_all <= 0) | given)
    seeks = reacts & (~used_up | moves)
    ln_P_goal = jnp.log(P)

    def iteration(_: int, carry: tuple) -> tuple:
        x, d, low, high = carry
        return improve(x, d, low, high, used_up, ln_P_goal, threshold, start, net, matter)

    guess = jnp.where(used_up, x_all, x), jnp.where(used_up, d_max, jnp.clip(d, 0.0, d_max))
    x, d, _, high = jax.lax.fori_loop(0, ROOT_ITERATIONS, iteration, (*guess, jnp.zeros_like(d), d_max))
    x, d = jnp.where(seeks, x, x_all), jnp.where(seeks, d, d_max)
    P_end = eos.pressure(jnp.exp(x), start.plus(net, d).mixture, matter)
    needless = (d == 0) & (high == 0)  # nothing has to react for the trigger not to go on
    return Solution(jnp.where(used_up & moves, P_end, P), x, d, seeks & ~needless)
