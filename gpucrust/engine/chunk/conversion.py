"""How reactions convert nuclei: where the chunk engine and its one-component variant differ.

The engine lets at most a chunk of all nuclei react at a time, so that the rest of the crust feels it before more of
them do; `one_component` has the other `Conversion`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk.state import ChunkState, Reaction
from gpucrust.engine.interface import Y_DROPPED, Y_REACTS, Member, Settings
from gpucrust.engine.network import Network
from gpucrust.engine.urgency import enough_neutrons
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.physics.reactions import CHANNEL_K


class Conversion(NamedTuple):
    """The rules of one kind of conversion; all are functions of a single member."""

    amounts: Callable[[ChunkState, Member], tuple[Array, Array]]
    """(amount of one reaction per baryon, whether it is possible) of every channel: (channels, slots) each."""
    affinity: Callable[..., Array]
    """Gibbs energy change per reaction of that amount, MeV: arguments of `reactions.affinity`."""
    complete: Callable[[Reaction, Array, ChunkState, Mixture, Member, Network, Settings], Reaction]
    """(reaction, whether it happens, ...) to what the reaction becomes before anything else may happen."""
    density_after: Callable[[Array, Array, Mixture, Mixture, Matter], Array]
    """n_b after a reaction, fm^-3: of the pressure, the density before, and the mixtures before and after."""


def chunk_amounts(state: ChunkState, member: Member) -> tuple[Array, Array]:
    """A chunk, or all of a nuclide of which there is less; captures by the neutrons there are, if not scarce."""
    stock, k = state.stock, CHANNEL_K[:, None]
    largest = jnp.minimum(stock.Y, member.chunk)
    amount = jnp.where(k < 0, jnp.minimum(largest, stock.Y_n / jnp.maximum(-k, 1)), largest)
    enough = enough_neutrons(stock.Y_n, member.chunk)[:, None]
    return amount, (stock.Y > Y_REACTS) & (amount > Y_DROPPED) & enough


def as_it_is(
    reaction: Reaction,
    happens: Array,
    state: ChunkState,
    mixture: Mixture,
    member: Member,
    network: Network,
    settings: Settings,
) -> Reaction:
    """A chunk's reaction is one channel or fusion; what its daughters do is for the next micro-steps."""
    return reaction


def density_after_chunk(P: Array, n_b: Array, before: Mixture, after: Mixture, matter: Matter) -> Array:
    """n_b at the pressure P after a small change of composition, fm^-3."""
    return eos.density_at_pressure(P, after, matter, n_b)


BY_CHUNKS = Conversion(chunk_amounts, reactions.affinity, as_it_is, density_after_chunk)
"""The rules of the chunk engine: at most a chunk reacts at a time."""
