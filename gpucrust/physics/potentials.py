"""What reactions feel of the state of matter, and sums over a composition that states of matter follow from."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gpucrust.nuclide import Z_MAX, nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, Channels
from gpucrust.support.shapes import Codes, Floats, IntLike, Numbers, Scalar, SlotCodes, Slots, SomeFloats

Z53 = np.arange(Z_MAX + 1.0 + max(0, CHANNEL_DZ.max())) ** (5 / 3)
"""Z^(5/3) by charge number, up to that of a daughter of the heaviest nuclides of the chart."""


class Potentials(NamedTuple):
    """Gibbs energy of an electron, a free neutron and a unit of Z^(5/3), MeV; of one state or of many."""

    mu_e: SomeFloats
    """Of an electron, with its rest mass and its part of the lattice energy."""
    mu_n: SomeFloats
    """Of a free neutron, counted from m_u."""
    ell: SomeFloats
    """Of the lattice, per unit of Z^(5/3)."""


class Sums(NamedTuple):
    """Sums over a composition, per baryon; linear in the abundances."""

    Y_e: SomeFloats
    """Electrons, sum Z_i Y_i."""
    Y_n: SomeFloats
    """Free neutrons."""
    Y_z53: SomeFloats
    """Sum Z_i^(5/3) Y_i, for the lattice."""
    Y: SomeFloats
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


def potentials_of(n_b: Floats, sums: Sums, matter: Matter) -> Potentials:
    """Potentials at density n_b, fm^-3."""
    return Potentials(*reactions.chemical_potentials(n_b, sums.mixture, matter))


def tabulated_z53_change(Z: Codes, dZ: IntLike) -> Floats:
    """`reactions.z53_change` from the table Z53: of charge numbers that are integers, without cube roots."""
    z53 = jnp.asarray(Z53)
    return z53[jnp.maximum(Z + dZ, 0)] - z53[Z]


def channel_affinities(dE: Channels, Z: Codes, at: Potentials) -> Channels:
    """Affinities of all channels of nuclides, MeV: Gibbs energy change per reaction of an infinitesimal amount.

    dE: (channels, ...) energies of the channels, MeV; Z: (...) charge numbers; returns (channels, ...).
    """
    shape = (-1,) + (1,) * jnp.ndim(Z)
    dZ, k = (change.reshape(shape).astype(float) for change in (CHANNEL_DZ, CHANNEL_K))
    changes = [(charge, tabulated_z53_change(Z, charge)) for charge in sorted(set(CHANNEL_DZ.tolist()) - {0})]
    without_lattice = dE + dZ * at.mu_e + k * at.mu_n
    dz53: Floats = jnp.zeros((1,) * dE.ndim)
    for charge, change in reversed(changes):
        dz53 = jnp.where(dZ == charge, change[None], dz53)
    return without_lattice + dz53 * at.ell


def gibbs_energy(E: Numbers, n_b: Numbers, mixture: Mixture, matter: Matter) -> Floats:
    """Gibbs energy per baryon less m_u, MeV; E: sum of the nuclei's masses less A m_u, per baryon."""
    _, mu_n, ell = reactions.chemical_potentials(n_b, mixture, matter)
    lattice = 4 / 3 * ell * mixture.Y_z53
    electrons = jnp.asarray(mixture.Y_e) * eos.electron_chemical_potential(n_b * jnp.asarray(mixture.Y_e))
    return jnp.asarray(E) + electrons + mixture.Y_n * mu_n + lattice
