"""Force balance of electrons, nuclei and free neutrons, and the neutron flux it implies (CS20 eqs 2-11).

A static plane-parallel crust, electrons, nuclei i and free neutrons, each in balance of the forces per particle:
its pressure gradient (through its chemical potential), electric field E, gravity g, and friction f_in between nuclei
and neutrons (f_en between electrons and neutrons is neglected, as are the electrons' own weight and the lattice).
Forces, fields and fluxes are positive outwards, along r and against gravity; so dP/dr = -rho g.

The paper's text was not at hand. Which equation bears which number, eqs 7-11 and the use of eq. 6 are as in the
project's notes on CS20; the written form of eqs 2-6 is derived here from the force balance those notes describe.

Everything is elementwise (any broadcastable shapes) and differentiable. Eqs 2-6 hold in any one consistent system
of units; elsewhere the units are stated. In a mixture Z, A and m_i are number averages over the nuclei.
"""

import jax.numpy as jnp

from gpucrust.constants import ATOMIC_MASS_UNIT_GRAM
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Numbers


@needs_x64
def force_on_electron(dmu_e_dr: Numbers, eE: Numbers) -> Floats:
    """Eq. 2: -dmu_e/dr - eE per electron, zero in balance."""
    return -jnp.asarray(dmu_e_dr) - eE


@needs_x64
def force_on_nucleus(Z: Numbers, m_i: Numbers, g: Numbers, eE: Numbers, f_in: Numbers) -> Floats:
    """Eq. 3: Z eE - m_i g + f_in per nucleus, zero in balance. Cold nuclei have no pressure of their own."""
    return jnp.asarray(Z, float) * eE - jnp.asarray(m_i) * g + f_in


@needs_x64
def force_on_neutron(dmu_n_dr: Numbers, m_n: Numbers, g: Numbers, f_ni: Numbers) -> Floats:
    """Eq. 4: -dmu_n/dr - m_n g + f_ni per free neutron, zero in balance."""
    return -jnp.asarray(dmu_n_dr) - jnp.asarray(m_n) * g + f_ni


@needs_x64
def force_on_matter(dP_dr: Numbers, rho: Numbers, g: Numbers) -> Floats:
    """Eq. 5: -dP/dr - rho g per volume, zero in hydrostatic equilibrium.

    It is n_e (eq. 2) + sum_i n_i (eq. 3) + n_n (eq. 4): charge neutrality takes out E, action and reaction
    (`friction_on_neutron`) take out friction, and dP = n_e dmu_e + n_n dmu_n.
    """
    return -jnp.asarray(dP_dr) - jnp.asarray(rho) * g


@needs_x64
def friction_on_nucleus(Z: Numbers, m_i: Numbers, g: Numbers, dmu_e_dr: Numbers) -> Floats:
    """Eq. 6, from eqs 2 and 3: f_in = m_i g + Z dmu_e/dr, the force per nucleus that neutrons must supply.

    Positive where the electrons' pressure gradient does not suffice to hold the nuclei up.
    """
    return jnp.asarray(m_i) * g + jnp.asarray(Z, float) * dmu_e_dr


@needs_x64
def friction_from_ratio(A: Numbers, g: Numbers, ratio: Numbers) -> Floats:
    """Eq. 6 along a profile in hydrostatic equilibrium: f_in = m_i g (1 - R), dyn per nucleus.

    g in cm s^-2, m_i = A m_u, `ratio` is R of `equilibrium_ratio`.
    """
    return jnp.asarray(A, float) * ATOMIC_MASS_UNIT_GRAM * g * (1 - jnp.asarray(ratio))


@needs_x64
def friction_on_neutron(f_in: Numbers, n_i: Numbers, n_n: Numbers) -> Floats:
    """f_ni = -(n_i/n_n) f_in per free neutron, the reaction to f_in; 0 where there are no free neutrons."""
    return -jnp.asarray(n_i) * f_in * _reciprocal(n_n)


