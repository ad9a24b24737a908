"""The net of a trigger: a packet of its product is followed through everything that it may do at once.

A unit of the trigger's parent converts; its product, a packet of infinitesimal weight, then makes the most urgent
reaction allowed at the potentials there are, and the next, until none is. The net of that walk (nuclei used up and
made, neutrons set free, heat) is what one unit of the trigger does in the end.

A packet that comes to a fusion it has made before goes round a loop, with less weight each time: the second lap
gives the ratio of a geometric series. Neutrons set free where there are none go to the nuclide of the stock that gains
most by them, which is followed as a second packet, with neutrons at will.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gpucrust.engine.fusion import burn_conditions, fuse
from gpucrust.engine.interface import SCARCE, Y_REACTS
from gpucrust.engine.network import Network, channel_row, fusion_index
from gpucrust.nuclide import N_CODES, N_STRIDE, nuclide_Z
from gpucrust.physics import pycno
from gpucrust.physics.eos import Mixture
from gpucrust.physics.potentials import Z53, Potentials, channel_affinities
from gpucrust.physics.reactions import (
    CHANNEL_CLASS,
    CHANNEL_DZ,
    CHANNEL_K,
    CHANNELS,
    FAST_FUSION,
    SLOW_FUSION,
    THRESHOLD,
)
from gpucrust.support.minimum import first_minimum

FUSION_THRESHOLD = -1e-3
"""In ln(tau/t_acc): a fusion is allowed when it is faster than compression by this."""
FAR = -1e-3
"""MeV; a trigger beyond this is not marginal, but goes on by its class before slower reactions of its products."""
MAX_WALK = 256
NOTHING = 1e-9
"""Of a net, by unit: what is less is rounding."""
LOOPS = 16
"""Fusions of a packet that are remembered."""
WAY = 64
"""Deeds of a packet that are remembered, where they are."""
CAPTURES = CHANNEL_K < 0


class Surroundings(NamedTuple):
    """Where a packet walks: the stock and the state of matter; a pytree of arrays."""

    nuclide: Array  # (slots,)
    Y: Array  # (slots,)
    dE: Array  # (12, slots)
    Y_n: Array
    mixture: Mixture
    n_b: Array
    at: Potentials
    ln_t_acc: Array
    ln_t_weak: Array
    model: Array
    errors: Array | None  # (codes,) MeV
    ln_rate_scale: Array
    chunk: Array  # abundance that a packet counts for in burn times
    kept: Array  # part of the energy of electron captures that neutrinos leave
    one_table: Array  # `unmixed` has given way to one table


class Net(NamedTuple):
    """What one unit of a trigger does; a pytree of arrays."""

    Y: Array  # (slots,)
    Y_n: Array
    heat: Array  # MeV, less what neutrinos take
    heat_mu_e: Array  # its derivatives, less their signs, in the potentials
    heat_mu_n: Array
    heat_ell: Array
    mismatch: Array  # MeV


class Walk(NamedTuple):
    """A packet on its way; a pytree of arrays."""

    on: Array
    code: Array
    weight: Array
    net: Net  # without the packet itself
    own_class: Array
    own_order: Array
    start: Array  # code of the trigger's parent
    steps: Array
    off_chart: Array
    visited: Array  # (LOOPS,) codes at fusions
    lap_code: Array  # 0 before a loop is found
    lap_weight: Array
    before_lap: Net
    fed: Array  # this is a captor's packet
    held: Net  # of the packet before, which sets free what the captor's takes in
    held_code: Array
    held_weight: Array
    way: Array | None  # (WAY,) its deeds, then 0; None where they are not remembered


def zero_net(slots: int) -> Net:
    """A net of nothing."""
    zero = jnp.array(0.0)
    return Net(jnp.zeros(slots), *[zero] * (len(Net._fields) - 1))


def resting_walk(code: Array, slots: int, with_way: bool) -> Walk:
    """No packet is under way; code: of any nuclide."""
    zero, no, nothing = jnp.array(0.0), jnp.array(False), zero_net(slots)
    return Walk(
        on=no,
        code=code,
        weight=zero,
        net=nothing,
        own_class=zero,
        own_order=zero,
        start=code,
        steps=jnp.array(0),
        off_chart=no,
        visited=jnp.zeros(LOOPS, code.dtype),
        lap_code=jnp.zeros((), code.dtype),
        lap_weight=zero,
        before_lap=nothing,
        fed=no,
        held=nothing,
        held_code=code,
        held_weight=zero,
        way=jnp.zeros(WAY, code.dtype) if with_way else None,
    )


def deed(code: Array, channel: Array, other: Array) -> Array:
    """What a packet does at a nuclide, in one number: channel -1 nothing, CHANNELS a fusion with `other`."""
    return (code * (CHANNELS + 2) + channel + 1) * N_CODES + other


def deed_of(number: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(code, channel, other) of deeds."""
    rest, other = np.divmod(np.asarray(number, int), N_CODES)
    code, channel = np.divmod(rest, CHANNELS + 2)
    return code, channel - 1, other


