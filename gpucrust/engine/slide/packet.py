"""Packets: an infinitesimal part of what a reaction makes, followed through everything that it may do at once.

A unit of the trigger's parent converts; its product, the trigger's packet, then makes the most urgent reaction allowed
at the potentials there are, and the next, until none is: its cascade (`gpucrust.engine.slide.cascade`).

A packet that comes to a fusion it has made before goes round a loop, with less weight each time: the second lap
gives the ratio of a geometric series. Neutrons set free where there are none go to the nuclide of the stock that gains
most by them, the captor, which is followed as a second packet, with neutrons at will.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gpucrust.engine.select import choose
from gpucrust.engine.slide.net import ROUNDING, Net, channel_net, fusion_net, plus, zero_net
from gpucrust.engine.slide.surroundings import Surroundings, best_captor
from gpucrust.engine.urgency import enough_neutrons
from gpucrust.nuclide import N_CODES, daughter_code
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K, CHANNELS, THRESHOLD

MARGINAL_BEYOND = -1e-3
"""Affinity in MeV beyond which a trigger is not marginal. It then goes on by its class before anything less urgent,
which its packet therefore does not do."""
LOOP_MEMORY = 16
"""Number of fusions of a packet that are remembered, to find a loop."""
CASCADE_MEMORY = 64
"""Number of links of a cascade that are remembered, where cascades are: two that differ later pass for one."""


class Loop(NamedTuple):
    """What tells that a packet goes round a loop; a pytree of arrays."""

    visited: Array
    """(LOOP_MEMORY,) codes of the packet at fusions, then 0."""
    code: Array
    """Code at which the lap began; 0 before a loop is found."""
    weight: Array
    """Weight with which the lap began."""
    before: Net
    """Net until the lap began; nothing before a loop is found."""


class Ended(NamedTuple):
    """The trigger's packet where it has ended and a captor's is under way; a pytree of arrays."""

    net: Net
    """What it has done, without its nuclei; the captor takes up the neutrons that it sets free."""
    code: Array
    """Code of the nuclide that it has become."""
    weight: Array
    """Number of its nuclei, by one unit of the trigger."""


class Packet(NamedTuple):
    """A packet under way; a pytree of arrays."""

    goes_on: Array
    """Whether it is under way."""
    code: Array
    """Code of the nuclide that it is now."""
    weight: Array
    """Number of nuclei, by one unit of the trigger."""
    net: Net
    """What it has done so far, without these nuclei; in a loop, of this lap."""
    trigger_class: Array
    """Class of a trigger that is not marginal, which the packet does not go beyond; inf of a marginal one."""
    trigger_order: Array
    """Affinity of a trigger that is not marginal, MeV."""
    parent: Array
    """Code of the trigger's parent: a packet that comes back to it has ended."""
    n_reactions: Array
    """Reactions so far, the trigger's included."""
    off_chart: Array
    """Whether it has come to the edge of the chart or of the mass tables."""
    loop: Loop
    """What tells that it goes round a loop."""
    is_captor: Array
    """Whether it is the packet of a captor, rather than of the trigger."""
    ended: Ended
    """The trigger's packet, where this is a captor's."""
    cascade: Array | None
    """(CASCADE_MEMORY,) its links, then 0; None where they are not remembered."""


def resting_packet(code: Array, slots: int, with_cascade: bool) -> Packet:
    """No packet is under way; code: of any nuclide."""
    zero, no, nothing = jnp.array(0.0), jnp.array(False), zero_net(slots)
    return Packet(
        goes_on=no,
        code=code,
        weight=zero,
        net=nothing,
        trigger_class=zero,
        trigger_order=zero,
        parent=code,
        n_reactions=jnp.array(0),
        off_chart=no,
        loop=Loop(jnp.zeros(LOOP_MEMORY, code.dtype), jnp.zeros((), code.dtype), zero, nothing),
        is_captor=no,
        ended=Ended(nothing, code, zero),
        cascade=jnp.zeros(CASCADE_MEMORY, code.dtype) if with_cascade else None,
    )