@needs_x64
def nodiff_slope_of_mass(m_i: Numbers, Z: Numbers, rho: Numbers) -> Floats:
    """Eq. 7, dmu_e/dP = m_i/(Z rho) where f_in = 0 ("NoDiff"), fm^3 (MeV per MeV fm^-3).

    m_i in MeV, rho = sum_i n_i m_i + n_n m_n in MeV fm^-3.
    """
    return jnp.asarray(m_i) / (jnp.asarray(Z, float) * rho)


@needs_x64
def nodiff_slope(A: Numbers, Z: Numbers, n_b: Numbers) -> Floats:
    """Eq. 7 with every nucleon weighing m_u: dmu_e/dP = A m_u/(Z rho) = A/(Z n_b), fm^3, n_b in fm^-3.

    Exact in the ground state (see `gpucrust.physics.ground_state`), where friction is zero in general relativity too:
    there the weight of a nucleus is A mu_b and that of matter n_b mu_b, mu_b the baryon chemical potential.
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

    dP_ei/dP along the profile: n_e dmu_e/dP, without the lattice. With m_i = A m_u this is R - 1; with the lattice it
    is so at frozen composition.
    """
    return jnp.asarray(dP_ei_dP) * rho / rho_ei - 1


@needs_x64
def residual_n(dP_n_dP: Numbers, rho_n: Numbers, rho: Numbers) -> Floats:
    """Eq. 9, grad P_n = rho_n g for free neutrons: (dP_n/dP)(rho/rho_n) - 1, zero where it holds.

    0 where there are no free neutrons. The two residuals balance: rho_ei residual_ei + rho_n residual_n = 0.
    """
    return jnp.where(jnp.asarray(rho_n) > 0, jnp.asarray(dP_n_dP) * rho * _reciprocal(rho_n) - 1, 0.0)


@needs_x64
def cross_section(A: Numbers) -> Floats:
    """sigma_ni = 1e-23 (1 + A^(1/3))^2 cm^2 of neutrons on nuclei (CS20, with eq. 10)."""
    return 1e-23 * (1 + jnp.cbrt(A)) ** 2


@needs_x64
def neutron_velocity(rho_n: Numbers) -> Floats:
    """v_n = 1.6e9 rho_n12^(1/3) cm s^-1, of the free neutrons' Fermi momentum; rho_n in g cm^-3 (CS20, with eq. 10)."""
    return 1.6e9 * jnp.cbrt(jnp.asarray(rho_n) / 1e12)


@needs_x64
def neutron_flux(A: Numbers, g: Numbers, rho_n: Numbers, ratio: Numbers) -> Floats:
    """Eq. 10: J_n = [A g/(sigma_ni v_n)] (1 - R), the flux of neutrons past the nuclei, cm^-2 s^-1, outwards.

    Neutrons drifting with flux J_n push each nucleus with f_in = m_n J_n sigma_ni v_n, and eq. 6 says what f_in is.
    g in cm s^-2, rho_n (free neutrons) in g cm^-3. 0 where there are no free neutrons.
    """
    rho_n = jnp.asarray(rho_n)
    present = rho_n > 0
    scale = neutron_flux_scale(A, g, jnp.where(present, rho_n, 1.0))
    return jnp.where(present, scale * (1 - jnp.asarray(ratio)), 0.0)


@needs_x64
def neutron_flux_scale(A: Numbers, g: Numbers, rho_n: Numbers) -> Floats:
    """Eq. 11, middle form: J_n ~ A g/(sigma_ni v_n), cm^-2 s^-1: eq. 10 where mu_e is flat. Units as there."""
    return jnp.asarray(A, float) * g / (cross_section(A) * neutron_velocity(rho_n))


@needs_x64
def neutron_flux_rounded(A: Numbers, g: Numbers, rho_n: Numbers) -> Floats:
    """Eq. 11, right-hand form: J_n ~ 3e28 g_14 A_70^(1/3) rho_n12^(-1/3), cm^-2 s^-1, as CS20 round it.

    Its sigma_ni ~ A^(2/3) leaves out the range of nuclear forces: 1.8 times the middle form at A = 70.
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
