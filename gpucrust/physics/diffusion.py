"""Diffusion equilibrium, how far a crust is from it, and the neutron flux that this implies (CS20 eqs 7-11).

A profile mu_e(P) in hydrostatic equilibrium has one slope at which friction between neutrons and nuclei vanishes
(eq. 7); any other needs friction (eq. 6, see `force_balance`), and friction a flux of neutrons (eq. 10).

The functions that sweeps use count every nucleon as m_u and neglect the electrons' weight, their friction with
neutrons (f_en) and the lattice, as CS20 do from eq. 6 on. The first two together are no approximation in the ground
state (see `nodiff_slope`).

Everything is elementwise (any broadcastable shapes) and differentiable. In a mixture Z, A and m_i are averages over
the nuclei by number. J_n is positive outwards, against gravity; f_in is per nucleus and positive where nuclei would
fall if neutrons did not hold them.
"""

import jax.numpy as jnp

from gpucrust.constants import ATOMIC_MASS_UNIT, ATOMIC_MASS_UNIT_GRAM, NEUTRON_EXCESS
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Numbers

NEUTRON_MASS_GRAM = (1 + NEUTRON_EXCESS / ATOMIC_MASS_UNIT) * ATOMIC_MASS_UNIT_GRAM
"""Mass of the neutron m_n, g."""


@needs_x64
def friction_from_ratio(A: Numbers, g: Numbers, ratio: Numbers) -> Floats:
    """Eq. 6 with eq. 7: f_in = m_i g (1 - R), dyn per nucleus, the friction along a profile of slope R times eq. 7.

    g in cm s^-2, m_i = A m_u, `ratio` is R of `equilibrium_ratio`. Where mu_e is flat, f_in is the whole weight: CS20's
    estimate f_ni = A n_i m_u g/n_n per neutron.
    """
    return jnp.asarray(A, float) * ATOMIC_MASS_UNIT_GRAM * g * (1 - jnp.asarray(ratio))


@needs_x64
def nodiff_slope_of_mass(m_i: Numbers, Z: Numbers, rho: Numbers, m_e: Numbers = 0.0) -> Floats:
    """Eq. 7: dmu_e/dP = m_i/(Z rho) where there is no friction ("NoDiff"), fm^3 (MeV per MeV fm^-3).

    m_i in MeV, rho = n_i m_i + n_n m_n + n_e m_e in MeV fm^-3. m_e: the electrons' effective mass mu_e, MeV, or 0 to
    neglect their weight, as CS20 do from eq. 6 on; with it m_i becomes m_i + Z m_e.
    """
    return (jnp.asarray(m_i) + jnp.asarray(Z, float) * m_e) / (jnp.asarray(Z, float) * rho)


@needs_x64
def nodiff_slope(A: Numbers, Z: Numbers, n_b: Numbers) -> Floats:
    """Eq. 7, right-hand form, every nucleon weighing m_u: dmu_e/dP = A m_u/(Z rho) = A/(Z n_b), fm^3, n_b in fm^-3.

    In the ground state (see `gpucrust.physics.ground_state`) it is exact where the other form is not. With effective
    masses mu_j for all particles, as general relativity has it, a nucleus and its electrons weigh M + Z mu_e = A mu_b,
    and matter weighs n_b mu_b, mu_b the baryon chemical potential.
    """
    return jnp.asarray(A, float) / (jnp.asarray(Z, float) * n_b)


@needs_x64
def equilibrium_ratio(dmu_e_dP: Numbers, nodiff: Numbers) -> Floats:
    """R = (dmu_e/dP along the profile)/(dmu_e/dP of eq. 7), in the same units: 1 in diffusion equilibrium.

    Without free neutrons R is 1 identically. With the lattice, whose negative pressure electrons must make up for, the
    slope in equilibrium is that of `gpucrust.physics.slopes.nodiff_slope`.
    """
    return jnp.asarray(dmu_e_dP) / nodiff


@needs_x64
def residual_ei(dP_ei_dP: Numbers, rho_ei: Numbers, rho: Numbers) -> Floats:
    """Eq. 8, grad P_ei = rho_ei g for electrons and nuclei: (dP_ei/dP)(rho/rho_ei) - 1, zero where it holds.

    P_ei = -d(eps_ei V)/dV (the minus sign is missing in CS20), rho_ei = n_i m_i + n_e m_e, m_e the electrons' effective
    mass. dP_ei/dP is taken along the profile: n_e dmu_e/dP, without the lattice. With m_i = A m_u and m_e = 0 the
    residual is R - 1, with the lattice at frozen composition. The lattice does not couple the two equations: with its
    terms in mu_e and mu_a, n_e dmu_e + sum_a n_a dmu_a is still dP_ei.
    """
    return jnp.asarray(dP_ei_dP) * rho / rho_ei - 1


