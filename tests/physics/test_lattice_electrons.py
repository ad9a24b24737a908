"""Electrons on a lattice: what inverts what, and Gibbs-Duhem."""

import jax
import numpy as np
import pytest

from gpucrust.physics import eos
from gpucrust.physics.lattice_electrons import electron_star, electrons_at_pressure, electrons_of_star, on_lattice

N_E, Z = np.geomspace(1e-9, 1e-3, 13), np.arange(4.0, 56.0, 4.0)


@pytest.fixture(params=[0.0, 1.0], ids=["no lattice", "lattice"])
def matter(request):
    return eos.Matter(lattice=request.param)


def test_density_is_found_again_from_pressure_and_from_potential(matter):
    P = eos.pressure(N_E, on_lattice(Z), matter)
    np.testing.assert_allclose(jax.jit(electrons_at_pressure)(P, Z, matter), N_E, rtol=1e-14)
    np.testing.assert_allclose(electrons_of_star(electron_star(N_E, Z, matter), Z, matter), N_E, rtol=1e-13)


def test_gibbs_duhem_with_the_lattice(matter):
    """dP_ei = n_e dmu_e*."""
    up, down = (electron_star(N_E * x, Z, matter) for x in (1 + 1e-5, 1 - 1e-5))
    dP_dln_n = eos.pressure_slope(N_E, on_lattice(Z), matter)
    np.testing.assert_allclose(dP_dln_n, N_E * (up - down) / 2e-5, rtol=1e-7)


def test_composition_is_that_of_one_electron():
    mixture = on_lattice(26)
    np.testing.assert_allclose(mixture, [1, 0, 26 ** (5 / 3) / 26], rtol=1e-15)