def start_packet(
    first: Array,
    second: Array,
    channel: Array,
    g: Array,
    product: tuple[Array, Array, Array],
    here: Surroundings,
    with_cascade: bool,
) -> Packet:
    """The packet just behind its trigger. first, second: slots; g: affinity; product: of a fusion (code, k, energy)."""
    slot, zero = jnp.arange(here.Y.shape[0]), jnp.array(0.0)
    fusion = channel == CHANNELS
    c = jnp.minimum(channel, CHANNELS - 1)
    code, k_fusion, energy = product
    dZ, k = jnp.asarray(CHANNEL_DZ)[c], jnp.asarray(CHANNEL_K)[c]
    change = channel_net(c, here.nuclide[first], g, zero, jnp.array(1.0), here)
    change = choose(fusion, fusion_net(here.nuclide[jnp.stack([first, second])], k_fusion, energy, here), change)
    beyond = ~fusion & (g < MARGINAL_BEYOND) & (k >= 0)
    parent = here.nuclide[first]
    net = change._replace(Y=-1.0 * (slot == first) - 1.0 * ((slot == second) & fusion))
    return resting_packet(parent, here.Y.shape[0], with_cascade)._replace(
        goes_on=jnp.array(True),
        code=jnp.where(fusion, code, daughter_code(parent, dZ, k)),
        weight=jnp.array(1.0),
        net=net,
        trigger_class=jnp.where(beyond, jnp.asarray(CHANNEL_CLASS)[c], jnp.inf),
        trigger_order=jnp.where(beyond, g, 0.0),
        n_reactions=jnp.array(1),
    )


def start_captor(packet: Packet, g: Array, here: Surroundings) -> Packet:
    """The captor's packet where one has ended that sets scarce neutrons free, else the packet; g: (channels, slots)."""
    slot, channel, g_captor = best_captor(g, here)
    gains = (g_captor < THRESHOLD) & (packet.net.Y_n > ROUNDING) & ~enough_neutrons(here.Y_n, here.chunk)[channel]
    no_product = (packet.code, jnp.array(0), jnp.array(0.0))
    captor = start_packet(slot, slot, channel, g_captor, no_product, here, packet.cascade is not None)._replace(
        is_captor=jnp.array(True),
        ended=Ended(packet.net, packet.code, packet.weight),
        off_chart=packet.off_chart,
        cascade=remembered(packet.cascade, link(here.nuclide[slot], channel, jnp.array(0))),
    )
    return choose(~packet.goes_on & ~packet.is_captor & gains, captor, packet)


def net_of(packet: Packet) -> tuple[Net, tuple[Array, Array], tuple[Array, Array]]:
    """The net of a packet that has ended but for its products, and those: (code, amount) of trigger and captor."""
    captor, ended = packet.is_captor, packet.ended
    takes = captor & (packet.net.Y_n < -ROUNDING)
    caught = jnp.where(takes, ended.net.Y_n / -jnp.where(takes, packet.net.Y_n, -1.0), 0.0)
    both = plus(ended.net, packet.net, caught)
    both = both._replace(Y_n=jnp.where(takes, 0.0, both.Y_n))
    code, amount = jnp.where(captor, ended.code, packet.code), jnp.where(captor, ended.weight, packet.weight)
    return choose(captor, both, packet.net), (code, amount), (packet.code, caught * packet.weight)


def link(code: Array, channel: Array, other: Array) -> Array:
    """One link of a cascade, what a packet does at a nuclide: channel -1 nothing, CHANNELS a fusion with `other`."""
    return (code * (CHANNELS + 2) + channel + 1) * N_CODES + other


def of_link(number: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(code, channel, other) of links."""
    rest, other = np.divmod(np.asarray(number, int), N_CODES)
    code, channel = np.divmod(rest, CHANNELS + 2)
    return code, channel - 1, other


def remembered(cascade: Array | None, this: Array) -> Array | None:
    """The cascade with one more link."""
    return None if cascade is None else jnp.where(jnp.arange(CASCADE_MEMORY) == jnp.sum(cascade != 0), this, cascade)


def first_difference(cascade: Array, other: Array) -> Array:
    """The first links, (2,), in which two cascades differ; 0 for none."""
    place = jnp.argmax(cascade != other)
    return jnp.stack([cascade[place], other[place]])
