"""Pycnonuclear fusion among the slots of a member: the burn times of all pairs, and what a pair fuses to."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.constants import RHO_PER_N_B
from gpucrust.engine.interface import Y_REACTS
from gpucrust.engine.network import Network, fusion_index, fusion_product, nuclide_energy
from gpucrust.nuclide import nuclide_code, nuclide_N, nuclide_Z
from gpucrust.physics import pycno, reactions
from gpucrust.physics.eos import Mixture

STEEPNESS = 1e6
"""Power of the density with which the burn time falls of nuclei that fuse from a given density on, where it is 1 s: so
steep that they do not fuse before, and yet with a threshold that Newton's method finds."""


class Fusions(NamedTuple):
    """All pairs of slots, i <= j, with what of their burn times is fixed at frozen composition; (pairs,) arrays."""

    first: np.ndarray
    """Slot i."""
    second: np.ndarray
    """Slot j."""
    possible: Array
    """Whether both nuclei are there and light enough to fuse."""
    constants: pycno.PairConstants
    """Constants of the pair."""
    ln_Y1: Array
    """ln of the abundance of the first."""
    ln_Y2: Array
    """ln of the abundance of the second."""
    ln_Y_nuclei: Array
    """ln of the number of all nuclei per baryon, a scalar."""
    ln_offset: Array
    """ln 1/2 for identical nuclei, less ln of the factor on all fusion rates."""
    ln_density: Array | None
    """ln of the density in g cm^-3 from which the pair fuses, if not by burn time."""


def fusions_of(
    nuclide: Array, Y: Array, ln_rate_scale: Array, network: Network, density: Array | None = None
) -> Fusions:
    """The pairs of slots (nuclide, Y: (slots,)).

    density: (Z_MAX + 1,) g cm^-3 by charge number from which two nuclei of one element fuse, if not by burn time.
    """
    first, second = np.triu_indices(Y.shape[0])
    index, light = fusion_index(nuclide)
    fuses = light & (Y > Y_REACTS)
    ln_Y = jnp.log(jnp.where(Y > 0, Y, 1.0))
    assert network.pairs is not None
    constants = network.pairs[index[first], index[second]]
    ln_density = None
    if density is not None:
        Z = nuclide_Z(nuclide)
        ln_density = jnp.log(jnp.where(Z[first] == Z[second], density[Z[first]], jnp.inf))
    return Fusions(
        first=first,
        second=second,
        possible=fuses[first] & fuses[second],
        constants=pycno.PairConstants(constants[:, 0], constants[:, 1], constants[:, 2]),
        ln_Y1=ln_Y[first],
        ln_Y2=ln_Y[second],
        ln_Y_nuclei=jnp.log(jnp.sum(Y)),
        ln_offset=jnp.asarray(np.where(first == second, np.log(0.5), 0.0)) - ln_rate_scale,
        ln_density=ln_density,
    )


def burn_conditions(n_b: Array, mixture: Mixture, Y_nuclei: Array) -> pycno.Conditions:
    """Conditions of pycnonuclear burning; Y_nuclei is the number of nuclei per baryon."""
    X_N = 1.0 - jnp.asarray(mixture.Y_n)
    return pycno.conditions(n_b, X_N, X_N / Y_nuclei, mixture.Y_e / Y_nuclei, mixture.Y_e)


def ln_burn_time(fusions: Fusions, conditions: pycno.Conditions, n_b: Array) -> Array:
    """ln of the burn time of each pair, s."""
    f = fusions
    if f.ln_density is not None:
        return STEEPNESS * (f.ln_density - jnp.log(n_b * RHO_PER_N_B))
    return f.ln_offset + pycno.ln_burn_time(f.constants, conditions, f.ln_Y1, f.ln_Y2, f.ln_Y_nuclei, n_b)


def ln_burn_time_slope(fusions: Fusions, conditions: pycno.Conditions) -> Array:
    """d ln tau/d ln n_b at frozen composition."""
    if fusions.ln_density is not None:
        return jnp.full_like(fusions.ln_density, -STEEPNESS)
    return pycno.ln_burn_time_slope(fusions.constants, conditions)


def fuse(
    parents: Array, mu_n: Array, ell: Array, model: Array, network: Network, errors: Array | None
) -> tuple[Array, Array, Array]:
    """What two nuclei, (2,) codes, fuse to: code, neutrons set free, energy released in MeV (of masses and lattice).

    mu_n is counted from m_u; ell: `reactions.lattice_chemical_potential`.
    """
    Z, N = nuclide_Z(parents), nuclide_N(parents)
    N_product, E_products = fusion_product(jnp.sum(Z), jnp.sum(N), mu_n, model, network, errors)
    E_parents = jnp.sum(nuclide_energy(parents, model, network, errors))
    lattice = ell * (jnp.sum(reactions.z53(Z)) - reactions.z53(jnp.sum(Z)))
    return nuclide_code(jnp.sum(Z), N_product), jnp.sum(N) - N_product, E_parents - E_products + lattice
