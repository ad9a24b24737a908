"""Electrons on the lattice of one nuclide: their density by pressure and by chemical potential, and back.

The lattice energy eps_L ~ n_e^(4/3) belongs to the electrons as much as to the nuclei. With
    mu_e* = d(eps_e + eps_L)/dn_e = mu_e + 4 P_L/n_e,    P_L = eps_L/3,
the pressure of electrons and nuclei obeys dP_ei = n_e dmu_e*, as that of free electrons does with mu_e.

Units: densities fm^-3, energies MeV, pressures MeV fm^-3. Elementwise and differentiable.
"""

import jax.numpy as jnp
from jax import Array, lax

from gpucrust.constants import ELECTRON_MASS, FINE_STRUCTURE, HBAR_C
from gpucrust.physics import eos
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Numbers

ITERATIONS = 20
"""Steps of Newton's method for the density at a pressure: 12 reach rounding from anywhere, so these have room."""


@needs_x64
def on_lattice(Z: Numbers) -> Mixture:
    """Composition per *electron*, of nuclei of charge Z: with it the functions of `eos` take n_e for n_b."""
    Z = jnp.asarray(Z, dtype=float)
    return Mixture(jnp.ones_like(Z), 0.0, Z ** (2 / 3))


@needs_x64
def electrons_at_pressure(P_ei: Numbers, Z: Numbers, matter: Matter) -> Floats:
    """n_e at which electrons and lattice of nuclei of charge Z have the pressure P_ei > 1e-11 MeV fm^-3, fm^-3."""

    def step(n_e: Array, P_ei: Numbers, matter: Matter) -> Array:
        return eos.density_at_pressure(P_ei, on_lattice(Z), matter, n_e, iterations=1)

    # a loop, which compiles faster than as many steps; it carries no derivatives, the last step does
    frozen_P, frozen_matter = lax.stop_gradient((P_ei, matter))
    guess = eos.cold_density_guess(frozen_P, jnp.ones_like(jnp.asarray(Z, dtype=float)))
    return step(lax.fori_loop(0, ITERATIONS, lambda _, n_e: step(n_e, frozen_P, frozen_matter), guess), P_ei, matter)


@needs_x64
def electron_star(n_e: Numbers, Z: Numbers, matter: Matter) -> Floats:
    """mu_e* = d(eps_e + eps_L)/dn_e = mu_e + (4/3) eps_L/n_e, MeV: an electron with its share of the lattice."""
    return eos.electron_chemical_potential(n_e) - _lattice_share(Z, matter) * HBAR_C * eos.electron_fermi_momentum(n_e)


@needs_x64
def electrons_of_star(mu_e_star: Numbers, Z: Numbers, matter: Matter) -> Floats:
    """n_e of given mu_e*, fm^-3: inverts `electron_star`, a quadratic in hbar c k_F; mu_e* < m_e is taken for m_e."""
    mu, share = jnp.maximum(jnp.asarray(mu_e_star), ELECTRON_MASS), _lattice_share(Z, matter)
    root = jnp.sqrt((mu - ELECTRON_MASS) * (mu + ELECTRON_MASS) + (share * ELECTRON_MASS) ** 2)
    return ((share * mu + root) / ((1 - share**2) * HBAR_C)) ** 3 / (3 * jnp.pi**2)


def _lattice_share(Z: Numbers, matter: Matter) -> Floats:
    """-(4/3) eps_L/(n_e hbar c k_F), a pure number: 0.0045 Z^(2/3)."""
    return (4 / 3) * eos.MADELUNG * FINE_STRUCTURE * jnp.asarray(matter.lattice) * on_lattice(Z).Y_z53 / eos.FERMI
