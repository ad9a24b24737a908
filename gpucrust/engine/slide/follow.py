"""Where packets lead from a trial: they are followed for some reactions a step, until they have ended."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Member
from gpucrust.engine.network import Network, channel_row
from gpucrust.engine.select import choose
from gpucrust.engine.slide.cascade import go_on
from gpucrust.engine.slide.evaluate import View
from gpucrust.engine.slide.judge import Verdict
from gpucrust.engine.slide.net import Net, change_of, zero_net
from gpucrust.engine.slide.packet import Packet, net_of, start_captor, start_packet
from gpucrust.engine.slide.state import SlideState
from gpucrust.engine.slide.surroundings import best_captor
from gpucrust.physics.potentials import Sums

REACTIONS_A_STEP = 4
"""Number of reactions of a packet in one step of the engine: after so many most packets have ended."""


class Arrival(NamedTuple):
    """What following the packet of a choice has led to; a pytree of arrays."""

    packet: Packet
    """The packet after some reactions."""
    under_way: Array
    """Whether the packet is still under way."""
    arrived: Array
    """Whether it has ended."""
    nuclide: Array
    """(slots,) codes, with slots for what was made."""
    dE: Array
    """(channels, slots) energies of their channels, MeV."""
    full: Array
    """Whether there was no slot left for what was made."""
    net: Net
    """The net of the choice; nothing unless the packet has ended."""
    change: Sums
    """Change of the sums over the composition by one unit of it."""


def settle(
    state: SlideState, packet: Packet, view: View, member: Member, network: Network
) -> tuple[Array, Array, Net, Array]:
    """Slots for what a packet that has ended has made: (nuclide, dE, its whole net, whether there was no slot left)."""
    slot = jnp.arange(view.here.Y.shape[0])
    nuclide, dE = state.stock.nuclide, state.stock.dE
    net, product, captured = net_of(packet)
    in_use = (view.here.Y > 0) | (net.Y != 0) | (state.trial.net.Y != 0) | (state.memory.partner_net.Y != 0)
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

    carry = place(*product, (nuclide, dE, net.Y, in_use, full))
    nuclide, dE, net_Y, _, full = place(*captured, carry)
    return nuclide, dE, net._replace(Y=net_Y), full


def follow(state: SlideState, view: View, verdict: Verdict, member: Member, network: Network) -> Arrival:
    """Let the packet of the choice, or the one that is under way, make some reactions."""
    choice, here = verdict.choice, view.here
    g = view.g[verdict.channel, choice.first]
    with_cascade = state.packet.cascade is not None
    fresh = start_packet(choice.first, choice.second, choice.channel, g, choice.product, here, with_cascade)
    packet = choose(state.packet.goes_on, state.packet, fresh)
    g_captor = best_captor(view.g, here)[2]
    packet = jax.lax.fori_loop(0, REACTIONS_A_STEP, lambda _, p: go_on(p, g_captor, here, network), packet)
    packet = start_captor(packet, view.g, here)
    follows = choice.found & verdict.accepted
    under_way = follows & packet.goes_on
    arrived = follows & ~under_way
    nuclide, dE, net, full = settle(state, packet, view, member, network)
    nuclide, dE = jnp.where(arrived, nuclide, state.stock.nuclide), jnp.where(arrived, dE, state.stock.dE)
    net = choose(arrived, net, zero_net(state.stock.Y.shape[0]))
    return Arrival(packet, under_way, arrived, nuclide, dE, full & arrived, net, change_of(nuclide, net))
