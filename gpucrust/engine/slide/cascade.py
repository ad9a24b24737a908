"""The cascade of a packet: the reactions that it makes one after another, each the most urgent that it may make."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine import urgency
from gpucrust.engine.fusion import burn_conditions, fuse
from gpucrust.engine.network import Network, channel_row, fusion_index
from gpucrust.engine.select import choose
from gpucrust.engine.slide.net import Net, channel_net, fusion_net, plus, zero_net
from gpucrust.engine.slide.packet import LOOP_MEMORY, Loop, Packet, link, remembered
from gpucrust.engine.slide.surroundings import Surroundings
from gpucrust.nuclide import daughter_code, nuclide_Z
from gpucrust.physics import pycno
from gpucrust.physics.potentials import channel_affinities
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K, CHANNELS, THRESHOLD
from gpucrust.support.minimum import first_minimum

FUSION_THRESHOLD = -1e-3
"""Logarithm of burn time over compression time below which a fusion is allowed: less than 0 by more than rounding."""
MAX_REACTIONS = 256
"""Largest number of reactions of a packet; one that makes as many goes round for ever."""


class Next(NamedTuple):
    """The reaction that a packet makes next, if any; a pytree of arrays."""

    reaction_class: Array
    """Class; inf where no channel is allowed."""
    order: Array
    """Urgency in its class: affinity in MeV, or ln of the burn time of a fusion in s."""
    fuses: Array
    """Whether it is a fusion."""
    channel: Array
    """Channel; CHANNELS for a fusion."""
    other: Array
    """Code of the second parent of a fusion; 0 of a channel."""
    daughter: Array
    """Code of what the packet becomes."""
    weight: Array
    """Weight of the packet afterwards: two nuclei of a packet that fuses with itself make one."""
    change: Net
    """What it does, but for the packet itself."""


def _energies(code: Array, here: Surroundings, network: Network) -> tuple[Array, Array]:
    """Channel energies of a nuclide by the policy in force, and what one table would give more; (channels,), MeV."""
    row, mixed = channel_row(code, here.model, network, here.errors)
    row = jnp.where(here.one_table, mixed, row)
    return row, jnp.where(jnp.isfinite(row) & jnp.isfinite(mixed), mixed - row, 0.0)


def _next_channel(packet: Packet, g_captor: Array, here: Surroundings, network: Network) -> Next:
    """The most urgent channel of a packet. Neutrons that are scarce go to the captor if it gains more by them."""
    row, more = _energies(packet.code, here, network)
    g = channel_affinities(row, nuclide_Z(packet.code), here.potentials)
    k, dZ, classes = (jnp.asarray(x) for x in (CHANNEL_K, CHANNEL_DZ, CHANNEL_CLASS))
    enough = (
        packet.is_captor
        | urgency.enough_neutrons(here.Y_n, here.chunk)
        | (packet.net.Y_n + packet.loop.before.Y_n >= -k)
    )
    outdone = (k < 0) & (g_captor < THRESHOLD) & (g >= g_captor)
    allowed = (g < THRESHOLD) & enough & ~outdone
    lowest, c, order = urgency.most_urgent(allowed, g, classes)
    order = jnp.where(jnp.isfinite(lowest), order, 0.0)
    return Next(
        reaction_class=lowest,
        order=order,
        fuses=jnp.array(False),
        channel=c,
        other=jnp.zeros_like(packet.code),
        daughter=daughter_code(packet.code, dZ[c], k[c]),
        weight=packet.weight,
        change=channel_net(c, packet.code, order, more[c], packet.weight, here),
    )


def _fastest_fusion(packet: Packet, here: Surroundings, network: Network) -> tuple[Array, Array]:
    """The fastest fusion of the packet with a nuclide of the stock or itself: slot (or slots for itself), ln tau."""
    slots = here.Y.shape[0]
    assert network.pairs is not None
    index, light = fusion_index(here.nuclide)
    own_index, own_light = fusion_index(packet.code)
    same = here.nuclide == packet.code
    # whatever the packet's weight: so it is the same lap after lap
    Y_own = here.chunk + jnp.sum(jnp.where(same, here.Y, 0.0))
    ln_Y = jnp.append(jnp.log(jnp.where(here.Y > 0, here.Y, 1.0)), jnp.log(Y_own))
    constants = network.pairs[own_index, jnp.append(index, own_index)]
    pair = pycno.PairConstants(constants[:, 0], constants[:, 1], constants[:, 2])
    Y_nuclei = jnp.sum(here.Y)
    conditions = burn_conditions(here.n_b, here.mixture, Y_nuclei)
    ln_tau = pycno.ln_burn_time(pair, conditions, jnp.log(Y_own), ln_Y, jnp.log(Y_nuclei), here.n_b)
    ln_tau = ln_tau - here.ln_rate_scale - jnp.where(jnp.arange(slots + 1) == slots, jnp.log(2.0), 0.0)
    able = jnp.append(light & (here.Y >= here.chunk) & ~same, True) & own_light
    ln_tau = jnp.where(able & (ln_tau - here.ln_t_acc < FUSION_THRESHOLD), ln_tau, jnp.inf)
    return first_minimum(ln_tau)


def _next_fusion(packet: Packet, here: Surroundings, network: Network) -> Next:
    """The fastest fusion of a packet, if it releases energy."""
    slots, zero = here.Y.shape[0], zero_net(here.Y.shape[0])
    partner, ln_tau = _fastest_fusion(packet, here, network)
    itself = partner == slots
    other = jnp.where(itself, packet.code, here.nuclide[jnp.minimum(partner, slots - 1)])
    parents = jnp.stack([packet.code, other])
    product, k, energy = fuse(parents, here.potentials.mu_n, here.potentials.ell, here.model, network, here.errors)
    after = jnp.where(itself, packet.weight / 2, packet.weight)
    change = plus(zero, fusion_net(parents, k, energy, here), after)
    return Next(
        reaction_class=urgency.fusion_class(ln_tau, here.ln_t_weak),
        order=ln_tau,
        fuses=jnp.isfinite(ln_tau) & (energy > 0),
        channel=jnp.array(CHANNELS),
        other=other,
        daughter=product,
        weight=after,
        change=change._replace(Y=-after * (jnp.arange(slots) == partner)),
    )


def next_reaction(packet: Packet, g_captor: Array, here: Surroundings, network: Network) -> Next:
    """The most urgent reaction of a packet; g_captor: affinity of the best captor of the stock, MeV."""
    channel = _next_channel(packet, g_captor, here, network)
    if network.pairs is None:
        return channel
    fusion = _next_fusion(packet, here, network)
    fuses = fusion.fuses & (fusion.reaction_class < channel.reaction_class)
    return choose(fuses, fusion, channel)._replace(fuses=fuses)


def _stops(packet: Packet, reaction: Next) -> Array:
    """Whether the packet ends before this reaction."""
    lowest, own = reaction.reaction_class, packet.trigger_class
    stops = ~jnp.isfinite(lowest) | (lowest > own) | ((lowest == own) & (reaction.order > packet.trigger_order))
    return stops | (packet.code == packet.parent) | (packet.n_reactions >= MAX_REACTIONS)


def go_on(packet: Packet, g_captor: Array, here: Surroundings, network: Network) -> Packet:
    """The packet after its next reaction, if it makes one; g_captor: affinity of the best captor of the stock, MeV.

    A packet that has gone round a loop once ends: the net of all further laps is a geometric series.
    """
    zero, loop = zero_net(here.Y.shape[0]), packet.loop
    reaction = next_reaction(packet, g_captor, here, network)
    stops, fuses = _stops(packet, reaction), reaction.fuses
    lap_ends = ~stops & fuses & (packet.code == loop.code)
    lap_begins = ~stops & fuses & (loop.code == 0) & jnp.any(loop.visited == packet.code)
    left = packet.weight / jnp.where(lap_ends, loop.weight, 1.0)
    converges = lap_ends & (left < 1)
    goes = packet.goes_on & ~stops & ~lap_ends

    net, before = choose(lap_begins, zero, packet.net), choose(lap_begins, packet.net, loop.before)
    net = plus(net, reaction.change, jnp.where(goes, 1.0, 0.0))
    series = jnp.where(converges, 1 / (1 - left), 1.0)
    net = choose(goes, net, plus(before, net, series))  # before is nothing unless a loop was found
    edge = network.edge[here.model, jnp.clip(reaction.daughter, 0, network.edge.shape[1] - 1)]
    remembers = goes & fuses & (loop.code == 0) & (jnp.arange(LOOP_MEMORY) == jnp.sum(loop.visited != 0))
    does = link(packet.code, jnp.where(stops, -1, reaction.channel), jnp.where(stops, 0, reaction.other))
    after = packet._replace(
        goes_on=goes,
        code=jnp.where(goes, reaction.daughter, packet.code),
        weight=jnp.where(converges, 0.0, jnp.where(goes, reaction.weight, packet.weight)),
        net=net,
        n_reactions=packet.n_reactions + goes,
        off_chart=packet.off_chart | (goes & edge),
        loop=Loop(
            visited=jnp.where(remembers, packet.code, loop.visited),
            code=jnp.where(lap_begins, packet.code, loop.code),
            weight=jnp.where(lap_begins, packet.weight, loop.weight),
            before=before,
        ),
        cascade=remembered(packet.cascade, does),
    )
    return choose(packet.goes_on, after, packet)