@needs_x64
def residual_n(dP_n_dP: Numbers, rho_n: Numbers, rho: Numbers) -> Floats:
    """Eq. 9, grad P_n = rho_n g for free neutrons: (dP_n/dP)(rho/rho_n) - 1, zero where it holds.

    rho_n = n_n m_n. 0 where there are no free neutrons. The two residuals balance: rho_ei residual_ei +
    rho_n residual_n = 0.
    """
    return jnp.where(jnp.asarray(rho_n) > 0, jnp.asarray(dP_n_dP) * rho * _reciprocal(rho_n) - 1, 0.0)


@needs_x64
def cross_section(A: Numbers) -> Floats:
    """sigma_ni = 1e-23 (1 + A^(1/3))^2 cm^2, cross section of nuclei for free neutrons (CS20 section 3)."""
    return 1e-23 * (1 + jnp.cbrt(A)) ** 2


@needs_x64
def neutron_velocity(rho_n: Numbers) -> Floats:
    """v_n = 1.6e9 rho_n12^(1/3) cm s^-1, of free neutrons at the Fermi surface; rho_n in g cm^-3 (CS20 section 3)."""
    return 1.6e9 * jnp.cbrt(jnp.asarray(rho_n) / 1e12)


@needs_x64
def neutron_current(
    f_ni: Numbers, n_n: Numbers, n_i: Numbers, sigma_ni: Numbers, v_n: Numbers, m_n: float = NEUTRON_MASS_GRAM
) -> Floats:
    """Eq. 10: J_n = [n_n/(n_i sigma_ni v_n)] f_ni/m_n, flux of neutrons with respect to nuclei, cm^-2 s^-1.

    Along f_ni, the force of neutrons on nuclei, dyn per neutron: neutrons drag the nuclei the way they go. CGS; the
    factor in front is of order one and omitted.
    """
    return jnp.asarray(n_n) * f_ni / (jnp.asarray(n_i) * sigma_ni * jnp.asarray(v_n) * m_n)


@needs_x64
def neutron_flux(A: Numbers, g: Numbers, rho_n: Numbers, ratio: Numbers) -> Floats:
    """Eq. 10 with the friction of eq. 6: J_n = [A g/(sigma_ni v_n)] (1 - R), cm^-2 s^-1, outwards.

    Neutrons drifting with flux J_n push each nucleus with m_n J_n sigma_ni v_n, and eq. 6 says what that must be;
    m_u/m_n = 0.991 is left out, as in CS20's eq. 11. g in cm s^-2, rho_n (free neutrons) in g cm^-3. 0 where there are
    no free neutrons.
    """
    rho_n = jnp.asarray(rho_n)
    present = rho_n > 0
    scale = neutron_flux_scale(A, g, jnp.where(present, rho_n, 1.0))
    return jnp.where(present, scale * (1 - jnp.asarray(ratio)), 0.0)


@needs_x64
def neutron_flux_scale(A: Numbers, g: Numbers, rho_n: Numbers) -> Floats:
    """Eq. 11, middle form: J_n ~ A g/(sigma_ni v_n), cm^-2 s^-1, the flux of eq. 10 where mu_e is flat.

    g in cm s^-2, rho_n (free neutrons) in g cm^-3.
    """
    return jnp.asarray(A, float) * g / (cross_section(A) * neutron_velocity(rho_n))


@needs_x64
def neutron_flux_rounded(A: Numbers, g: Numbers, rho_n: Numbers) -> Floats:
    """Eq. 11, right-hand form: J_n ~ 3e28 g_14 A_70^(1/3) rho_n12^(-1/3), cm^-2 s^-1, as CS20 round it.

    1.8 times the middle form at A = 70, which is 1.67e28: with sigma_ni = 1e-23 A^(2/3) cm^2, without the 1 that stands
    for the range of nuclear forces, the middle form is 2.58e28.
    """
    return 3e28 * (jnp.asarray(g) / 1e14) * jnp.cbrt(jnp.asarray(A, float) / 70) / jnp.cbrt(jnp.asarray(rho_n) / 1e12)


@needs_x64
def accretion_flux(mdot: Numbers) -> Floats:
    """J_acc = mdot/m_u, baryons cm^-2 s^-1, mdot in g cm^-2 s^-1."""
    return jnp.asarray(mdot) / ATOMIC_MASS_UNIT_GRAM


def _reciprocal(x: Numbers) -> Floats:
    """1/x, and 0 with derivative 0 at x = 0."""
    present = jnp.asarray(x) > 0
    return jnp.where(present, 1 / jnp.where(present, x, 1.0), 0.0)