def remembered(way: Array | None, this: Array) -> Array | None:
    """The way with one more deed."""
    return None if way is None else jnp.where(jnp.arange(WAY) == jnp.sum(way != 0), this, way)


def add(net: Net, other: Net, factor: Array) -> Net:
    """net + factor other."""
    return Net(*(a + factor * b for a, b in zip(net, other, strict=True)))


def at_potentials(net: Net, before: Potentials, after: Potentials) -> Net:
    """The net with the heat that it releases at other potentials."""
    change = net.heat_mu_e * (after.mu_e - before.mu_e) + net.heat_mu_n * (after.mu_n - before.mu_n)
    return net._replace(heat=net.heat - change - net.heat_ell * (after.ell - before.ell))


def choose(first: Array, a: Any, b: Any) -> Any:
    """a where `first`, else b; pytrees of one form."""
    return jax.tree.map(lambda x, y: jnp.where(first, x, y), a, b)


def _row(code: Array, here: Surroundings, network: Network) -> tuple[Array, Array]:
    """Channel energies of a nuclide, (12,), by the policy in force, and what one table would give more."""
    row, mixed = channel_row(code, here.model, network, here.errors)
    row = jnp.where(here.one_table, mixed, row)
    return row, jnp.where(jnp.isfinite(row) & jnp.isfinite(mixed), mixed - row, 0.0)


def enough_neutrons(here: Surroundings) -> Array:
    """Channels for which there are free neutrons, (12,)."""
    return jnp.asarray(CHANNEL_K >= 0) | (here.Y_n > -jnp.asarray(CHANNEL_K) * SCARCE * here.chunk)


def best_captor(g: Array, here: Surroundings) -> tuple[Array, Array, Array]:
    """The capture of neutrons by the stock that releases most: slot, channel and affinity; g: (12, slots)."""
    gains = jnp.where(jnp.asarray(CAPTURES)[:, None] & (here.Y > Y_REACTS), g, 0.0)
    flat, most = first_minimum(gains)
    return flat % g.shape[1], flat // g.shape[1], most


def channel_net(c: Array, code: Array, g: Array, mismatch: Array, weight: Array, here: Surroundings) -> Net:
    """What `weight` units of a channel of a nuclide do, but for the nuclides."""
    dZ, k, Z, z53 = jnp.asarray(CHANNEL_DZ)[c], jnp.asarray(CHANNEL_K)[c], nuclide_Z(code), jnp.asarray(Z53)
    kept = weight * jnp.where(dZ < 0, here.kept, 1.0)
    dz53 = z53[jnp.maximum(Z + dZ, 0)] - z53[Z]
    nothing = jnp.zeros(here.Y.shape[0])
    return Net(nothing, weight * k, -kept * g, kept * dZ, kept * k, kept * dz53, weight * mismatch)


def fusion_net(parents: Array, k: Array, energy: Array, here: Surroundings) -> Net:
    """What one fusion of the parents, (2,) codes, does, but for the nuclides."""
    Z, z53, zero = nuclide_Z(parents), jnp.asarray(Z53), jnp.array(0.0)
    dz53 = z53[jnp.minimum(jnp.sum(Z), Z53.size - 1)] - jnp.sum(z53[Z])
    return Net(jnp.zeros(here.Y.shape[0]), jnp.asarray(k, float), energy, zero, jnp.asarray(k, float), dz53, zero)


