"""The state of a member of the chunk engine."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import RUNNING, SEGMENT, Member, Settings
from gpucrust.engine.network import Network, channel_row
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Mixture
from gpucrust.status import Status


class State(NamedTuple):
    """A member on its way; a pytree of arrays."""

    nuclide: Array  # (slots,) codes
    Y: Array  # (slots,) nuclei per baryon; 0 marks an empty slot
    dE: Array  # (12, slots) energies of the slots' channels, MeV
    dE_mixed: Array  # (12, slots) the same from one table
    Y_n: Array
    P: Array  # MeV fm^-3
    n_b: Array  # fm^-3
    n_b_quiet: Array
    searching: Array  # n_b is a trial
    heat: Array  # MeV per baryon
    mismatch: Array  # MeV per baryon
    grid_index: Array  # of the next pressure to record
    n_steps: Array
    n_reactions: Array
    max_active: Array
    status: Array  # RUNNING or a Status
    switched: Array  # `unmixed` gave way to one table
    segment_index: Array  # -1 before the first
    segment: Array  # (len(SEGMENT),) the present one


def mixture_of(nuclide: Array, Y: Array, Y_n: Array) -> Mixture:
    """The sums over slots that the equation of state needs."""
    Z = nuclide_Z(nuclide)
    return Mixture(jnp.sum(Z * Y), Y_n, jnp.sum(reactions.z53(Z) * Y))


def initial_state(member: Member, network: Network, settings: Settings) -> State:
    """The ash at the lowest pressure of the grid, with nothing burned yet."""
    P, zero, count = network.pressures[0], jnp.array(0.0), jnp.array(0)
    mixture = mixture_of(member.nuclide, member.Y, zero)
    n_b = eos.density_at_pressure(P, mixture, settings.matter, eos.cold_density_guess(P, mixture.Y_e), 15)
    dE, dE_mixed = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors))(member.nuclide)
    on_edge = jnp.any(network.edge[member.model, member.nuclide] & (member.Y > 0))
    return State(
        nuclide=member.nuclide,
        Y=member.Y,
        dE=dE.T,
        dE_mixed=dE_mixed.T,
        Y_n=zero,
        P=P,
        n_b=n_b,
        n_b_quiet=n_b,
        searching=jnp.array(True),
        heat=zero,
        mismatch=zero,
        grid_index=count,
        n_steps=count,
        n_reactions=count,
        max_active=jnp.sum(member.Y > 0),
        status=jnp.where(on_edge, int(Status.CHART_EDGE), RUNNING),
        switched=jnp.array(False),
        segment_index=jnp.array(-1),
        segment=jnp.zeros(len(SEGMENT)),
    )
