"""Force balance of electrons, nuclei and free neutrons in a static plane-parallel crust (CS20 eqs 2-6).

Forces, gradients, g and fluxes are components along one axis, the same for all. With the axis inwards, along gravity,
g and dP/dr are positive, and so is f_in where nuclei would fall if neutrons did not hold them.

f_jk is friction as CS20 have it: the force that particles j exert on particles k, per particle *of kind j*. Balance is
therefore "conservative forces on j = sum_k f_jk": what acts on j is handed on. CS20 describe f_jk as normalized to a
particle of kind k; but their eqs 2-4 add up to hydrostatic equilibrium, their third law reads n_j f_jk = -n_k f_kj, and
their eq. 11 follows from eq. 10, only per particle of kind j.

phi is the electrostatic potential, e > 0, so that e grad(phi) is the force of the field on an electron. m_e is the
effective mass m*_e = mu_e of CS20's eq. 2; of nuclei and neutrons the rest mass is meant. Terms that CS20 neglect
somewhere are arguments that default to zero.

Everything is elementwise (any broadcastable shapes; where kinds of nuclei are told apart, they lie along the last
axis), differentiable, and holds in any one consistent system of units. Averages over nuclei are by number.
"""

import jax.numpy as jnp

from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Kinds, Numbers


@needs_x64
def force_on_electron(
    grad_mu_e: Numbers,
    e_grad_phi: Numbers,
    m_e: Numbers,
    g: Numbers,
    f_ei: Numbers = 0.0,
    f_en: Numbers = 0.0,
) -> Floats:
    """Eq. 2, left side less right side: e grad(phi) + m_e g - grad(mu_e) - f_ei - f_en per electron.

    Zero in balance. m_e is the effective mass mu_e, rest mass included: what weighs is an electron's energy.
    """
    return jnp.asarray(e_grad_phi) + jnp.asarray(m_e) * g - grad_mu_e - f_ei - f_en


@needs_x64
def force_on_nuclei(
    n: Kinds,
    Z: Kinds,
    m: Kinds,
    e_grad_phi: Numbers,
    g: Numbers,
    f_in: Numbers,
    f_ie: Numbers = 0.0,
    grad_mu: Kinds | float = 0.0,
) -> Floats:
    """Eq. 3, left side less right side: -Z e grad(phi) + m_i g - sum_a (n_a/n_i) grad(mu_a) - f_ie - f_in per nucleus.

    Zero in balance. It is the sum over kinds a of nuclei: n, Z, m and grad_mu are theirs, (..., kinds); Z and m_i in
    the formula are averages over nuclei, n_i = sum_a n_a, and so are f_ie and f_in. grad_mu defaults to zero as in
    CS20, where mu_a is the mass of the nucleus; the lattice, or masses that feel the neutrons around, make it differ.
    """
    return (
        -mean_over_nuclei(n, Z) * e_grad_phi + mean_over_nuclei(n, m) * g - mean_over_nuclei(n, grad_mu) - f_ie - f_in
    )


@needs_x64
def force_on_neutron(grad_mu_n: Numbers, m_n: Numbers, g: Numbers, f_ni: Numbers, f_ne: Numbers = 0.0) -> Floats:
    """Eq. 4, left side less right side: m_n g - grad(mu_n) - f_ni - f_ne per free neutron, zero in balance.

    f_ne defaults to zero: CS20 neglect the friction of neutrons with electrons in their section 3.
    """
    return jnp.asarray(m_n) * g - grad_mu_n - f_ni - f_ne


@needs_x64
def force_on_matter(grad_P: Numbers, rho: Numbers, g: Numbers) -> Floats:
    """Hydrostatic equilibrium, rho g - grad(P) per volume, zero in balance; CS20 do not number it.

    It is n_e times the electrons' balance, plus n_i times that of nuclei, plus n_n times that of neutrons (eqs 2-4):
    charge neutrality n_e = Z n_i takes out the field, the third law takes out friction, and the Gibbs-Duhem relation is
    dP = n_e dmu_e + sum_a n_a dmu_a + n_n dmu_n. So rho = n_e m_e + n_i m_i + n_n m_n, m_e the effective mass.
    """
    return jnp.asarray(rho) * g - grad_P