def start_walk(
    first: Array,
    second: Array,
    channel: Array,
    g: Array,
    product: tuple[Array, Array, Array],
    here: Surroundings,
    with_way: bool,
) -> Walk:
    """The packet just behind its trigger. first, second: slots; g: affinity; product: of a fusion (code, k, energy)."""
    slot, zero = jnp.arange(here.Y.shape[0]), jnp.array(0.0)
    fusion = channel == CHANNELS
    c = jnp.minimum(channel, CHANNELS - 1)
    code, k_fusion, energy = product
    k = jnp.asarray(CHANNEL_K)[c]
    change = channel_net(c, here.nuclide[first], g, zero, jnp.array(1.0), here)
    change = choose(fusion, fusion_net(here.nuclide[jnp.stack([first, second])], k_fusion, energy, here), change)
    far = ~fusion & (g < FAR) & (k >= 0)
    start = here.nuclide[first]
    net = change._replace(Y=-1.0 * (slot == first) - 1.0 * ((slot == second) & fusion))
    return resting_walk(start, here.Y.shape[0], with_way)._replace(
        on=jnp.array(True),
        code=jnp.where(fusion, code, start + jnp.asarray(CHANNEL_DZ)[c] * (N_STRIDE - 1) - k),
        weight=jnp.array(1.0),
        net=net,
        own_class=jnp.where(far, jnp.asarray(CHANNEL_CLASS)[c], jnp.inf),
        own_order=jnp.where(far, g, 0.0),
        steps=jnp.array(1),
    )


def feed(walk: Walk, g: Array, here: Surroundings) -> Walk:
    """The packet of a captor, where a packet has ended that sets scarce neutrons free; g: (12, slots)."""
    slot, channel, g_captor = best_captor(g, here)
    hungry = (g_captor < THRESHOLD) & (walk.net.Y_n > NOTHING) & ~enough_neutrons(here)[channel]
    no_product = (walk.code, jnp.array(0), jnp.array(0.0))
    captor = start_walk(slot, slot, channel, g_captor, no_product, here, walk.way is not None)._replace(
        fed=jnp.array(True),
        held=walk.net,
        held_code=walk.code,
        held_weight=walk.weight,
        off_chart=walk.off_chart,
        way=remembered(walk.way, deed(here.nuclide[slot], channel, jnp.array(0))),
    )
    begins = ~walk.on & ~walk.fed & hungry
    return choose(begins, captor, walk)


def whole_net(walk: Walk) -> tuple[Net, tuple[Array, Array], tuple[Array, Array]]:
    """The net of a finished walk without its packets, and those: code and amount of the trigger's and the captor's."""
    takes = walk.fed & (walk.net.Y_n < -NOTHING)
    caught = jnp.where(takes, walk.held.Y_n / -jnp.where(takes, walk.net.Y_n, -1.0), 0.0)
    both = add(walk.held, walk.net, caught)
    both = both._replace(Y_n=jnp.where(takes, 0.0, both.Y_n))
    code, amount = jnp.where(walk.fed, walk.held_code, walk.code), jnp.where(walk.fed, walk.held_weight, walk.weight)
    return choose(walk.fed, both, walk.net), (code, amount), (walk.code, caught * walk.weight)


def _fusion_of_packet(walk: Walk, here: Surroundings, network: Network) -> tuple[Array, Array]:
    """The fastest fusion of the packet with a nuclide of the stock or itself: slot (or slots for itself), ln tau."""
    slots = here.Y.shape[0]
    assert network.pairs is not None
    index, light = fusion_index(here.nuclide)
    own_index, own_light = fusion_index(walk.code)
    same = here.nuclide == walk.code
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


