"""Force balance and neutron flux (CS20 eqs 2-11): laws first, then the numbers of the specification."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucrust.constants import ATOMIC_MASS_UNIT, ATOMIC_MASS_UNIT_GRAM, EDDINGTON_MDOT, NEUTRON_EXCESS
from gpucrust.physics import diffusion
from published import FLUX_EDDINGTON, FLUX_EQ_11, FLUX_EQ_11_ROUNDED

M_N = ATOMIC_MASS_UNIT + NEUTRON_EXCESS
STATE = {"A": 56.0, "g": 2e14, "rho_n": 8e11, "ratio": 0.3}


def random_crust(seed, species=3):
    """A slab in hydrostatic equilibrium with any slope of mu_e: the remainder is friction's."""
    rng = np.random.default_rng(seed)
    Z, A = rng.integers(8, 40, species), rng.integers(50, 130, species)
    m_i = A * ATOMIC_MASS_UNIT + rng.normal(0, 40, species)
    n_i, n_n = rng.uniform(1e-7, 1e-4, species), rng.uniform(1e-6, 1e-2)
    n_e = np.sum(Z * n_i)
    g = rng.uniform(0.5, 3)
    rho = np.sum(n_i * m_i) + n_n * M_N
    dmu_e_dr = -rng.normal() * g * 1e3
    dmu_n_dr = (-rho * g - n_e * dmu_e_dr) / n_n
    return Z, A, m_i, n_i, n_n, n_e, g, rho, dmu_e_dr, dmu_n_dr


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_weighted_sum_of_eqs_2_to_4_is_eq_5(seed):
    Z, _, m_i, n_i, n_n, n_e, g, rho, dmu_e_dr, dmu_n_dr = random_crust(seed)
    rng = np.random.default_rng(seed)
    # arbitrary field and frictions, not in balance: the identity needs charge neutrality and the third law alone
    eE, f_in = rng.normal(size=2) * 1e3
    dmu_n_dr = dmu_n_dr * rng.normal()
    f_ni = diffusion.friction_on_neutron(f_in, np.sum(n_i), n_n)
    terms = [
        n_e * diffusion.force_on_electron(dmu_e_dr, eE),
        np.sum(n_i * diffusion.force_on_nucleus(Z, m_i, g, eE, f_in)),
        n_n * diffusion.force_on_neutron(dmu_n_dr, M_N, g, f_ni),
    ]
    dP_dr = n_e * dmu_e_dr + n_n * dmu_n_dr
    size = np.abs([n_e * dmu_e_dr, n_n * dmu_n_dr, n_e * eE, np.sum(n_i) * f_in, rho * g]).sum()
    assert abs(np.sum(terms) - diffusion.force_on_matter(dP_dr, rho, g)) < 1e-14 * size


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_friction_of_eq_6_balances_every_component(seed):
    Z, _, m_i, n_i, n_n, _, g, rho, dmu_e_dr, dmu_n_dr = random_crust(seed)
    eE = -dmu_e_dr  # eq. 2
    f_in = diffusion.friction_on_nucleus(Z, m_i, g, dmu_e_dr)
    np.testing.assert_allclose(diffusion.force_on_electron(dmu_e_dr, eE), 0)
    np.testing.assert_allclose(diffusion.force_on_nucleus(Z, m_i, g, eE, f_in), 0, atol=1e-14 * np.abs(Z * eE).max())
    f_ni = diffusion.friction_on_neutron(np.average(f_in, weights=n_i), np.sum(n_i), n_n)
    scale = abs(dmu_n_dr) + rho * g / n_n
    np.testing.assert_allclose(diffusion.force_on_neutron(dmu_n_dr, M_N, g, f_ni), 0, atol=1e-13 * scale)


def test_eq_7_is_the_slope_without_friction():
    Z, _, m_i, n_i, n_n, _, g, _, _, _ = random_crust(7, species=1)
    rho = n_i * m_i + n_n * M_N
    slope = diffusion.nodiff_slope_of_mass(m_i, Z, rho)
    np.testing.assert_allclose(
        diffusion.friction_on_nucleus(Z, m_i, g, -slope * rho * g), 0, atol=1e-14 * float((m_i * g).max())
    )


def test_both_forms_of_eq_7_agree_when_all_nucleons_weigh_m_u():
    A, Z, n_b = np.array([56.0, 110.0]), np.array([26.0, 30.0]), np.array([1e-6, 3e-3])
    exact = diffusion.nodiff_slope_of_mass(A * ATOMIC_MASS_UNIT, Z, n_b * ATOMIC_MASS_UNIT)
    np.testing.assert_allclose(exact, diffusion.nodiff_slope(A, Z, n_b), rtol=1e-15)


def test_eq_6_in_terms_of_the_ratio():
    A, Z, n_b, g, dmu_e_dP = 56.0, 20.0, 1e-3, 2e14, 700.0
    R = diffusion.equilibrium_ratio(dmu_e_dP, diffusion.nodiff_slope(A, Z, n_b))
    m_i, rho = A * ATOMIC_MASS_UNIT_GRAM, n_b * ATOMIC_MASS_UNIT_GRAM
    f_in = diffusion.friction_on_nucleus(Z, m_i, g, -dmu_e_dP * rho * g)
    np.testing.assert_allclose(diffusion.friction_from_ratio(A, g, R), f_in, rtol=1e-14)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_residuals_of_eqs_8_and_9_balance_and_measure_the_ratio(seed):
    Z, A, _, n_i, n_n, n_e, *_ = random_crust(seed, species=1)
    n_b = A * n_i + n_n
    dmu_e_dP = np.random.default_rng(seed).normal() / n_e
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
    assert diffusion.friction_on_neutron(0.0, n_b / A, 0.0) == 0


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


def test_both_forms_of_eq_11():
    np.testing.assert_allclose(diffusion.neutron_flux_scale(70.0, 1e14, 1e12), FLUX_EQ_11, rtol=2e-3)
    np.testing.assert_allclose(diffusion.neutron_flux_rounded(70.0, 1e14, 1e12), FLUX_EQ_11_ROUNDED)
    assert diffusion.neutron_flux(70.0, 1e14, 1e12, 0.0) == diffusion.neutron_flux_scale(70.0, 1e14, 1e12)


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
        lambda n_n: diffusion.friction_on_neutron(1.0, 1.0, n_n),
    ):
        assert jnp.isfinite(jax.grad(function)(0.0))


def test_gradient_of_vmap_is_the_loop():
    rng = np.random.default_rng(1)
    batch = jnp.asarray(rng.uniform(0.5, 2, (8, 4)) * np.array(list(STATE.values())))

    def total(rows):
        return jnp.sum(jax.vmap(diffusion.neutron_flux)(*rows.T))

    loop = jnp.stack([jax.grad(lambda row: diffusion.neutron_flux(*row))(row) for row in batch])
    np.testing.assert_allclose(jax.grad(total)(batch), loop, rtol=1e-14)
