"""The one-component crust (Haensel & Zdunik 1990, A&A 227, 431): all nuclei of a crust convert together.

One nuclide at a time. Once a capture or an emission by all nuclei would lower the Gibbs energy at constant pressure,
all make it, and go on as long as it falls: odd-odd daughters of even-even nuclei capture their second electron,
neutrons are set free. Nuclei fuse in pairs once their burn time is below the compression time or, for comparison, from
a given density on. The composition jumps, mu_e falls, and the heat is the finite change of the Gibbs energy.

Neutrons are not captured and nothing decays: both would leave part of the nuclei behind.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gpucrust.engine.chunk.conversion import Conversion
from gpucrust.engine.chunk.state import ChunkState, Reaction
from gpucrust.engine.interface import Y_REACTS, Member, Settings
from gpucrust.engine.network import Network, channel_row, nuclide_energy
from gpucrust.engine.urgency import most_urgent
from gpucrust.nuclide import daughter_code, nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.physics.potentials import gibbs_energy
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K, CHANNELS

CHANNEL_OPEN = ((CHANNEL_DZ == 0) & (CHANNEL_K > 0)) | ((CHANNEL_DZ == -1) & (CHANNEL_K == 0))
"""Whether each channel happens in the crust of 1990, (channels,): electrons are captured one by one, and neutrons are
set free by their own reaction."""
JUMP_ITERATIONS = 15
"""Iterations of Newton's method for the density behind a jump, from a guess of unchanged electron density."""


def density_after(P: Array, n_b: Array, before: Mixture, after: Mixture, matter: Matter) -> Array:
    """n_b behind a jump at constant pressure, fm^-3: `before` has density n_b."""
    guess = n_b * jnp.asarray(before.Y_e) / jnp.asarray(after.Y_e)
    return eos.density_at_pressure(P, after, matter, guess, JUMP_ITERATIONS)


def affinity(
    dE: Array, dZ: ArrayLike, k: ArrayLike, dz53: Array, amount: Array, n_b: Array, mixture: Mixture, matter: Matter
) -> Array:
    """Change of the Gibbs energy per reaction, MeV, when the whole amount (per baryon) reacts at constant pressure.

    Arguments broadcast; those of `reactions.affinity`, which is this to second order in the amount.
    """
    Y_e = jnp.asarray(mixture.Y_e)
    after = Mixture(jnp.maximum(Y_e + dZ * amount, 0.01 * Y_e), mixture.Y_n + k * amount, mixture.Y_z53 + dz53 * amount)
    n_b_after = density_after(eos.pressure(n_b, mixture, matter), n_b, mixture, after, matter)
    change = gibbs_energy(0.0, n_b_after, after, matter) - gibbs_energy(0.0, n_b, mixture, matter)
    return dE + change / jnp.maximum(amount, Y_REACTS)


def convert_all(
    reaction: Reaction,
    happens: Array,
    state: ChunkState,
    mixture: Mixture,
    member: Member,
    network: Network,
    settings: Settings,
) -> Reaction:
    """The reaction made by every nucleus and followed at constant pressure until no step lowers the Gibbs energy."""
    matter, dZ, k = settings.matter, jnp.asarray(CHANNEL_DZ), jnp.asarray(CHANNEL_K)
    parent = state.stock.nuclide[reaction.first]
    nuclei = jnp.where(reaction.channel == CHANNELS, 2, 1)
    amount = state.stock.Y[reaction.first] / nuclei

    def gibbs_energy_of(code: Array, free: Array) -> Array:
        """Per baryon, MeV, once all nuclei are this nuclide and so many neutrons are free of each."""
        Z = nuclide_Z(code)
        after = Mixture(amount * jnp.maximum(Z, 1), state.stock.Y_n + free * amount, amount * reactions.z53(Z))
        n_b = density_after(state.P, state.n_b, mixture, after, matter)
        E = amount * nuclide_energy(code, member.model, network, member.errors)
        return gibbs_energy(E, n_b, after, matter)

    def with_next(code: Array, free: Array, G: Array) -> tuple[Array, ...]:
        """(code, free, G), the same after the channel that goes next, and whether any does."""
        defined = jnp.isfinite(channel_row(code, member.model, network, member.errors)[0])
        daughters = daughter_code(code, dZ, k)
        after = gibbs_energy_of(jnp.where(defined, daughters, code), free + k)
        pairs_up = (dZ == 0) | (nuclide_Z(code) % 2 == 1)
        allowed = defined & CHANNEL_OPEN & pairs_up & (after < G)
        _, best, _ = most_urgent(allowed, after, CHANNEL_CLASS)
        return code, free, G, daughters[best], free + k[best], after[best], jnp.any(allowed)

    begin = with_next(reaction.daughter, reaction.k, gibbs_energy_of(reaction.daughter, reaction.k))
    daughter, free, G, *_ = jax.lax.while_loop(lambda x: happens & x[-1], lambda x: with_next(*x[3:6]), begin)
    E_before = nuclei * amount * nuclide_energy(parent, member.model, network, member.errors)
    released = gibbs_energy(E_before, state.n_b, mixture, matter) - G
    return reaction._replace(
        daughter=daughter, k=free, amount=amount, energy=released / amount, mismatch=jnp.array(0.0)
    )


def all_amounts(state: ChunkState, member: Member) -> tuple[Array, Array]:
    """All of a nuclide, by the channels of 1990."""
    Y = state.stock.Y
    amount = jnp.broadcast_to(Y, (CHANNELS, Y.shape[0]))
    return amount, (Y > Y_REACTS) & jnp.asarray(CHANNEL_OPEN)[:, None]


ALL_AT_ONCE = Conversion(all_amounts, affinity, convert_all, density_after)
"""The rules of the one-component crust: all nuclei react at once."""
