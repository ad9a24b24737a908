"""What the slide engine sees at a trial: affinities, burn times, what is most urgent, what has been passed."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.fusion import Fusions, burn_conditions, fuse, fusions_of, ln_burn_time
from gpucrust.engine.interface import Y_DROPPED, Y_REACTS, Member, Settings
from gpucrust.engine.network import Network
from gpucrust.engine.slide.cascade import FUSION_THRESHOLD, Surroundings, enough_neutrons
from gpucrust.engine.slide.events import PER_LN_P
from gpucrust.engine.slide.state import Label, SlideState
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics.potentials import Potentials, Sums, channel_affinities, potentials_of, sums_of
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNELS, FAST_FUSION, SLOW_FUSION, THRESHOLD
from gpucrust.support.minimum import first_minimum

MARGINAL, FUSION_MARGINAL = 2e-4, 4e-3
SHORTEST = 1e-9
"""In ln P; no move is made shorter."""


class View(NamedTuple):
    """All that is seen at a trial."""

    Y: Array
    sums: Sums
    n_b: Array
    at: Potentials
    g: Array  # (12, slots)
    open: Array  # (12, slots) channels that are allowed
    fusions: Fusions | None
    ratio: Array  # (pairs,) ln(tau/t_acc); inf where impossible
    here: Surroundings


def look(state: SlideState, member: Member, network: Network, settings: Settings) -> View:
    """Affinities and burn times at the trial."""
    matter = settings.matter
    Y = state.stock.Y + state.d * state.net.Y
    Y = jnp.where(Y > Y_DROPPED, Y, 0.0)
    Y_n = jnp.maximum(state.stock.Y_n + state.d * state.net.Y_n, 0.0)
    sums, n_b = sums_of(state.stock.nuclide, Y, Y_n), jnp.exp(state.x)
    at = potentials_of(n_b, sums, matter)
    g = channel_affinities(state.stock.dE, nuclide_Z(state.stock.nuclide), at)
    ln_t_acc = jnp.log(state.P_trial / member.g_mdot)
    here = Surroundings(
        nuclide=state.stock.nuclide,
        Y=Y,
        dE=state.stock.dE,
        Y_n=Y_n,
        mixture=sums.mixture,
        n_b=n_b,
        at=at,
        ln_t_acc=ln_t_acc,
        ln_t_weak=jnp.log(settings.t_weak),
        model=member.model,
        errors=member.errors,
        ln_rate_scale=member.ln_rate_scale,
        chunk=member.chunk,
        kept=1 - settings.neutrino_fraction,
        one_table=state.account.switched,
    )
    open_ = (g < THRESHOLD) & (Y > Y_REACTS) & enough_neutrons(here)[:, None]
    fusions, ratio = None, jnp.full(state.ratio.shape, jnp.inf)
    if network.pairs is not None:
        fusions = fusions_of(state.stock.nuclide, Y, member.ln_rate_scale, network)
        ln_tau = ln_burn_time(fusions, burn_conditions(n_b, sums.mixture, sums.Y), n_b)
        ratio = jnp.where(fusions.possible, ln_tau - ln_t_acc, jnp.inf)
    return View(Y, sums, n_b, at, g, open_, fusions, ratio, here)


def product_of(pair: Array, view: View, network: Network) -> tuple[Array, Array, Array]:
    """What the nuclei of a pair fuse to at the trial: code, neutrons set free, energy released in MeV."""
    assert view.fusions is not None
    here = view.here
    slots = jnp.stack([jnp.asarray(view.fusions.first)[pair], jnp.asarray(view.fusions.second)[pair]])
    return fuse(here.nuclide[slots], here.at.mu_n, here.at.ell, here.model, network, here.errors)


class Choice(NamedTuple):
    """A reaction chosen at the trial: slots, channel, and the fusion's product."""

    found: Array
    first: Array
    second: Array
    channel: Array
    product: tuple[Array, Array, Array]

    def label(self, nuclide: Array) -> Label:
        """Its name."""
        return Label(nuclide[self.first], nuclide[self.second], self.channel)


def most_urgent(view: View, network: Network) -> Choice:
    """What happens first of all that is allowed: lowest class, then most negative affinity or shortest burn time."""
    slots = view.Y.shape[0]
    classes = jnp.asarray(CHANNEL_CLASS)[:, None]
    lowest = jnp.min(jnp.where(view.open, classes, jnp.inf))
    flat, _ = first_minimum(jnp.where(view.open & (classes == lowest), view.g, jnp.inf))
    channel, first = flat // slots, flat % slots
    nothing = (jnp.array(0), jnp.array(0), jnp.array(0.0))
    if view.fusions is None:
        return Choice(jnp.isfinite(lowest), first, first, channel, nothing)

    # nearly always the fastest pair releases energy; one that does not is passed over
    def goes_on(carry: tuple) -> Array:
        return jnp.any(carry[0]) & (carry[-1] <= 0)

    def try_next(carry: tuple) -> tuple:
        pair, _ = first_minimum(jnp.where(carry[0], view.ratio, jnp.inf))
        return carry[0] & (jnp.arange(carry[0].shape[0]) != pair), pair, *product_of(pair, view, network)

    burning = view.ratio < FUSION_THRESHOLD
    _, pair, *product = jax.lax.while_loop(goes_on, try_next, (burning, jnp.array(0), *nothing))
    fast = view.ratio[pair] + view.here.ln_t_acc < view.here.ln_t_weak
    fusion_class = jnp.where(product[2] > 0, jnp.where(fast, FAST_FUSION, SLOW_FUSION), jnp.inf)
    fuses = fusion_class < lowest
    i, j = jnp.asarray(view.fusions.first)[pair], jnp.asarray(view.fusions.second)[pair]
    return Choice(
        found=jnp.isfinite(lowest) | fuses,
        first=jnp.where(fuses, i, first),
        second=jnp.where(fuses, j, first),
        channel=jnp.where(fuses, CHANNELS, channel),
        product=(product[0], product[1], product[2]),
    )


