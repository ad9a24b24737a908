"""Equation of state: thermodynamic identities first, then the check values of the specification."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.constants import ATOMIC_MASS_UNIT, DYN_PER_CM2, NEUTRON_EXCESS
from gpucrust.physics import eos
from published import EOS

M_N = ATOMIC_MASS_UNIT + NEUTRON_EXCESS
MATTERS = {
    "mackie-baym": eos.Matter(jnp.array(eos.NEUTRON_MATTER["mackie-baym"]), 0.0),
    "free-gas": eos.Matter(jnp.array(eos.NEUTRON_MATTER["free-gas"]), 0.0),
    "lattice": eos.Matter(jnp.array(eos.NEUTRON_MATTER["mackie-baym"]), 1.0),
}
# (n_b fm^-3, Y_e, Y_n): outer crust, just past drip, deep inner crust
STATES = [(1e-6, 0.45, 0.0), (1e-4, 0.30, 0.0), (3e-4, 0.25, 1e-6), (3e-4, 0.25, 0.30), (2e-2, 0.05, 0.80)]


def mixture(Y_e, Y_n):
    return eos.Mixture(Y_e, Y_n, Y_e * 16.0 ** (2 / 3))


@pytest.fixture(params=MATTERS, ids=str)
def matter(request):
    return MATTERS[request.param]


@pytest.mark.parametrize("state", STATES)
def test_pressure_is_minus_the_derivative_of_the_energy_per_baryon(matter, state):
    n_b, Y_e, Y_n = state

    def energy_per_baryon(n):
        density = (
            eos.electron_energy_density(n * Y_e)
            + eos.neutron_energy_density(n * Y_n, matter)
            + eos.lattice_energy_density(n, mixture(Y_e, Y_n), matter)
        )
        return density / n

    P = n_b**2 * jax.grad(energy_per_baryon)(n_b)
    np.testing.assert_allclose(eos.pressure(n_b, mixture(Y_e, Y_n), matter), P, rtol=1e-11)


@pytest.mark.parametrize("state", STATES)
def test_eq_1_gives_pressure_and_chemical_potentials(matter, state):
    """P = n_b^2 d(eps/n_b)/dn_b at frozen composition; mu_e (without the lattice) and mu_n with rest masses."""
    n_b, Y_e, Y_n = state
    mass = (1 - Y_n) * 931.0

    def energy(n_b, Y_e, Y_n, mass):
        return eos.energy_density(n_b, mixture(Y_e, Y_n), mass, matter)

    P = n_b * jax.grad(energy)(n_b, Y_e, Y_n, mass) - energy(n_b, Y_e, Y_n, mass)
    np.testing.assert_allclose(eos.pressure(n_b, mixture(Y_e, Y_n), matter), P, rtol=1e-9)
    d_e, d_n, d_mass = (jax.grad(energy, i)(n_b, Y_e, Y_n, mass) / n_b for i in (1, 2, 3))
    np.testing.assert_allclose(d_mass, 1, rtol=1e-14)
    np.testing.assert_allclose(d_n, M_N + eos.neutron_chemical_potential(n_b * Y_n, matter), rtol=1e-12)
    if matter.lattice == 0:
        np.testing.assert_allclose(d_e, eos.electron_chemical_potential(n_b * Y_e), rtol=1e-9)


@pytest.mark.parametrize("state", STATES)
def test_gibbs_duhem_for_each_fluid(matter, state):
    n_b, Y_e, Y_n = state
    n_e, n_n = n_b * Y_e, n_b * Y_n
    np.testing.assert_allclose(
        jax.grad(eos.electron_pressure)(n_e), n_e * jax.grad(eos.electron_chemical_potential)(n_e), rtol=1e-9
    )
    np.testing.assert_allclose(eos.electron_stiffness(n_e), n_e * jax.grad(eos.electron_chemical_potential)(n_e))
    if n_n > 0:
        slope = n_n * jax.grad(eos.neutron_chemical_potential)(n_n, matter)
        np.testing.assert_allclose(jax.grad(eos.neutron_pressure)(n_n, matter), slope, rtol=1e-12)
        np.testing.assert_allclose(eos.neutron_stiffness(n_n, matter), slope, rtol=1e-12)


@pytest.mark.parametrize("state", STATES)
def test_pressure_slope_is_the_derivative_of_pressure(matter, state):
    n_b, Y_e, Y_n = state
    derivative = n_b * jax.grad(eos.pressure)(n_b, mixture(Y_e, Y_n), matter)
    np.testing.assert_allclose(eos.pressure_slope(n_b, mixture(Y_e, Y_n), matter), derivative, rtol=1e-9)


@pytest.mark.parametrize("state", STATES)
def test_density_solve_returns_to_its_pressure_from_any_side(matter, state):
    n_b, Y_e, Y_n = state
    P = eos.pressure(n_b, mixture(Y_e, Y_n), matter)
    for guess in (0.9 * n_b, 1.1 * n_b):
        np.testing.assert_allclose(eos.density_at_pressure(P, mixture(Y_e, Y_n), matter, guess), n_b, rtol=4e-15)
    cold = eos.cold_density_guess(P, Y_e)
    np.testing.assert_allclose(eos.density_at_pressure(P, mixture(Y_e, Y_n), matter, cold, 15), n_b, rtol=4e-15)


def test_density_solve_differentiates_implicitly(matter):
    P, Y_e, Y_n = 5e-4, 0.1, 0.7

    def solve(P, Y_e, Y_n):
        return eos.density_at_pressure(P, mixture(Y_e, Y_n), matter, 1.9e-3, 12)

    derivatives = jax.grad(solve, argnums=(0, 1, 2))(P, Y_e, Y_n)
    for i, x in enumerate((P, Y_e, Y_n)):
        h = 1e-5 * x
        up, down = [P, Y_e, Y_n], [P, Y_e, Y_n]
        up[i], down[i] = x + h, x - h
        np.testing.assert_allclose(derivatives[i], (solve(*up) - solve(*down)) / (2 * h), rtol=1e-8)


def test_derivatives_are_finite_without_free_neutrons(matter):
    value, slope = jax.value_and_grad(lambda n_n: eos.neutron_pressure(n_n, matter))(0.0)
    assert value == 0
    assert jnp.isfinite(slope)


@pytest.mark.parametrize(("n_b", "Y_e", "Y_n", "mu_e", "mu_n", "P"), EOS)
def test_check_values(n_b, Y_e, Y_n, mu_e, mu_n, P):
    matter = MATTERS["mackie-baym"]
    np.testing.assert_allclose(eos.electron_chemical_potential(n_b * Y_e), mu_e, rtol=1e-7)
    np.testing.assert_allclose(eos.neutron_chemical_potential(n_b * Y_n, matter), mu_n, atol=5e-7)
    np.testing.assert_allclose(eos.pressure(n_b, mixture(Y_e, Y_n), matter) * DYN_PER_CM2, P, rtol=3e-7)


def test_cube_root_is_exact_to_rounding_and_differentiable():
    x = np.geomspace(1e-60, 1e60, 2001)
    np.testing.assert_allclose(eos.cube_root(x), np.cbrt(x), rtol=4.5e-16)
    derivative = jax.vmap(jax.grad(eos.cube_root))(x)
    np.testing.assert_allclose(derivative, np.cbrt(x) / (3 * x), rtol=1e-15)
    assert eos.cube_root(0.0) == 0
    assert jax.grad(eos.cube_root)(0.0) == 0
    assert np.isnan(eos.cube_root(np.nan))


def test_electron_density_inverts_the_chemical_potential():
    n_e = np.geomspace(1e-9, 1e-2, 15)
    np.testing.assert_allclose(eos.electron_density(eos.electron_chemical_potential(n_e)), n_e, rtol=1e-9)


def test_single_precision_is_refused():
    with jax.enable_x64(False), pytest.raises(RuntimeError, match="jax_enable_x64"):
        eos.electron_pressure(1e-4)
