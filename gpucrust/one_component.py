"""The one-component crust (Haensel & Zdunik 1990, A&A 227, 431): all nuclei of a crust convert together.

One nuclide at a time. Where a reaction of an infinitesimal amount becomes possible, every nucleus makes it, and goes
on at the same mu_e and mu_n as long as energy allows: the odd-odd daughter of an even-even nuclide captures its second
electron, neutrons are set free. Two nuclei in one fuse once their burn time is below the compression time. Then the
composition jumps at constant pressure, mu_e falls, and heat is the finite change of the Gibbs energy.

Neutrons are not captured and nothing decays: both would leave part of the nuclei behind.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust import eos, reactions
from gpucrust.candidates import Reaction
from gpucrust.constants import NEUTRON_EXCESS
from gpucrust.eos import Mixture
from gpucrust.network import N_STRIDE, Network, channel_row, nuclide_energy, nuclide_Z
from gpucrust.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K, CHANNELS, THRESHOLD

if TYPE_CHECKING:
    from gpucrust.stepper import Member, Settings, State

CHANNEL_OPEN = ((CHANNEL_DZ == 0) & (CHANNEL_K > 0)) | ((CHANNEL_DZ == -1) & (CHANNEL_K == 0))
"""Electrons are captured one by one, neutrons set free by their own reaction: the thresholds of 1990."""


def gibbs_energy(E: Array, n_b: Array, mixture: Mixture, settings: "Settings") -> Array:
    """Gibbs energy per baryon less m_u, MeV; E: sum of the nuclei's masses less A m_u, per baryon."""
    n_e, n_n = n_b * jnp.asarray(mixture.Y_e), n_b * jnp.asarray(mixture.Y_n)
    mu_n = NEUTRON_EXCESS + eos.neutron_chemical_potential(n_n, settings.matter)
    lattice = 4 / 3 * reactions.lattice_chemical_potential(n_e, settings.matter) * mixture.Y_z53
    return E + mixture.Y_e * eos.electron_chemical_potential(n_e) + mixture.Y_n * mu_n + lattice


def convert_all(
    reaction: Reaction,
    happens: Array,
    state: "State",
    mixture: Mixture,
    member: "Member",
    network: Network,
    settings: "Settings",
) -> Reaction:
    """The reaction made by every nucleus and followed at fixed mu_e, mu_n to its end."""
    matter = settings.matter
    dZ, k = jnp.asarray(CHANNEL_DZ), jnp.asarray(CHANNEL_K)

    def next_channel(code: Array) -> tuple[Array, Array]:
        """Index of the channel that goes next, and whether any does."""
        row = channel_row(code, member.model, network, member.errors)[0]
        Z = nuclide_Z(code)
        dz53 = reactions.z53(jnp.maximum(Z + dZ, 0)) - reactions.z53(Z)
        g = reactions.affinity(row, dZ, k, dz53, 0.0, state.n_b, mixture, matter)
        allowed = (g < THRESHOLD) & CHANNEL_OPEN
        lowest = jnp.min(jnp.where(allowed, CHANNEL_CLASS, jnp.inf))
        return jnp.argmin(jnp.where(allowed & (CHANNEL_CLASS == lowest), g, jnp.inf)), jnp.any(allowed)

    def follow(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        code, free, channel, _ = carry
        code = code + dZ[channel] * (N_STRIDE - 1) - k[channel]
        return code, free + k[channel], *next_channel(code)

    begins = reaction.daughter, reaction.k, *next_channel(reaction.daughter)
    daughter, free, _, _ = jax.lax.while_loop(lambda carry: happens & carry[3], follow, begins)

    pairs = jnp.where(reaction.channel == CHANNELS, 2, 1)
    parent = state.nuclide[reaction.first]
    amount = state.Y[reaction.first] / pairs
    energy = nuclide_energy(jnp.stack([parent, daughter]), member.model, network, member.errors)
    Y_e, Y_n = amount * nuclide_Z(daughter), state.Y_n + free * amount
    after = Mixture(Y_e, Y_n, amount * reactions.z53(nuclide_Z(daughter)))
    n_b = eos.density_at_pressure(state.P, after, matter, state.n_b * mixture.Y_e / Y_e, 15)
    released = gibbs_energy(pairs * amount * energy[0], state.n_b, mixture, settings) - gibbs_energy(
        amount * energy[1], n_b, after, settings
    )
    return reaction._replace(
        daughter=daughter, k=free, amount=amount, energy=released / amount, mismatch=jnp.array(0.0)
    )
