"""Diffusion equilibrium and the neutron flux (CS20 eqs 7-11): laws first, then the numbers of the specification."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucrust.constants import ATOMIC_MASS_UNIT, ATOMIC_MASS_UNIT_GRAM, EDDINGTON_MDOT, NEUTRON_EXCESS
from gpucrust.physics import diffusion, force_balance
from published import FLUX_EDDINGTON, FLUX_EQ_11, FLUX_EQ_11_ROUNDED

STATE = {"A": 56.0, "g": 2e14, "rho_n": 8e11, "ratio": 0.3}


def test_both_forms_of_eq_7_agree_when_all_nucleons_weigh_m_u():
    A, Z, n_b = np.array([56.0, 110.0]), np.array([26.0, 30.0]), np.array([1e-6, 3e-3])
    exact = diffusion.nodiff_slope_of_mass(A * ATOMIC_MASS_UNIT, Z, n_b * ATOMIC_MASS_UNIT)
    np.testing.assert_allclose(exact, diffusion.nodiff_slope(A, Z, n_b), rtol=1e-15)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_residuals_of_eqs_8_and_9_balance_and_measure_the_ratio(seed):
    rng = np.random.default_rng(seed)
    Z, A = rng.integers(8, 40, 1), rng.integers(50, 130, 1)
    n_i, n_n = rng.uniform(1e-7, 1e-4, 1), rng.uniform(1e-6, 1e-2)
    n_e, n_b = Z * n_i, A * n_i + n_n
    dmu_e_dP = rng.normal() / n_e
    R = diffusion.equilibrium_ratio(dmu_e_dP, diffusion.nodiff_slope(A, Z, n_b))
    res_ei = diffusion.residual_ei(n_e * dmu_e_dP, A * n_i, n_b)
    res_n = diffusion.residual_n(1 - n_e * dmu_e_dP, n_n, n_b)
    np.testing.assert_allclose(res_ei, R - 1, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(A * n_i * res_ei + n_n * res_n, 0, atol=1e-13 * float(jnp.max(n_b * (1 + abs(R)))))


def test_outer_crust_is_in_equilibrium_whatever_its_composition():
    Z, A, n_b = 24.0, 56.0, 1e-5
    R = diffusion.equilibrium_ratio(1 / (n_b * Z / A), diffusion.nodiff_slope(A, Z, n_b))
    np.testing.assert_allclose(R, 1, rtol=1e-15)
    assert diffusion.neutron_flux(A, 2e14, 0.0, R) == 0
    assert diffusion.neutron_flux(A, 2e14, 0.0, 0.9) == 0, "no neutrons, no flux, whatever R is reported"
    assert diffusion.residual_n(0.0, 0.0, n_b) == 0


def test_flux_scales_as_g_A_rho_n_and_the_accretion_flux_as_mdot():
    J = diffusion.neutron_flux(**STATE)
    np.testing.assert_allclose(diffusion.neutron_flux(**STATE | {"g": 6e14}), 3 * J, rtol=1e-15)
    np.testing.assert_allclose(diffusion.neutron_flux(**STATE | {"rho_n": 64e11}), J / 2, rtol=1e-15)
    A_ratio = 2 * ((1 + 56 ** (1 / 3)) / (1 + 112 ** (1 / 3))) ** 2
    np.testing.assert_allclose(diffusion.neutron_flux(**STATE | {"A": 112.0}), A_ratio * J, rtol=1e-14)
    np.testing.assert_allclose(
        diffusion.neutron_flux_rounded(8 * 56.0, 2e14, 8e11) / 2, diffusion.neutron_flux_rounded(56.0, 2e14, 8e11)
    )
    np.testing.assert_allclose(diffusion.accretion_flux(3e4), 0.3 * diffusion.accretion_flux(1e5), rtol=1e-15)


@pytest.mark.parametrize(("ratio", "sign"), [(1.0, 0), (-0.5, 1), (0.0, 1), (0.99, 1), (1.01, -1), (3.0, -1)])
def test_neutrons_flow_outwards_below_equilibrium_and_inwards_above(ratio, sign):
    assert np.sign(diffusion.neutron_flux(**STATE | {"ratio": ratio})) == sign


def test_eq_10_carries_the_friction_of_eq_6():
    """f_in = m_n J_n sigma_ni v_n, with m_n = m_u as throughout eq. 10."""
    J = diffusion.neutron_flux(**STATE)
    push = ATOMIC_MASS_UNIT_GRAM * J * diffusion.cross_section(STATE["A"]) * diffusion.neutron_velocity(STATE["rho_n"])
    np.testing.assert_allclose(push, diffusion.friction_from_ratio(STATE["A"], STATE["g"], STATE["ratio"]), rtol=1e-14)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_eq_10_with_the_friction_of_eq_6_is_the_flux_of_sweeps(seed):
    """But for m_u/m_n, and the sign: along gravity there, outwards here."""
    rng = np.random.default_rng(seed)
    A, n_i, n_n, g, R = rng.uniform(20, 120), *rng.uniform(1e34, 1e36, 2), rng.uniform(1e13, 1e15), rng.normal(0, 2)
    rho_n = n_n * ATOMIC_MASS_UNIT_GRAM
    f_ni = force_balance.reaction(diffusion.friction_from_ratio(A, g, R), n_i, n_n)
    J_n = diffusion.neutron_current(f_ni, n_n, n_i, diffusion.cross_section(A), diffusion.neutron_velocity(rho_n))
    lighter = ATOMIC_MASS_UNIT / (ATOMIC_MASS_UNIT + NEUTRON_EXCESS)
    np.testing.assert_allclose(-J_n, lighter * diffusion.neutron_flux(A, g, rho_n, R), rtol=1e-13)


def test_both_forms_of_eq_11():
    np.testing.assert_allclose(diffusion.neutron_flux_scale(70.0, 1e14, 1e12), FLUX_EQ_11, rtol=2e-3)
    np.testing.assert_allclose(diffusion.neutron_flux_rounded(70.0, 1e14, 1e12), FLUX_EQ_11_ROUNDED)
    assert diffusion.neutron_flux(70.0, 1e14, 1e12, 0.0) == diffusion.neutron_flux_scale(70.0, 1e14, 1e12)
    # the right-hand form goes with A^(1/3): it is the middle one with nuclei of no more than their own size, rounded
    bare = 70 * 1e14 / (1e-23 * 70 ** (2 / 3) * diffusion.neutron_velocity(1e12))
    np.testing.assert_allclose(bare, 2.576e28, rtol=1e-3)


def test_eddington_accretion_flux():
    np.testing.assert_allclose(diffusion.accretion_flux(EDDINGTON_MDOT), FLUX_EDDINGTON, rtol=1e-3)


def test_neutron_velocity_is_that_of_the_fermi_momentum():
    hbar, m_n = 1.054571817e-27, 1.67492750e-24
    k_F = np.cbrt(3 * np.pi**2 * 1e12 / m_n)
    np.testing.assert_allclose(diffusion.neutron_velocity(1e12), hbar * k_F / m_n, rtol=0.04)


@pytest.mark.parametrize("argument", STATE)
def test_flux_gradients_against_finite_differences(argument):
    def J(x):
        return diffusion.neutron_flux(**STATE | {argument: x}) / 1e28

    x = STATE[argument]
    h = 1e-5 * x
    np.testing.assert_allclose(jax.grad(J)(x), (J(x + h) - J(x - h)) / (2 * h), rtol=1e-8)


def test_gradients_are_finite_without_free_neutrons():
    for function in (
        lambda rho_n: diffusion.neutron_flux(56.0, 2e14, rho_n, 1.0),
        lambda rho_n: diffusion.residual_n(0.0, rho_n, 1.0),
    ):
        assert jnp.isfinite(jax.grad(function)(0.0))


def test_gradient_of_vmap_is_the_loop():
    rng = np.random.default_rng(1)
    batch = jnp.asarray(rng.uniform(0.5, 2, (8, 4)) * np.array(list(STATE.values())))

    def total(rows):
        return jnp.sum(jax.vmap(diffusion.neutron_flux)(*rows.T))

    loop = jnp.stack([jax.grad(lambda row: diffusion.neutron_flux(*row))(row) for row in batch])
    np.testing.assert_allclose(jax.grad(total)(batch), loop, rtol=1e-14)
