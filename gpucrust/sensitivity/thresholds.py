"""Thresholds of reactions as functions of the state of matter and of all parameters, differentiable in both.

The value of a threshold is the affinity of a channel, MeV, or ln(tau/t_acc) of a fusion. It is about 0 where the
reaction becomes possible, and stays so while the reaction is marginal.

Units: MeV, fm, per baryon; g and mdot in CGS.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.fusion import burn_conditions
from gpucrust.nuclide import daughter_code, nuclide_N, nuclide_Z
from gpucrust.physics import pycno, reactions
from gpucrust.physics.potentials import Sums, potentials_of
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.tape import PRODUCT, Event

STAND_IN = 6, 12
"""Z and A of carbon, which stands in for both nuclei where there is no fusion; any that fuse would do."""
NO_NUCLEI = 1e-300
"""Abundance in place of 0 in logarithms."""


class Threshold(NamedTuple):
    """A reaction whose threshold determines a step; a pytree of scalars, or of arrays (steps,).

    Of two channels that become equally urgent the difference counts: from one daughter to the other. Of two products of
    a fusion too.
    """

    fusion: Array
    """Whether it is a fusion, not a channel."""
    dZ: Array
    """Change of charge number."""
    k: Array
    """Neutrons set free."""
    dz53: Array
    """Change of the sum of Z^(5/3)."""
    parent: Array
    """Code of the nuclide that it begins with."""
    daughter: Array
    """Code of the nuclide that it ends with."""
    first: Array
    """Slot of the parent."""
    second: Array
    """Slot of the second parent of a fusion."""
    pair: pycno.PairConstants
    """What the two nuclei of a fusion bring to its burn time."""
    ln_offset: Array
    """ln 1/2 for a fusion of identical nuclei, else 0: addend of ln tau."""


def threshold_of(event: Event, nuclide: Array, Y: Array) -> Threshold:
    """The threshold of an event among the slots `nuclide`, (slots,), of which those with nuclei, Y > 0, come first."""
    first, second = jnp.maximum(event.first, 0), jnp.maximum(event.second, 0)
    fusion, product = event.channel == CHANNELS, event.channel == PRODUCT
    dZ, k = _change_by(event.channel)
    rival_dZ, rival_k = _change_by(event.rival)
    parent = daughter_code(first, rival_dZ, rival_k)
    daughter = jnp.where(product, event.second, daughter_code(first, dZ, k))
    dZ = jnp.where(product, 0, dZ - rival_dZ)
    k = jnp.where(product, event.first - event.second, k - rival_k)

    def slot_of(code: Array) -> Array:
        return jnp.argmax(jnp.where(nuclide == code, 1 + Y, 0))

    return Threshold(
        fusion=fusion,
        dZ=dZ,
        k=k,
        dz53=reactions.z53(jnp.maximum(nuclide_Z(parent) + dZ, 0)) - reactions.z53(nuclide_Z(parent)),
        parent=parent,
        daughter=daughter,
        first=slot_of(event.first),
        second=slot_of(event.second),
        pair=_pair_of(first, second, fusion),
        ln_offset=jnp.where(event.first == event.second, np.log(0.5), 0.0),
    )


def _change_by(channel: Array) -> tuple[Array, Array]:
    """Change of charge number by a channel, and the neutrons that it sets free; 0 for NONE."""
    within = jnp.clip(channel, 0, CHANNELS - 1)
    dZ, k = (jnp.where(channel < 0, 0, jnp.asarray(table)[within]) for table in (CHANNEL_DZ, CHANNEL_K))
    return dZ, k


def _pair_of(first: Array, second: Array, fusion: Array) -> pycno.PairConstants:
    """Constants of the pair of nuclides that fuses, else of the STAND_IN."""
    pair = []
    for code in (first, second):
        Z, N = nuclide_Z(code), nuclide_N(code)
        pair += [jnp.where(fusion, x, other) for x, other in zip((Z, Z + N), STAND_IN, strict=True)]
    return pycno.pair_constants(*pair)


def energy_change(threshold: Threshold, parameters: Parameters) -> Array:
    """E(daughter) - E(parent) of a channel, MeV; 0 for a fusion, whose rate masses do not enter."""
    E = jnp.asarray(parameters.E)
    return jnp.where(threshold.fusion, 0.0, E[threshold.daughter] - E[threshold.parent])


def threshold_value(
    threshold: Threshold, dE: Array, n_b: Array, P: Array, Y: Array, sums: Sums, parameters: Parameters
) -> Array:
    """Affinity of a channel, dE + dZ mu_e + k mu_n + d(Z^(5/3)) ell in MeV; of a fusion ln(tau/t_acc).

    dE: `energy_change`; P in MeV fm^-3; Y: (slots,), with their sums.
    """
    t = threshold
    at = potentials_of(n_b, sums, parameters.matter)
    g = dE + t.dZ * at.mu_e + t.k * at.mu_n + t.dz53 * at.ell
    # a parent that is used up drops out of its burn time: what stands for its logarithm does not matter
    ln_Y = jnp.log(jnp.where(Y > 0, Y, NO_NUCLEI))
    conditions = burn_conditions(n_b, sums.mixture, sums.Y)
    ln_tau = pycno.ln_burn_time(t.pair, conditions, ln_Y[t.first], ln_Y[t.second], jnp.log(sums.Y), n_b)
    ln_scale = jnp.asarray(parameters.pycno_log10_scale) * np.log(10.0)
    ln_t_acc = jnp.log(P * DYN_PER_CM2 / (jnp.asarray(parameters.g) * parameters.mdot))
    return jnp.where(t.fusion, ln_tau + t.ln_offset - ln_scale - ln_t_acc, g)


def sums_along(Z: Array, Y: Array, Y_n: Array) -> Sums:
    """Sums over the slots of compositions; charge numbers Z, abundances Y: (..., slots), Y_n: (...).

    As `gpucrust.physics.potentials.sums_of`, but Z^(5/3) comes from the formula that `Threshold.dz53` has too: the
    table there differs from it in the last digit.
    """
    return Sums(jnp.sum(Z * Y, -1), Y_n, jnp.sum(reactions.z53(Z) * Y, -1), jnp.sum(Y, -1))
