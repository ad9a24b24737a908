"""Which reaction happens next: the most urgent channel, the fastest fusion."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine import urgency
from gpucrust.engine.chunk.state import ChunkState
from gpucrust.engine.fusion import Fusions, fuse
from gpucrust.engine.interface import Member, Settings
from gpucrust.engine.network import Network
from gpucrust.nuclide import daughter_code
from gpucrust.physics import reactions
from gpucrust.physics.eos import Mixture
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K


class Reaction(NamedTuple):
    """A reaction that may happen now; a pytree of scalars."""

    first: Array  # slot of the parent
    second: Array  # slot of the other parent of a fusion
    channel: Array  # index into the channels; 12 for fusion
    daughter: Array  # code
    k: Array  # neutrons set free
    amount: Array  # per baryon
    energy: Array  # Gibbs energy released per reaction, MeV
    mismatch: Array  # energy taken from one table less that taken from the policy's, MeV per reaction


def most_urgent_channel(state: ChunkState, amount: Array, g: Array, allowed: Array) -> tuple[Reaction, Array]:
    """The allowed channel of the lowest class and most negative affinity, and its class (inf if none is allowed).

    amount, g, allowed: (12, slots). Ties go to the lowest channel index.
    """
    lowest, flat, _ = urgency.most_urgent(allowed, g, CHANNEL_CLASS[:, None])
    channel, slot = flat // g.shape[1], flat % g.shape[1]
    dZ, k = jnp.asarray(CHANNEL_DZ)[channel], jnp.asarray(CHANNEL_K)[channel]
    reaction = Reaction(
        first=slot,
        second=slot,
        channel=channel,
        daughter=daughter_code(state.stock.nuclide[slot], dZ, k),
        k=k,
        amount=amount[channel, slot],
        energy=-g[channel, slot],
        mismatch=state.dE_mixed[channel, slot] - state.stock.dE[channel, slot],
    )
    return reaction, lowest


def fastest_fusion(
    state: ChunkState,
    fusions: Fusions,
    ln_tau: Array,
    mixture: Mixture,
    member: Member,
    network: Network,
    settings: Settings,
) -> tuple[Reaction, Array]:
    """The fusion of shortest burn time that is faster than compression and releases energy, and its class.

    ln_tau: (pairs,) ln of burn times in s. The class is inf if there is no such fusion.
    """
    potentials = reactions.chemical_potentials(state.n_b, mixture, settings.matter)
    first, second = jnp.asarray(fusions.first), jnp.asarray(fusions.second)

    def product_of(pair: Array) -> tuple[Array, Array, Array]:
        parents = jnp.stack([state.stock.nuclide[first[pair]], state.stock.nuclide[second[pair]]])
        return fuse(parents, *potentials[1:], member.model, network, member.errors)

    burning = fusions.possible & (ln_tau < jnp.log(state.P / member.g_mdot))
    pair, (daughter, k, energy) = urgency.fastest_fusion(burning, ln_tau, product_of)
    i, j = first[pair], second[pair]
    most = jnp.where(i == j, 0.5, 1.0) * jnp.minimum(state.stock.Y[i], state.stock.Y[j])
    reaction = Reaction(
        first=i,
        second=j,
        channel=jnp.array(reactions.CHANNELS),
        daughter=daughter,
        k=k,
        amount=jnp.minimum(most, member.chunk),
        energy=energy,
        mismatch=jnp.array(0.0),
    )
    fusion_class = urgency.fusion_class(ln_tau[pair], jnp.log(settings.t_weak))
    return reaction, jnp.where(energy > 0, fusion_class, jnp.inf)
