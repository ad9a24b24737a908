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

DENSITY_ITERATIONS, ROOT_ITERATIONS = 3, 4
SOLVED_P, SOLVED_H = 1e-11, 1e-8
"""Errors of ln P, and of h in MeV or of ln tau, with which a solution is good; otherwise the search goes on."""
LONGEST = 0.3
"""Of a step of Newton's method in ln n_b."""


class Trigger(NamedTuple):
    """What makes h of a reaction; scalars."""

    fusion: Array  # else a channel
    dE: Array  # MeV
    dZ: Array
    k: Array
    dz53: Array
    pair: pycno.PairConstants
    ln_offset: Array  # ln 1/2 for identical nuclei, less ln of the rate's scale
    Y: Array  # (2,) abundances of the parents
    net_Y: Array  # (2,) their change by a unit of the net
    ln_g_mdot: Array


class Solution(NamedTuple):
    """Where a net goes; scalars."""

    P: Array  # MeV fm^-3
    x: Array  # ln n_b
    d: Array
    root: Array  # the trigger is marginal there


def channel_or_burn_time(x: Array, d: Array, trigger: Trigger, start: Sums, net: Sums, matter: Matter) -> tuple:
    """(ln P, h) at ln n_b = x after d of the net."""
    n_b, sums = jnp.exp(x), start.plus(net, d)
    ln_P = jnp.log(eos.pressure(n_b, sums.mixture, matter))
    at: Potentials = potentials_of(n_b, sums, matter)
    g = trigger.dE + trigger.dZ * at.mu_e + trigger.k * at.mu_n + trigger.dz53 * at.ell
    ln_Y1, ln_Y2 = jnp.log(jnp.maximum(trigger.Y + d * trigger.net_Y, 1e-300))
    conditions = burn_conditions(n_b, sums.mixture, sums.Y)
    ln_tau = trigger.ln_offset + pycno.ln_burn_time(trigger.pair, conditions, ln_Y1, ln_Y2, jnp.log(sums.Y), n_b)
    return ln_P, jnp.where(trigger.fusion, ln_tau - ln_P + trigger.ln_g_mdot, g)


def density_after(P: Array, d: Array, x: Array, start: Sums, net: Sums, matter: Matter) -> Array:
    """ln n_b at P after d of the net, from the guess x."""
    mixture = start.plus(net, d).mixture
    return jnp.log(eos.density_at_pressure(P, mixture, matter, jnp.exp(x), DENSITY_ITERATIONS))


def solve(
    P: Array,
    x: Array,
    d: Array,
    slides: Array,
    moving: Array,
    everything: Array,
    d_max: Array,
    trigger: Trigger,
    start: Sums,
    net: Sums,
    matter: Matter,
) -> Solution:
    """The amount of a net, up to d_max, after which its trigger is marginal at P (MeV fm^-3), from the guess (x, d).

    Not `slides`: nothing reacts. If the stock is used up while the trigger would still go on (or `everything` is to
    go), the whole of it goes; when `moving`, at the pressure where the trigger is marginal just then. A few iterations
    are made; whether they were enough shows in the errors of P and h.
    """
    d_max = jnp.where(slides, d_max, 0.0)
    x_all = density_after(P, d_max, x, start, net, matter)
    _, h_all = channel_or_burn_time(x_all, d_max, trigger, start, net, matter)
    whole = slides & ((h_all <= 0) | everything)
    seeks = slides & (~whole | moving)
    ln_P_goal = jnp.log(P)

    def both(x: Array, d: Array) -> tuple:
        """(ln P, h) with their derivatives in x and in d."""
        f = lambda x, d: channel_or_burn_time(x, d, trigger, start, net, matter)  # noqa: E731
        one, zero = jnp.ones_like(x), jnp.zeros_like(x)
        value, by_x = jax.jvp(f, (x, d), (one, zero))
        return (*value, *by_x, *jax.jvp(f, (x, d), (zero, one))[1])

    def improve(_: int, carry: tuple) -> tuple:
        x, d, low, high = carry
        ln_P, h, P_x, h_x, P_d, h_d = both(x, d)
        # along the curve of constant pressure
        h_there = h + h_x * (ln_P_goal - ln_P) / P_x
        slope = h_d - h_x * P_d / P_x
        low, high = jnp.where(h_there < 0, d, low), jnp.where(h_there < 0, high, d)
        newton = d - h_there / slope
        regular = slope > 0  # not where the net still drives its trigger on
        good = (newton >= low) & (newton <= high) & regular
        d_new = jnp.where(good, newton, jnp.where((newton < 0) & (d > 0) & regular, 0.0, (low + high) / 2))
        d_new = jnp.where(whole, d, d_new)
        dx = jnp.where(whole, -h / h_x, (ln_P_goal - ln_P - P_d * (d_new - d)) / P_x)
        return x + jnp.clip(dx, -LONGEST, LONGEST), d_new, low, high

    guess = jnp.where(whole, x_all, x), jnp.where(whole, d_max, jnp.clip(d, 0.0, d_max))
    x, d, _, high = jax.lax.fori_loop(0, ROOT_ITERATIONS, improve, (*guess, jnp.zeros_like(d), d_max))
    x, d = jnp.where(seeks, x, x_all), jnp.where(seeks, d, d_max)
    P_end = eos.pressure(jnp.exp(x), start.plus(net, d).mixture, matter)
    needless = (d == 0) & (high == 0)  # nothing has to react for the trigger not to go on
    return Solution(jnp.where(whole & moving, P_end, P), x, d, seeks & ~needless)
