"""Nets of the slide engine: room for what packets make, how far a net can go, and what the solver must know of it."""

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Member
from gpucrust.engine.network import Network, channel_row, fusion_index
from gpucrust.engine.slide.amount import Solution, Trigger
from gpucrust.engine.slide.cascade import Net, Walk, whole_net
from gpucrust.engine.slide.evaluate import Choice, View
from gpucrust.engine.slide.state import SlideState
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.potentials import Z53, Potentials, Sums, potentials_of, sums_of
from gpucrust.physics.pycno import PairConstants
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS
from gpucrust.support.minimum import first_minimum

BITE = 0.05
"""MeV: change of mu_e and mu_n in one burn, at most."""


def settle(
    state: SlideState, walk: Walk, view: View, member: Member, network: Network
) -> tuple[Array, Array, Net, Array]:
    """Room for what a finished packet has made: (nuclide, dE, its whole net, whether there was no room)."""
    slot = jnp.arange(view.Y.shape[0])
    nuclide, dE = state.stock.nuclide, state.stock.dE
    net, packet, captor = whole_net(walk)
    in_use = (view.Y > 0) | (net.Y != 0) | (state.net.Y != 0) | (state.partner_net.Y != 0)
    full = jnp.array(False)

    def place(code: Array, amount: Array, carry: tuple) -> tuple:
        nuclide, dE, net_Y, in_use, full = carry
        known = nuclide == code
        home = jnp.where(jnp.any(known), jnp.argmax(known), jnp.argmin(in_use))
        here_now = (slot == home) & (amount > 0)
        full = full | ((amount > 0) & jnp.all(in_use) & ~jnp.any(known))
        row, mixed = channel_row(code, member.model, network, member.errors)
        row = jnp.where(state.account.switched, mixed, row)
        dE = jnp.where(here_now & ~jnp.any(known), row[:, None], dE)
        return jnp.where(here_now, code, nuclide), dE, net_Y + amount * here_now, in_use | here_now, full

    carry = place(*packet, (nuclide, dE, net.Y, in_use, full))
    nuclide, dE, net_Y, _, full = place(*captor, carry)
    return nuclide, dE, net._replace(Y=net_Y), full


def change_of(nuclide: Array, net: Net) -> Sums:
    """Change of the sums by a unit of a net."""
    return sums_of(nuclide, net.Y, net.Y_n)


def stock_of(Y: Array, Y_n: Array, net: Net) -> tuple[Array, Array]:
    """The amount of a net that uses up a nuclide or the free neutrons, and its slot (-1: neutrons)."""
    used, used_n = net.Y < 0, net.Y_n < 0
    by_nuclide = jnp.where(used, Y / -jnp.where(used, net.Y, -1.0), jnp.inf)
    by_neutrons = jnp.where(used_n, Y_n / -jnp.where(used_n, net.Y_n, -1.0), jnp.inf)
    slot, least = first_minimum(by_nuclide)
    return jnp.minimum(least, by_neutrons), jnp.where(by_neutrons < least, -1, slot)


def torque(change: Sums, sums: Sums) -> Array:
    """Push of a net along the one degree of freedom that constant pressure leaves."""
    return change.Y_e * sums.Y_n - change.Y_n * sums.Y_e


def trigger_of(
    choice: Choice, nuclide: Array, dE: Array, Y: Array, net: Net, member: Member, network: Network
) -> Trigger:
    """What the solver must know of a reaction."""
    c = jnp.clip(choice.channel, 0, CHANNELS - 1)
    dZ, k, z53 = jnp.asarray(CHANNEL_DZ)[c], jnp.asarray(CHANNEL_K)[c], jnp.asarray(Z53)
    Z = nuclide_Z(nuclide[choice.first])
    parents = jnp.stack([choice.first, choice.second])
    zero = jnp.array(0.0)
    pair, ln_offset = PairConstants(zero, zero, zero), zero
    if network.pairs is not None:
        i, j = fusion_index(nuclide[parents])[0]
        pair = PairConstants(*network.pairs[i, j])
        ln_offset = jnp.where(choice.first == choice.second, jnp.log(0.5), 0.0) - member.ln_rate_scale
    return Trigger(
        fusion=choice.channel == CHANNELS,
        dE=dE[c, choice.first],
        dZ=dZ,
        k=k,
        dz53=z53[jnp.maximum(Z + dZ, 0)] - z53[Z],
        pair=pair,
        ln_offset=ln_offset,
        Y=Y[parents],
        net_Y=net.Y[parents],
        ln_g_mdot=jnp.log(member.g_mdot),
    )


def bitten(solution: Solution, x: Array, start: Sums, change: Sums, at: Potentials, matter: eos.Matter) -> Array:
    """The amount of a solution, made smaller until mu_e and mu_n change by no more than BITE; x: ln n_b at the start.

    Between the start and the solution ln n_b is taken to be linear in the amount.
    """
    part = jnp.ones_like(x)
    for _ in range(3):
        then = potentials_of(jnp.exp(x + part * (solution.x - x)), start.plus(change, part * solution.d), matter)
        moved = jnp.maximum(jnp.abs(then.mu_e - at.mu_e), jnp.abs(then.mu_n - at.mu_n))
        part = jnp.where(moved > BITE, part * jnp.clip(0.8 * BITE / moved, 0.05, 1.0), part)
    return part