def find(label: Label, view: View) -> tuple[Array, Array, Array]:
    """Slots of a reaction's parents, and whether both are there."""
    there = view.Y > Y_REACTS
    first, second = (there & (view.here.nuclide == code) for code in (label.first, label.second))
    return jnp.argmax(first), jnp.argmax(second), jnp.any(first) & jnp.any(second) & (label.channel >= 0)


def pair_index(first: Array, second: Array, slots: int) -> Array:
    """Index of a pair of slots among all pairs i <= j in the order of `numpy.triu_indices`."""
    i, j = jnp.minimum(first, second), jnp.maximum(first, second)
    return i * slots - i * (i - 1) // 2 + j - i


def next_slider(state: SlideState, view: View, network: Network) -> Choice:
    """The reaction that is marginal at the trial: the channel that burned last or its partner, else the last fusion."""
    slots = view.Y.shape[0]

    def marginal_channel(label: Label) -> tuple[Array, Array]:
        i, _, there = find(label, view)
        c = jnp.clip(label.channel, 0, CHANNELS - 1)
        return i, there & (label.channel < CHANNELS) & (jnp.abs(view.g[c, i]) < MARGINAL)

    (i, last), (j, other) = marginal_channel(state.last_channel), marginal_channel(state.partner)
    slot = jnp.where(last, i, j)
    channel = jnp.where(last, state.last_channel.channel, state.partner.channel)
    nothing = (jnp.array(0), jnp.array(0), jnp.array(0.0))
    if view.fusions is None:
        return Choice(last | other, slot, slot, channel, nothing)
    m, n, there = find(state.last_fusion, view)
    pair = pair_index(m, n, slots)
    product = product_of(pair, view, network)
    fusion = there & (jnp.abs(view.ratio[pair]) < FUSION_MARGINAL) & (product[2] > 0)
    return Choice(
        found=last | other | fusion,
        first=jnp.where(last | other, slot, m),
        second=jnp.where(last | other, slot, n),
        channel=jnp.where(last | other, channel, CHANNELS),
        product=product,
    )


def crossing(state: SlideState, view: View, settings: Settings) -> tuple[Array, Array]:
    """Whether the move has gone beyond a threshold, and the pressure at which the first such one is expected."""
    near = PER_LN_P * settings.landed
    channel = jnp.arange(CHANNELS)[:, None]
    own = state.slides & (state.stock.nuclide == state.slider.first) & (channel == state.slider.channel)
    g_before = channel_affinities(state.stock.dE, nuclide_Z(state.stock.nuclide), state.at)
    beyond = view.open & (view.g < THRESHOLD - near) & ~own & (g_before >= THRESHOLD)
    part = jnp.where(beyond, (g_before - THRESHOLD + near / 2) / (g_before - view.g), jnp.inf).ravel()
    if view.fusions is not None:
        f = view.fusions
        first, second = state.stock.nuclide[jnp.asarray(f.first)], state.stock.nuclide[jnp.asarray(f.second)]
        sliding_fusion = state.slides & (state.slider.channel == CHANNELS)
        own = sliding_fusion & (first == state.slider.first) & (second == state.slider.second)
        own = own | (sliding_fusion & (first == state.slider.second) & (second == state.slider.first))
        held = state.slides & ~sliding_fusion & state.regulated
        # a nuclide that was not there yet fuses with others at the end of the move, with itself once there is enough
        known = jnp.isfinite(state.ratio)
        there = (known | (jnp.asarray(f.first) == jnp.asarray(f.second))) & (state.ratio >= FUSION_THRESHOLD)
        beyond = (view.ratio < FUSION_THRESHOLD - near) & ~own & ~held & there
        before = jnp.where(known & there, state.ratio, 0.0)
        secant = jnp.where(known, (before - FUSION_THRESHOLD + near / 2) / (before - view.ratio), 0.5)
        part = jnp.append(part, jnp.where(beyond, secant, jnp.inf))
    nearest = jnp.min(part)
    # secants from the start come nearer too slowly where a nuclide grows from next to nothing: begin from half way
    nearest = jnp.where(state.rounds % 4 == 3, nearest / 2, nearest)
    long_enough = jnp.log(state.P_trial / state.P) > SHORTEST
    P = state.P * (state.P_trial / state.P) ** jnp.clip(nearest, 0.02, 1 - 1e-9)
    return state.moving & jnp.isfinite(nearest) & long_enough, P
