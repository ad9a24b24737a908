"""What reactions feel of the state of matter, and sums over a composition that states of matter follow from."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gpucrust.constants import NEUTRON_EXCESS
from gpucrust.nuclide import Z_MAX, nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K
from gpucrust.support.shapes import Channels, Codes, Numbers, Scalar, SlotCodes, Slots

Z53 = np.arange(Z_MAX + 2.0) ** (5 / 3)
"""(62,) Weight Z^(5/3) of a nucleus in the lattice energy by Z: up to that of a daughter of the heaviest nuclei."""


class Potentials(NamedTuple):
    """Gibbs energy of an electron, a free neutron and a unit of Z^(5/3); scalars, MeV."""

    mu_e: Scalar
    """Of an electron, with its rest mass and its part of the lattice energy."""
    mu_n: Scalar
    """Of a free neutron, counted from m_u."""
    ell: Scalar
    """Of the lattice, per unit of Z^(5/3)."""


class Sums(NamedTuple):
    """Sums over a composition, per baryon; linear in the abundances."""

    Y_e: Scalar
    """Electrons, sum Z_i Y_i."""
    Y_n: Scalar
    """Free neutrons."""
    Y_z53: Scalar
    """Sum Z_i^(5/3) Y_i, for the lattice."""
    Y: Scalar
    """Nuclei, sum Y_i."""

    def plus(self, change: "Sums", amount: Numbers) -> "Sums":
        """These sums after `amount` of a change; free neutrons cannot fall below zero."""
        after = Sums(*(a + amount * b for a, b in zip(self, change, strict=True)))
        return after._replace(Y_n=jnp.maximum(after.Y_n, 0.0))

    @property
    def mixture(self) -> Mixture:
        """What the equation of state needs of them."""
        return Mixture(self.Y_e, self.Y_n, self.Y_z53)


def sums_of(nuclide: SlotCodes, Y: Slots, Y_n: Scalar) -> Sums:
    """Sums over slots; nuclide, Y: (slots,)."""
    Z = nuclide_Z(nuclide)
    return Sums(jnp.sum(Z.astype(float) * Y), Y_n, jnp.sum(jnp.asarray(Z53)[Z] * Y), jnp.sum(Y))


def potentials_of(n_b: Scalar, sums: Sums, matter: Matter) -> Potentials:
    """Potentials at density n_b, fm^-3 (the terms of `reactions.affinity` for an infinitesimal amount)."""
    n_e = n_b * sums.Y_e
    ell = reactions.lattice_chemical_potential(n_e, matter)
    return Potentials(
        mu_e=eos.electron_chemical_potential(n_e) + ell * sums.Y_z53 / sums.Y_e / 3,
        mu_n=NEUTRON_EXCESS + eos.neutron_chemical_potential(n_b * sums.Y_n, matter),
        ell=ell,
    )


def channel_affinities(dE: Channels, Z: Codes, at: Potentials) -> Channels:
    """Gibbs energy change per reaction of an infinitesimal amount, MeV: (12, ...) for dE (12, ...), Z (...)."""
    shape = (-1,) + (1,) * jnp.ndim(Z)
    dZ, k = (change.reshape(shape).astype(float) for change in (CHANNEL_DZ, CHANNEL_K))
    z53 = jnp.asarray(Z53)
    captured, decayed = ((z53[jnp.maximum(Z + change, 0)] - z53[Z])[None] for change in (-1, 1))
    return dE + dZ * at.mu_e + k * at.mu_n + jnp.where(dZ < 0, captured, jnp.where(dZ > 0, decayed, 0.0)) * at.ell
