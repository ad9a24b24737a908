"""The net of a reaction: all that one unit of it does in the end, with what its product does at once."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.slide.surroundings import Surroundings
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics.potentials import Z53, Potentials, Sums, sums_of, tabulated_z53_change
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K
from gpucrust.support.minimum import first_minimum

ROUNDING = 1e-9
"""Number of nuclei or neutrons by one unit of a net below which it is an error of rounding: a net is of order 1."""


class Net(NamedTuple):
    """What one unit of a reaction does in the end; a pytree of arrays."""

    Y: Array
    """(slots,) nuclei made, or used up (negative)."""
    Y_n: Array
    """Free neutrons made."""
    heat: Array
    """Heat, MeV, without what neutrinos take."""
    heat_mu_e: Array
    """Decrease of the heat by an increase of mu_e."""
    heat_mu_n: Array
    """Decrease of the heat by an increase of mu_n."""
    heat_ell: Array
    """Decrease of the heat by an increase of the lattice energy of a unit of Z^(5/3)."""
    mismatch: Array
    """Energy by reading masses from several tables, beyond one table's, MeV."""


def zero_net(slots: int) -> Net:
    """The net of nothing."""
    zero = jnp.array(0.0)
    return Net(jnp.zeros(slots), *[zero] * (len(Net._fields) - 1))


def channel_net(c: Array, code: Array, g: Array, mismatch: Array, weight: Array, here: Surroundings) -> Net:
    """What `weight` units of a channel of a nuclide do, but for the nuclides; g: affinity, MeV."""
    dZ, k = jnp.asarray(CHANNEL_DZ)[c], jnp.asarray(CHANNEL_K)[c]
    heated = weight * jnp.where(dZ < 0, here.heat_share, 1.0)
    dz53 = tabulated_z53_change(nuclide_Z(code), dZ)
    nothing = jnp.zeros(here.Y.shape[0])
    return Net(nothing, weight * k, -heated * g, heated * dZ, heated * k, heated * dz53, weight * mismatch)


def fusion_net(parents: Array, k: Array, energy: Array, here: Surroundings) -> Net:
    """What one fusion of the parents, (2,) codes, does, but for the nuclides; energy: that it releases, MeV."""
    Z, z53, zero = nuclide_Z(parents), jnp.asarray(Z53), jnp.array(0.0)
    dz53 = z53[jnp.minimum(jnp.sum(Z), Z53.size - 1)] - jnp.sum(z53[Z])
    return Net(jnp.zeros(here.Y.shape[0]), jnp.asarray(k, float), energy, zero, jnp.asarray(k, float), dz53, zero)


def plus(net: Net, other: Net, factor: Array) -> Net:
    """net + factor other."""
    return Net(*(a + factor * b for a, b in zip(net, other, strict=True)))


def at_potentials(net: Net, before: Potentials, after: Potentials) -> Net:
    """The net with the heat that it releases at the potentials `after`, if that is its heat at those `before`."""
    change = net.heat_mu_e * (after.mu_e - before.mu_e) + net.heat_mu_n * (after.mu_n - before.mu_n)
    return net._replace(heat=net.heat - change - net.heat_ell * (after.ell - before.ell))


def change_of(nuclide: Array, net: Net) -> Sums:
    """Change of the sums over a composition by one unit of a net; nuclide: (slots,) codes."""
    return sums_of(nuclide, net.Y, net.Y_n)


def largest_amount(Y: Array, Y_n: Array, net: Net) -> tuple[Array, Array]:
    """The amount of a net that uses up a nuclide or the free neutrons, and the slot of that nuclide (-1: neutrons)."""
    used, used_n = net.Y < 0, net.Y_n < 0
    by_nuclide = jnp.where(used, Y / -jnp.where(used, net.Y, -1.0), jnp.inf)
    by_neutrons = jnp.where(used_n, Y_n / -jnp.where(used_n, net.Y_n, -1.0), jnp.inf)
    slot, least = first_minimum(by_nuclide)
    return jnp.minimum(least, by_neutrons), jnp.where(by_neutrons < least, -1, slot)


def torque(change: Sums, sums: Sums) -> Array:
    """How far a net pushes mu_e and mu_n along the one degree of freedom that constant pressure leaves them.

    At constant pressure n_e dmu_e + n_n dmu_n = 0: two nets leave the potentials as they are if their torques add up
    to zero. change: of the sums by one unit of the net; sums: of the composition.
    """
    return change.Y_e * sums.Y_n - change.Y_n * sums.Y_e
