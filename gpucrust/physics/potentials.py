"""What reactions feel of the state of matter, and sums over a composition that states of matter follow from."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gpucrust.constants import NEUTRON_EXCESS
from gpucrust.nuclide import Z_MAX, nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K

Z53 = np.arange(Z_MAX + 2.0) ** (5 / 3)


class Potentials(NamedTuple):
    """Gibbs energy of an electron, a free neutron and a unit of Z^(5/3); scalars, MeV."""

    mu_e: Array  # with the lattice's part, rest mass included
    mu_n: Array  # counted from m_u
    ell: Array  # of the lattice, per unit of Z^(5/3)


class Sums(NamedTuple):
    """Sums over a composition, per baryon; linear in the abundances."""

    Y_e: Array
    Y_n: Array
    Y_z53: Array
    Y: Array  # nuclei

    def plus(self, change: "Sums", amount: ArrayLike) -> "Sums":
        """These sums after `amount` of a change; free neutrons cannot fall below zero."""
        after = Sums(*(a + amount * b for a, b in zip(self, change, strict=True)))
        return after._replace(Y_n=jnp.maximum(after.Y_n, 0.0))

    @property
    def mixture(self) -> Mixture:
        """What the equation of state needs of them."""
        return Mixture(self.Y_e, self.Y_n, self.Y_z53)


def sums_of(nuclide: Array, Y: Array, Y_n: Array) -> Sums:
    """Sums over slots; nuclide, Y: (slots,)."""
    Z = nuclide_Z(nuclide)
    return Sums(jnp.sum(Z * Y), Y_n, jnp.sum(jnp.asarray(Z53)[Z] * Y), jnp.sum(Y))


def potentials_of(n_b: Array, sums: Sums, matter: Matter) -> Potentials:
    """Potentials at density n_b, fm^-3 (the terms of `reactions.affinity` for an infinitesimal amount)."""
    n_e = n_b * sums.Y_e
    ell = reactions.lattice_chemical_potential(n_e, matter)
    return Potentials(
        mu_e=eos.electron_chemical_potential(n_e) + ell * sums.Y_z53 / sums.Y_e / 3,
        mu_n=NEUTRON_EXCESS + eos.neutron_chemical_potential(n_b * sums.Y_n, matter),
        ell=ell,
    )


def channel_affinities(dE: Array, Z: Array, at: Potentials) -> Array:
    """Gibbs energy change per reaction of an infinitesimal amount, MeV: (12, ...) for dE (12, ...), Z (...)."""
    shape = (-1,) + (1,) * jnp.ndim(Z)
    dZ, k = CHANNEL_DZ.reshape(shape), CHANNEL_K.reshape(shape)
    z53 = jnp.asarray(Z53)
    captured, decayed = (z53[jnp.maximum(Z + change, 0)] - z53[Z] for change in (-1, 1))
    return dE + dZ * at.mu_e + k * at.mu_n + jnp.where(dZ < 0, captured, jnp.where(dZ > 0, decayed, 0.0)) * at.ell
