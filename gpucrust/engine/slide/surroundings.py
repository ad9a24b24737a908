"""What a packet finds around it: the stock, and the state of matter."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Y_REACTS
from gpucrust.physics.eos import Mixture
from gpucrust.physics.potentials import Potentials
from gpucrust.physics.reactions import CHANNEL_K
from gpucrust.support.minimum import first_minimum

CAPTURES = CHANNEL_K < 0
"""(channels,) whether a channel takes in neutrons."""


class Surroundings(NamedTuple):
    """The stock at a trial, and the state of matter there; a pytree of arrays."""

    nuclide: Array
    """(slots,) codes."""
    Y: Array
    """(slots,) nuclei per baryon."""
    dE: Array
    """(channels, slots) energies of the channels by the policy in force, MeV."""
    Y_n: Array
    """Free neutrons per baryon."""
    mixture: Mixture
    """What the equation of state needs of the composition."""
    n_b: Array
    """Baryon density, fm^-3."""
    potentials: Potentials
    """Gibbs energy of an electron, a free neutron and a unit of Z^(5/3), MeV."""
    ln_t_acc: Array
    """ln of the compression time P/(g mdot) in s."""
    ln_t_weak: Array
    """ln of the burn time in s below which a fusion goes before electron captures."""
    model: Array
    """Index of the mass model in the network."""
    errors: Array | None
    """(codes,) mass errors, MeV."""
    ln_rate_scale: Array
    """ln of the factor on all fusion rates."""
    chunk: Array
    """Abundance that a packet counts for in burn times."""
    heat_share: Array
    """Part of the Gibbs energy of electron captures that becomes heat: what neutrinos leave of it."""
    one_table: Array
    """Whether `unmixed` has given way to one table."""


def best_captor(g: Array, here: Surroundings) -> tuple[Array, Array, Array]:
    """The capture of neutrons by the stock that releases most: slot, channel, affinity; g: (channels, slots), MeV."""
    flat, most = first_minimum(jnp.where(jnp.asarray(CAPTURES)[:, None] & (here.Y > Y_REACTS), g, 0.0))
    return flat % g.shape[1], flat // g.shape[1], most
