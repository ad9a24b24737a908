"""What the chunk engine sees at a state: amounts and affinities of all channels, burn times of all pairs."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk.conversion import Conversion
from gpucrust.engine.chunk.state import ChunkState, mixture_of
from gpucrust.engine.fusion import Fusions, burn_conditions, fusions_of, ln_burn_time
from gpucrust.engine.interface import Member, Settings
from gpucrust.engine.network import Network
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import reactions
from gpucrust.physics.eos import Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K


class View(NamedTuple):
    """All that is seen at a state; a pytree of arrays."""

    mixture: Mixture
    """Sums over the composition."""
    amount: Array
    """(channels, slots) amount of one reaction, per baryon."""
    possible: Array
    """(channels, slots) whether a channel has the nuclei and neutrons that it takes."""
    dz53: Array
    """(channels, slots) change of Z^(5/3)."""
    g: Array
    """(channels, slots) affinities, MeV."""
    fusions: Fusions | None
    """All pairs of slots; None without fusion."""
    ln_tau: Array | None
    """(pairs,) ln of burn times in s."""


def look(state: ChunkState, member: Member, network: Network, settings: Settings, conversion: Conversion) -> View:
    """Affinities and burn times at a state."""
    mixture = mixture_of(state.stock.nuclide, state.stock.Y, state.stock.Y_n)
    Z, dZ, k = nuclide_Z(state.stock.nuclide), CHANNEL_DZ[:, None], CHANNEL_K[:, None]
    dz53 = reactions.z53_change(Z, dZ)
    amount, possible = conversion.amounts(state, member)
    g = conversion.affinity(state.stock.dE, dZ, k, dz53, amount, state.n_b, mixture, settings.matter)
    fusions, ln_tau = None, None
    if network.pairs is not None:
        fusions = fusions_of(state.stock.nuclide, state.stock.Y, member.ln_rate_scale, network, settings.fusion_density)
        ln_tau = ln_burn_time(fusions, burn_conditions(state.n_b, mixture, jnp.sum(state.stock.Y)), state.n_b)
    return View(mixture, amount, possible, dz53, g, fusions, ln_tau)