@needs_x64
def ei_gradient(
    grad_P: Numbers,
    n_i: Numbers,
    m_i: Numbers,
    rho: Numbers,
    f_in: Numbers,
    n_e: Numbers,
    m_e: Numbers,
    f_en: Numbers = 0.0,
) -> Floats:
    """Eq. 5, right side: (n_i m_i + n_e m_e)/rho grad(P) - n_i f_in - n_e f_en per volume.

    Its left side is sum_a n_a grad(mu_a) + n_e grad(mu_e), the pressure gradient of electrons and nuclei together. It
    is the sum of eqs 2 and 3 times densities, with g = grad(P)/rho of hydrostatic equilibrium.
    """
    weight = (jnp.asarray(n_i) * m_i + jnp.asarray(n_e) * m_e) / rho
    return weight * grad_P - jnp.asarray(n_i) * f_in - jnp.asarray(n_e) * f_en


@needs_x64
def electron_gradient(
    grad_P: Numbers,
    m_i: Numbers,
    Z: Numbers,
    rho: Numbers,
    f_in: Numbers,
    f_en: Numbers = 0.0,
    m_e: Numbers = 0.0,
    grad_mu_i: Numbers = 0.0,
) -> Floats:
    """Eq. 6: grad(mu_e) = m_i/(Z rho) grad(P) - f_in/Z - f_en, the slope of mu_e in hydrostatic equilibrium.

    It is eq. 5 over n_e = Z n_i. CS20 leave out two terms of it, which default to zero: the electrons' weight (m_e, by
    which m_i becomes m_i + Z m_e) and grad(mu_a), here its mean over nuclei grad_mu_i.
    """
    weight = (jnp.asarray(m_i) + jnp.asarray(Z, float) * m_e) / (jnp.asarray(Z, float) * rho)
    return weight * grad_P - (jnp.asarray(f_in) + grad_mu_i) / Z - f_en


@needs_x64
def friction_on_neutrons(
    grad_mu_e: Numbers,
    m_i: Numbers,
    Z: Numbers,
    g: Numbers,
    f_en: Numbers = 0.0,
    m_e: Numbers = 0.0,
    grad_mu_i: Numbers = 0.0,
) -> Floats:
    """Eq. 6 for the friction, f_in = m_i g - Z grad(mu_e) - Z f_en, per nucleus, with g for grad(P)/rho.

    What nuclei hand on to neutrons because the field of the electrons does not carry it; -f_in holds the nuclei up.
    m_e and grad_mu_i as in `electron_gradient`.
    """
    Z = jnp.asarray(Z, float)
    return (jnp.asarray(m_i) + Z * m_e) * g - Z * (jnp.asarray(grad_mu_e) + f_en) - grad_mu_i


@needs_x64
def reaction(f_jk: Numbers, n_j: Numbers, n_k: Numbers) -> Floats:
    """f_kj = -(n_j/n_k) f_jk, the third law: action of j on k, per particle of j, and reaction, per particle of k.

    0 where there are no particles of kind k.
    """
    present = jnp.asarray(n_k) > 0
    return jnp.where(present, -jnp.asarray(n_j) * f_jk / jnp.where(present, n_k, 1.0), 0.0)


@needs_x64
def mean_over_nuclei(n: Kinds, x: Kinds | float) -> Floats:
    """sum_a (n_a/n_i) x_a over kinds a of nuclei, the last axis; n: their densities, (..., kinds)."""
    n = jnp.asarray(n)
    return jnp.sum(n * x, axis=-1) / jnp.sum(n, axis=-1)
