"""Which reaction happens next: the most urgent of all channels and fusions."""

import jax.numpy as jnp
from jax import Array

from gpucrust.engine import urgency
from gpucrust.engine.chunk.evaluate import View
from gpucrust.engine.chunk.state import ChunkState, Reaction
from gpucrust.engine.fusion import Fusions, fuse
from gpucrust.engine.interface import Member, Settings
from gpucrust.engine.network import Network
from gpucrust.engine.select import choose
from gpucrust.nuclide import daughter_code
from gpucrust.physics import reactions
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K, CHANNELS, THRESHOLD


def most_urgent_channel(state: ChunkState, view: View) -> tuple[Reaction, Array]:
    """The most urgent of the channels that are allowed, and its class (inf if none is allowed)."""
    allowed = view.possible & (view.g < THRESHOLD)
    lowest, flat, _ = urgency.most_urgent(allowed, view.g, CHANNEL_CLASS[:, None])
    channel, slot = flat // view.g.shape[1], flat % view.g.shape[1]
    dZ, k = jnp.asarray(CHANNEL_DZ)[channel], jnp.asarray(CHANNEL_K)[channel]
    reaction = Reaction(
        first=slot,
        second=slot,
        channel=channel,
        daughter=daughter_code(state.stock.nuclide[slot], dZ, k),
        k=k,
        amount=view.amount[channel, slot],
        energy=-view.g[channel, slot],
        mismatch=state.dE_mixed[channel, slot] - state.stock.dE[channel, slot],
    )
    return reaction, lowest


def fastest_fusion(
    state: ChunkState, view: View, fusions: Fusions, ln_tau: Array, member: Member, network: Network, settings: Settings
) -> tuple[Reaction, Array]:
    """The fastest fusion of those faster than compression that releases energy, and its class (inf if there is none).

    ln_tau: (pairs,) ln of burn times in s.
    """
    stock, (_, mu_n, ell) = state.stock, reactions.chemical_potentials(state.n_b, view.mixture, settings.matter)
    first, second = jnp.asarray(fusions.first), jnp.asarray(fusions.second)

    def product_of(pair: Array) -> tuple[Array, Array, Array]:
        parents = jnp.stack([stock.nuclide[first[pair]], stock.nuclide[second[pair]]])
        return fuse(parents, mu_n, ell, member.model, network, member.errors)

    burning = fusions.possible & (ln_tau < jnp.log(state.P / member.g_mdot))
    pair, (daughter, k, energy) = urgency.fastest_fusion(burning, ln_tau, product_of)
    i, j = first[pair], second[pair]
    most = jnp.where(i == j, 0.5, 1.0) * jnp.minimum(stock.Y[i], stock.Y[j])
    reaction = Reaction(
        first=i,
        second=j,
        channel=jnp.array(CHANNELS),
        daughter=daughter,
        k=k,
        amount=jnp.minimum(most, member.chunk),
        energy=energy,
        mismatch=jnp.array(0.0),
    )
    fusion_class = urgency.fusion_class(ln_tau[pair], jnp.log(settings.t_weak))
    return reaction, jnp.where(energy > 0, fusion_class, jnp.inf)


def most_urgent(
    state: ChunkState, view: View, member: Member, network: Network, settings: Settings
) -> tuple[Reaction, Array]:
    """The most urgent reaction, and whether there is one."""
    reaction, lowest = most_urgent_channel(state, view)
    if view.fusions is None or view.ln_tau is None:
        return reaction, jnp.isfinite(lowest)
    fusion, fusion_class = fastest_fusion(state, view, view.fusions, view.ln_tau, member, network, settings)
    reaction = choose(fusion_class < lowest, fusion, reaction)
    return reaction, jnp.isfinite(jnp.minimum(lowest, fusion_class))
