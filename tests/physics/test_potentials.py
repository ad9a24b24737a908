"""Potentials and sums: derivatives of the energy density first, then the affinities that follow from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.constants import NEUTRON_EXCESS
from gpucrust.nuclide import nuclide_code
from gpucrust.physics import eos, reactions
from gpucrust.physics.potentials import Sums, channel_affinities, potentials_of, sums_of

SLOTS = [(12, 34), (20, 40), (26, 30)]
"""(Z, N) of the nuclei of a composition."""
Y = jnp.array([0.002, 0.005, 0.001])
Y_N = jnp.asarray(1 - sum((Z + N) * float(y) for (Z, N), y in zip(SLOTS, Y, strict=True)))
N_B = jnp.asarray(2e-3)


@pytest.fixture(params=[0.0, 1.0], ids=["no lattice", "lattice"])
def matter(request):
    return eos.Matter(lattice=request.param)


@pytest.fixture
def sums():
    return sums_of(jnp.array([nuclide_code(Z, N) for Z, N in SLOTS]), Y, Y_N)


def test_sums_are_those_of_plain_python(sums):
    pairs = [(Z, float(y)) for (Z, _), y in zip(SLOTS, Y, strict=True)]
    plain = (sum(Z * y for Z, y in pairs), Y_N, sum(Z ** (5 / 3) * y for Z, y in pairs), sum(y for _, y in pairs))
    np.testing.assert_allclose(sums, plain, rtol=1e-15)


def test_free_neutrons_cannot_be_taken_that_are_not_there(sums):
    change = Sums(*(jnp.asarray(x) for x in (-1.0, -2.0, 0.5, 0.0)))
    after = sums.plus(change, 0.1)
    np.testing.assert_allclose(after, [sums.Y_e - 0.1, sums.Y_n - 0.2, sums.Y_z53 + 0.05, sums.Y], rtol=1e-15)
    assert sums.plus(change, 0.6 * float(sums.Y_n)).Y_n == 0


def test_potentials_are_derivatives_of_the_energy_density(sums, matter):
    """By the densities of electrons, of neutrons and of Z^(5/3)."""

    def energy_density(n_e, n_n, S):
        lattice = eos.lattice_energy_density(1.0, eos.Mixture(n_e, n_n, S), matter)
        return eos.electron_energy_density(n_e) + eos.neutron_energy_density(n_n, matter) + lattice

    densities = [N_B * x for x in sums.mixture]
    mu_e, mu_n, ell = jax.grad(energy_density, argnums=(0, 1, 2))(*densities)
    np.testing.assert_allclose(potentials_of(N_B, sums, matter), [mu_e, mu_n + NEUTRON_EXCESS, ell], rtol=1e-13)


def test_affinities_of_channels_are_those_of_no_amount(sums, matter):
    Z = jnp.array([Z for Z, _ in SLOTS])
    dE = jnp.asarray(np.random.default_rng(2).normal(size=(reactions.CHANNELS, len(SLOTS))))
    dZ, k = reactions.CHANNEL_DZ[:, None], reactions.CHANNEL_K[:, None]
    dz53 = reactions.z53(Z[None] + dZ) - reactions.z53(Z)[None]
    finite = reactions.affinity(dE, dZ, k, dz53, 0.0, N_B, sums.mixture, matter)
    together = channel_affinities(dE, Z, potentials_of(N_B, sums, matter))
    np.testing.assert_allclose(together, finite, rtol=1e-12, atol=1e-12)
    for i in range(len(SLOTS)):
        alone = channel_affinities(dE[:, i], Z[i], potentials_of(N_B, sums, matter))
        np.testing.assert_allclose(alone, together[:, i], rtol=1e-15)
