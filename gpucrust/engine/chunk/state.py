"""The state of a member of the chunk engine, and the reactions that change it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Member, Settings
from gpucrust.engine.network import Network, channel_row
from gpucrust.engine.state import Account, Stock, new_account
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Mixture


class ChunkState(NamedTuple):
    """A member under way; a pytree of arrays."""

    stock: Stock
    """The nuclides and free neutrons there are."""
    dE_mixed: Array
    """(channels, slots) energy change of each slot's channels from one table, MeV."""
    P: Array
    """Pressure, MeV fm^-3."""
    n_b: Array
    """Baryon density, fm^-3; while `searching` a trial."""
    n_b_quiet: Array
    """Last density at which nothing was allowed, fm^-3."""
    searching: Array
    """Whether n_b is a trial: a move in pressure whose affinities have not been seen."""
    account: Account
    """What has come of the member so far."""


class Reaction(NamedTuple):
    """A reaction that may happen now; a pytree of scalars."""

    first: Array
    """Slot of the parent."""
    second: Array
    """Slot of the second parent of a fusion; of a channel that of its parent again."""
    channel: Array
    """Channel; CHANNELS for a fusion."""
    daughter: Array
    """Code of what it makes."""
    k: Array
    """Neutrons that it sets free."""
    amount: Array
    """Number of reactions, per baryon."""
    energy: Array
    """Gibbs energy that one reaction releases, MeV."""
    mismatch: Array
    """Energy change by one table's masses less that by the policy's, MeV per reaction."""


def mixture_of(nuclide: Array, Y: Array, Y_n: Array) -> Mixture:
    """The sums over slots that the equation of state needs; nuclide, Y: (slots,)."""
    Z = nuclide_Z(nuclide)
    return Mixture(jnp.sum(Z * Y), Y_n, jnp.sum(reactions.z53(Z) * Y))


def initial_state(member: Member, network: Network, settings: Settings) -> ChunkState:
    """The ash at the lowest pressure of the grid, with nothing burned yet."""
    P, zero = network.pressures[0], jnp.array(0.0)
    mixture = mixture_of(member.nuclide, member.Y, zero)
    n_b = eos.density_at_pressure(P, mixture, settings.matter, eos.cold_density_guess(P, mixture.Y_e), 15)
    dE, dE_mixed = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors))(member.nuclide)
    on_edge = jnp.any(network.edge[member.model, member.nuclide] & (member.Y > 0))
    return ChunkState(
        stock=Stock(nuclide=member.nuclide, Y=member.Y, dE=dE.T, Y_n=zero),
        dE_mixed=dE_mixed.T,
        P=P,
        n_b=n_b,
        n_b_quiet=n_b,
        searching=jnp.array(True),
        account=new_account(member.Y, on_edge),
    )