def step(walk: Walk, g_captor: Array, here: Surroundings, network: Network) -> Walk:
    """One reaction of the packet, if it makes one; g_captor: affinity of the best captor of the stock."""
    slots, zero = here.Y.shape[0], zero_net(here.Y.shape[0])
    row, more = _row(walk.code, here, network)
    g = channel_affinities(row, nuclide_Z(walk.code), here.at)
    k, dZ, classes = (jnp.asarray(x) for x in (CHANNEL_K, CHANNEL_DZ, CHANNEL_CLASS))
    fed = walk.fed | enough_neutrons(here) | (walk.net.Y_n + walk.before_lap.Y_n >= -k)
    outdone = (k < 0) & (g_captor < THRESHOLD) & (g >= g_captor)
    open_ = (g < THRESHOLD) & fed & ~outdone
    lowest = jnp.min(jnp.where(open_, classes, jnp.inf))
    c, order = first_minimum(jnp.where(open_ & (classes == lowest), g, jnp.inf))
    order, weight = jnp.where(jnp.isfinite(lowest), order, 0.0), walk.weight
    fuses, other = jnp.array(False), jnp.zeros_like(walk.code)
    daughter = walk.code + dZ[c] * (N_STRIDE - 1) - k[c]
    change = channel_net(c, walk.code, order, more[c], weight, here)
    new_weight = weight
    if network.pairs is not None:
        partner, ln_tau = _fusion_of_packet(walk, here, network)
        itself = partner == slots
        other = jnp.where(itself, walk.code, here.nuclide[jnp.minimum(partner, slots - 1)])
        parents = jnp.stack([walk.code, other])
        product, k_fusion, energy = fuse(parents, here.at.mu_n, here.at.ell, here.model, network, here.errors)
        fusion_class = jnp.where(ln_tau < here.ln_t_weak, FAST_FUSION, SLOW_FUSION)
        fuses = jnp.isfinite(ln_tau) & (energy > 0) & (fusion_class < lowest)
        after = jnp.where(itself, weight / 2, weight)
        fused = add(zero, fusion_net(parents, k_fusion, energy, here), after)
        fused = fused._replace(Y=-after * (jnp.arange(slots) == partner))
        change = choose(fuses, fused, change)
        daughter = jnp.where(fuses, product, daughter)
        new_weight = jnp.where(fuses, after, weight)
        lowest, order = jnp.where(fuses, fusion_class, lowest), jnp.where(fuses, ln_tau, order)

    stops = ~jnp.isfinite(lowest) | (lowest > walk.own_class) | ((lowest == walk.own_class) & (order > walk.own_order))
    stops = stops | (walk.code == walk.start) | (walk.steps >= MAX_WALK)
    lap_ends = ~stops & fuses & (walk.code == walk.lap_code)
    lap_begins = ~stops & fuses & (walk.lap_code == 0) & jnp.any(walk.visited == walk.code)
    left = weight / jnp.where(lap_ends, walk.lap_weight, 1.0)
    series = jnp.where(lap_ends & (left < 1), 1 / (1 - left), 1.0)
    goes = walk.on & ~stops & ~lap_ends
    does = deed(walk.code, jnp.where(stops, -1, jnp.where(fuses, CHANNELS, c)), jnp.where(fuses & ~stops, other, 0))
    remember = goes & fuses & (walk.lap_code == 0)

    net, before_lap = choose(lap_begins, zero, walk.net), choose(lap_begins, walk.net, walk.before_lap)
    net = add(net, change, jnp.where(goes, 1.0, 0.0))
    net = choose(goes, net, add(before_lap, net, series))  # before_lap is nothing unless a loop was found
    edge = network.edge[here.model, jnp.clip(daughter, 0, network.edge.shape[1] - 1)]
    new = Walk(
        on=goes,
        code=jnp.where(goes, daughter, walk.code),
        weight=jnp.where(lap_ends & (left < 1), 0.0, jnp.where(goes, new_weight, weight)),
        net=net,
        own_class=walk.own_class,
        own_order=walk.own_order,
        start=walk.start,
        steps=walk.steps + goes,
        off_chart=walk.off_chart | (goes & edge),
        visited=jnp.where(remember & (jnp.arange(LOOPS) == jnp.sum(walk.visited != 0)), walk.code, walk.visited),
        lap_code=jnp.where(lap_begins, walk.code, walk.lap_code),
        lap_weight=jnp.where(lap_begins, weight, walk.lap_weight),
        before_lap=before_lap,
        fed=walk.fed,
        held=walk.held,
        held_code=walk.held_code,
        held_weight=walk.held_weight,
        way=remembered(walk.way, does),
    )
    return choose(walk.on, new, walk)
