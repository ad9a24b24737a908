"""What the slide engine sees at a trial: affinities, burn times, and where a reaction is among them."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.fusion import Fusions, burn_conditions, fuse, fusions_of, ln_burn_time
from gpucrust.engine.interface import Y_DROPPED, Y_REACTS, Member, ReactionName, Settings
from gpucrust.engine.network import Network
from gpucrust.engine.slide.state import SlideState
from gpucrust.engine.slide.surroundings import Surroundings
from gpucrust.engine.urgency import enough_neutrons
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics.potentials import Sums, channel_affinities, potentials_of, sums_of
from gpucrust.physics.reactions import THRESHOLD


class View(NamedTuple):
    """All that is seen at a trial; a pytree of arrays."""

    here: Surroundings
    """The stock and the state of matter."""
    sums: Sums
    """Sums over the composition."""
    g: Array
    """(channels, slots) affinities, MeV."""
    allowed: Array
    """(channels, slots) whether a channel may react."""
    fusions: Fusions | None
    """All pairs of slots; None without fusion."""
    ln_time_ratio: Array
    """(pairs,) ln(tau/t_acc); inf where a fusion is impossible."""


def look(state: SlideState, member: Member, network: Network, settings: Settings) -> View:
    """Affinities and burn times at the trial."""
    trial, nuclide = state.trial, state.stock.nuclide
    Y = state.stock.Y + trial.amount * trial.net.Y
    Y = jnp.where(Y > Y_DROPPED, Y, 0.0)
    Y_n = jnp.maximum(state.stock.Y_n + trial.amount * trial.net.Y_n, 0.0)
    sums, n_b = sums_of(nuclide, Y, Y_n), jnp.exp(trial.ln_n_b)
    potentials = potentials_of(n_b, sums, settings.matter)
    g = channel_affinities(state.stock.dE, nuclide_Z(nuclide), potentials)
    ln_t_acc = jnp.log(trial.P / member.g_mdot)
    here = Surroundings(
        nuclide=nuclide,
        Y=Y,
        dE=state.stock.dE,
        Y_n=Y_n,
        mixture=sums.mixture,
        n_b=n_b,
        potentials=potentials,
        ln_t_acc=ln_t_acc,
        ln_t_weak=jnp.log(settings.t_weak),
        model=member.model,
        errors=member.errors,
        ln_rate_scale=member.ln_rate_scale,
        chunk=member.chunk,
        heat_share=1 - settings.neutrino_fraction,
        one_table=state.account.switched,
    )
    allowed = (g < THRESHOLD) & (Y > Y_REACTS) & enough_neutrons(Y_n, member.chunk)[:, None]
    fusions, ln_time_ratio = None, jnp.full(state.start.ln_time_ratio.shape, jnp.inf)
    if network.pairs is not None:
        fusions = fusions_of(nuclide, Y, member.ln_rate_scale, network)
        ln_tau = ln_burn_time(fusions, burn_conditions(n_b, sums.mixture, sums.Y), n_b)
        ln_time_ratio = jnp.where(fusions.possible, ln_tau - ln_t_acc, jnp.inf)
    return View(here, sums, g, allowed, fusions, ln_time_ratio)


def find(name: ReactionName, view: View) -> tuple[Array, Array, Array]:
    """Slots of a reaction's parents, and whether both are there."""
    there = view.here.Y > Y_REACTS
    first, second = (there & (view.here.nuclide == code) for code in (name.nuclide, name.second_nuclide))
    return jnp.argmax(first), jnp.argmax(second), jnp.any(first) & jnp.any(second) & (name.channel >= 0)


def slots_of(name: ReactionName, nuclide: Array) -> tuple[Array, Array]:
    """Slots of a reaction's parents among slots of these codes, whether or not any nuclei are left."""
    return jnp.argmax(nuclide == name.nuclide), jnp.argmax(nuclide == name.second_nuclide)


def pair_index(first: Array, second: Array, slots: int) -> Array:
    """Index of a pair of slots among all pairs i <= j in the order of `numpy.triu_indices`."""
    i, j = jnp.minimum(first, second), jnp.maximum(first, second)
    return i * slots - i * (i - 1) // 2 + j - i


def product_of(pair: Array, view: View, network: Network) -> tuple[Array, Array, Array]:
    """What the nuclei of a pair fuse to at the trial: code, neutrons set free, energy released in MeV."""
    assert view.fusions is not None
    here = view.here
    slots = jnp.stack([jnp.asarray(view.fusions.first)[pair], jnp.asarray(view.fusions.second)[pair]])
    return fuse(here.nuclide[slots], here.potentials.mu_n, here.potentials.ell, here.model, network, here.errors)
