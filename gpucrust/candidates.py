"""Which reaction happens next: the most urgent channel, the fastest fusion."""

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust import eos, pycno, reactions
from gpucrust.constants import NEUTRON_EXCESS, RHO_PER_N_B
from gpucrust.eos import Matter, Mixture
from gpucrust.network import N_STRIDE, Network, fusion_index, fusion_product, nuclide_energy, nuclide_Z
from gpucrust.reactions import CHANNEL_CLASS, CHANNEL_DZ, CHANNEL_K, FAST_FUSION, SLOW_FUSION

if TYPE_CHECKING:
    from gpucrust.stepper import Member, Settings, State

Y_REACTS = 1e-12
"""Nuclides at or below this abundance per baryon do not react."""

SUDDEN = 1e6
"""Nuclei that fuse from a density on have a burn time that falls as its -SUDDEN-th power, and is 1 s there."""


class Reaction(NamedTuple):
    """A reaction that may happen now; a pytree of scalars."""

    first: Array  # slot of the parent
    second: Array  # slot of the other parent of a fusion
    channel: Array  # index into the channels; 12 for fusion
    daughter: Array  # code
    k: Array  # neutrons set free
    amount: Array  # per baryon
    energy: Array  # Gibbs energy released per reaction, MeV
    mismatch: Array  # energy taken from one table less that taken from the policy's, MeV per reaction


class Fusions(NamedTuple):
    """All pairs of slots, i <= j, with what of their burn times is fixed at frozen composition; (pairs,) arrays."""

    first: np.ndarray
    second: np.ndarray
    possible: Array
    constants: pycno.PairConstants
    ln_Y1: Array
    ln_Y2: Array
    ln_Y_nuclei: Array
    ln_offset: Array  # ln 1/2 for identical nuclei, less the logarithm of the rate's scale
    ln_density: Array | None  # ln of the density in g cm^-3 from which the pair fuses, if not by burn time


def most_urgent_channel(state: "State", amount: Array, g: Array, allowed: Array) -> tuple[Reaction, Array]:
    """The allowed channel of the lowest class and most negative affinity, and its class (inf if none is allowed).

    amount, g, allowed: (12, slots). Ties go to the lowest channel index.
    """
    lowest = jnp.min(jnp.where(allowed, CHANNEL_CLASS[:, None], jnp.inf))
    flat = jnp.argmin(jnp.where(allowed & (CHANNEL_CLASS[:, None] == lowest), g, jnp.inf))
    channel, slot = flat // g.shape[1], flat % g.shape[1]
    dZ, k = jnp.asarray(CHANNEL_DZ)[channel], jnp.asarray(CHANNEL_K)[channel]
    reaction = Reaction(
        first=slot,
        second=slot,
        channel=channel,
        daughter=state.nuclide[slot] + dZ * N_STRIDE - dZ - k,
        k=k,
        amount=amount[channel, slot],
        energy=-g[channel, slot],
        mismatch=state.dE_mixed[channel, slot] - state.dE[channel, slot],
    )
    return reaction, lowest


def fusions_of(
    nuclide: Array, Y: Array, ln_rate_scale: Array, network: Network, density: Array | None = None
) -> Fusions:
    """The pairs of slots (nuclide, Y: (slots,)).

    density: (61,) g cm^-3 by charge number from which two nuclei of one element fuse instead of by burn time, or None.
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
        return SUDDEN * (f.ln_density - jnp.log(n_b * RHO_PER_N_B))
    return f.ln_offset + pycno.ln_burn_time(f.constants, conditions, f.ln_Y1, f.ln_Y2, f.ln_Y_nuclei, n_b)


def ln_burn_time_slope(fusions: Fusions, conditions: pycno.Conditions) -> Array:
    """d ln tau/d ln n_b at frozen composition."""
    if fusions.ln_density is not None:
        return jnp.full_like(fusions.ln_density, -SUDDEN)
    return pycno.ln_burn_time_slope(fusions.constants, conditions)


def fuse(
    parents: Array, mu_n: Array, ell: Array, model: Array, network: Network, errors: Array | None
) -> tuple[Array, Array, Array]:
    """What two nuclei, (2,) codes, fuse to: code, neutrons set free, energy released in MeV (of masses and lattice).

    mu_n is counted from m_u; ell: `reactions.lattice_chemical_potential`.
    """
    Z, N = nuclide_Z(parents), parents % N_STRIDE
    kept, E_products = fusion_product(jnp.sum(Z), jnp.sum(N), mu_n, model, network, errors)
    E_parents = jnp.sum(nuclide_energy(parents, model, network, errors))
    lattice = ell * (jnp.sum(reactions.z53(Z)) - reactions.z53(jnp.sum(Z)))
    return jnp.sum(Z) * N_STRIDE + kept, jnp.sum(N) - kept, E_parents - E_products + lattice


def fastest_fusion(
    state: "State",
    fusions: Fusions,
    ln_tau: Array,
    mixture: Mixture,
    member: "Member",
    network: Network,
    settings: "Settings",
) -> tuple[Reaction, Array]:
    """The fusion of shortest burn time that is faster than compression and releases energy, and its class.

    ln_tau: (pairs,) ln of burn times in s. The class is inf if there is no such fusion.
    """
    matter: Matter = settings.matter
    mu_n = NEUTRON_EXCESS + eos.neutron_chemical_potential(state.n_b * state.Y_n, matter)
    ell = reactions.lattice_chemical_potential(state.n_b * mixture.Y_e, matter)
    first, second = jnp.asarray(fusions.first), jnp.asarray(fusions.second)
    burning = fusions.possible & (ln_tau < jnp.log(state.P / member.g_mdot))

    def products(pair: Array) -> tuple[Array, Array, Array]:
        parents = jnp.stack([state.nuclide[first[pair]], state.nuclide[second[pair]]])
        return fuse(parents, mu_n, ell, member.model, network, member.errors)

    # Nearly always the fastest pair releases energy and the loop runs once; a pair that does not is passed over.
    def try_next(carry: tuple) -> tuple:
        left = carry[0]
        pair = jnp.argmin(jnp.where(left, ln_tau, jnp.inf))
        return left & (jnp.arange(left.shape[0]) != pair), pair, *products(pair)

    def search_goes_on(carry: tuple) -> Array:
        return jnp.any(carry[0]) & (carry[-1] <= 0)

    zero = jnp.array(0)
    _, pair, daughter, k, energy = jax.lax.while_loop(
        search_goes_on, try_next, (burning, zero, zero, zero, jnp.array(0.0))
    )
    i, j = first[pair], second[pair]
    most = jnp.where(i == j, 0.5, 1.0) * jnp.minimum(state.Y[i], state.Y[j])
    reaction = Reaction(
        first=i,
        second=j,
        channel=jnp.array(reactions.CHANNELS),
        daughter=daughter,
        k=k,
        amount=jnp.minimum(most, member.chunk),
        energy=energy,
        mismatch=jnp.array(0.0),
    )
    fusion_class = jnp.where(ln_tau[pair] < jnp.log(settings.t_weak), FAST_FUSION, SLOW_FUSION)
    return reaction, jnp.where(energy > 0, fusion_class, jnp.inf)
